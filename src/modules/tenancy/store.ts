import { and, asc, count, eq, inArray, isNull, ne, or, sql } from 'drizzle-orm'
import type { OfUser, Orm, Scoped, ScopedTx, Tx } from '../../db/client.ts'
import type { Membership, Repo } from './repository.ts'
import { inviteLinks, invites, members, repos, users, workspaces } from './schema.ts'
import { effectivePolicy, type Member, type Policy, type PolicyOverrides, type Role } from './tenancy.ts'

/** A person's place in a workspace that is not archived. $1: the workspace, $3: the person. */
export const MEMBER = memberWhere('workspaces.archived_at is null')

/** The same, where $2 may let archived ones count. */
const MEMBER_EVEN_IF_ARCHIVED = memberWhere('($2 or workspaces.archived_at is null)')

function memberWhere(open: string): string {
  return `select members.role, workspaces.name as "workspaceName", workspaces.policy
    from members join workspaces on workspaces.id = members.workspace_id
    where members.workspace_id = $1 and members.user_id = $3 and ${open}`
}

export type MemberRow = Omit<Member, 'policy'> & { readonly policy: PolicyOverrides }

export function memberFromRow(row: MemberRow): Member {
  return { ...row, policy: effectivePolicy(row.policy) }
}

/** The person's place in the workspace; null for everybody else. An archived workspace has no members unless asked for. */
export async function memberOf(
  orm: Scoped | Scoped<OfUser>,
  workspaceId: string,
  userId: string,
  archivedToo = false,
): Promise<Member | null> {
  const [row] = await orm.fixed<MemberRow>(MEMBER_EVEN_IF_ARCHIVED, [workspaceId, archivedToo, userId])
  return row === undefined ? null : memberFromRow(row)
}

export async function policyOf(tx: ScopedTx, workspaceId: string): Promise<Policy> {
  const rows = await tx.select({ policy: workspaces.policy }).from(workspaces).where(eq(workspaces.id, workspaceId))
  return effectivePolicy(rows[0]?.policy ?? {})
}

/** The workspaces a person belongs to, with their repositories, oldest first; archived ones only if asked for. */
export async function membershipsOf(orm: Scoped<OfUser>, userId: string, archivedToo = false): Promise<Membership[]> {
  const rows = await orm
    .select({
      id: workspaces.id,
      name: workspaces.name,
      archivedAt: workspaces.archivedAt,
      role: members.role,
      activeId: users.activeWorkspaceId,
    })
    .from(members)
    .innerJoin(workspaces, eq(workspaces.id, members.workspaceId))
    .innerJoin(users, eq(users.id, members.userId))
    .where(and(eq(members.userId, userId), archivedToo ? undefined : isNull(workspaces.archivedAt)))
    .orderBy(asc(workspaces.createdAt), asc(workspaces.id))
  const ids = rows.map((row) => row.id)
  const bound = ids.length === 0 ? [] : await orm.select().from(repos).where(inArray(repos.workspaceId, ids))
  return rows.map((row) => ({
    workspaceId: row.id,
    workspaceName: row.name,
    role: row.role,
    active: row.activeId === row.id,
    archived: row.archivedAt !== null,
    repos: bound.filter((repo) => repo.workspaceId === row.id),
  }))
}

export async function reposOf(orm: Scoped, workspaceId: string): Promise<Repo[]> {
  return orm.select().from(repos).where(eq(repos.workspaceId, workspaceId)).orderBy(asc(repos.boundAt))
}

/** Makes two first joins of one person wait for each other, so that they end in one workspace. */
export async function lockUser(tx: ScopedTx<OfUser>, userId: string): Promise<void> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).for('update')
}

/** Makes what others remember of this person's sessions old, once the transaction commits. */
export async function countJoin(tx: ScopedTx<OfUser>, userId: string): Promise<void> {
  await tx
    .update(users)
    .set({ joins: sql`${users.joins} + 1` })
    .where(eq(users.id, userId))
}

export async function insertWorkspace(
  tx: ScopedTx,
  workspace: { id: string; name: string; ownerId: string; now: Date },
) {
  const { id, name, ownerId, now } = workspace
  await tx.insert(workspaces).values({ id, name, createdBy: ownerId, createdAt: now })
  await tx.insert(members).values({ workspaceId: id, userId: ownerId, role: 'owner', joinedAt: now })
  await setActiveWorkspace(tx, ownerId, id)
}

export async function setActiveWorkspace(orm: Orm, userId: string, workspaceId: string): Promise<void> {
  await orm.update(users).set({ activeWorkspaceId: workspaceId }).where(eq(users.id, userId))
}

export async function insertRepo(tx: ScopedTx, workspaceId: string, repo: Repo, now: Date): Promise<void> {
  const { id, canonicalRemote, rootSha } = repo
  await tx.insert(repos).values({ workspaceId, id, canonicalRemote, rootSha, boundAt: now })
}

/** A member with what people know them by. */
export interface NamedMember {
  readonly userId: string
  readonly name: string
  readonly email: string
  readonly role: Role
  readonly joinedAt: Date
}

const NAMED_MEMBER = {
  userId: members.userId,
  name: users.name,
  email: users.email,
  role: members.role,
  joinedAt: members.joinedAt,
}

/** Everybody in the workspace, in the order in which they came. */
export async function membersOf(orm: Scoped, workspaceId: string): Promise<NamedMember[]> {
  return orm
    .select(NAMED_MEMBER)
    .from(members)
    .innerJoin(users, eq(users.id, members.userId))
    .where(eq(members.workspaceId, workspaceId))
    .orderBy(asc(members.joinedAt), asc(members.userId))
}

export async function namedMember(orm: Scoped, workspaceId: string, userId: string): Promise<NamedMember | null> {
  const rows = await orm
    .select(NAMED_MEMBER)
    .from(members)
    .innerJoin(users, eq(users.id, members.userId))
    .where(and(eq(members.workspaceId, workspaceId), eq(members.userId, userId)))
  return rows[0] ?? null
}

export async function countMembers(orm: Scoped, workspaceId: string): Promise<number> {
  const rows = await orm.select({ count: count() }).from(members).where(eq(members.workspaceId, workspaceId))
  return rows[0]?.count ?? 0
}

export async function countOwners(orm: Scoped, workspaceId: string): Promise<number> {
  const rows = await orm
    .select({ count: count() })
    .from(members)
    .where(and(eq(members.workspaceId, workspaceId), eq(members.role, 'owner')))
  return rows[0]?.count ?? 0
}

/** How many workspaces the person is in, archived ones too. */
export async function countMemberships(orm: Scoped<OfUser>, userId: string): Promise<number> {
  const rows = await orm.select({ count: count() }).from(members).where(eq(members.userId, userId))
  return rows[0]?.count ?? 0
}

export async function setRole(tx: ScopedTx, workspaceId: string, userId: string, role: Role): Promise<void> {
  await tx
    .update(members)
    .set({ role })
    .where(and(eq(members.workspaceId, workspaceId), eq(members.userId, userId)))
}

/** The person is out; if the workspace was their active one, they have none now. */
export async function deleteMember(tx: ScopedTx, workspaceId: string, userId: string): Promise<void> {
  await tx.delete(members).where(and(eq(members.workspaceId, workspaceId), eq(members.userId, userId)))
  await tx
    .update(users)
    .set({ activeWorkspaceId: null })
    .where(and(eq(users.id, userId), eq(users.activeWorkspaceId, workspaceId)))
}

export async function deleteRepo(tx: ScopedTx, workspaceId: string, repoId: string): Promise<void> {
  await tx.delete(repos).where(and(eq(repos.workspaceId, workspaceId), eq(repos.id, repoId)))
}

export async function renameWorkspace(tx: ScopedTx, workspaceId: string, name: string): Promise<void> {
  await tx.update(workspaces).set({ name }).where(eq(workspaces.id, workspaceId))
}

/** @param at null: it is brought back */
export async function archiveWorkspace(tx: ScopedTx, workspaceId: string, at: Date | null): Promise<void> {
  await tx.update(workspaces).set({ archivedAt: at }).where(eq(workspaces.id, workspaceId))
}

export async function setPolicy(tx: ScopedTx, workspaceId: string, policy: Policy): Promise<void> {
  await tx.update(workspaces).set({ policy }).where(eq(workspaces.id, workspaceId))
}

/** What belongs to the workspace itself; its row stays, empty, so that its id never means anything else. */
export async function eraseTenancy(tx: ScopedTx, workspaceId: string, now: Date): Promise<void> {
  await tx.update(workspaces).set({ name: '', policy: {}, deletedAt: now }).where(eq(workspaces.id, workspaceId))
  await tx.update(users).set({ activeWorkspaceId: null }).where(eq(users.activeWorkspaceId, workspaceId))
  await tx.delete(inviteLinks).where(eq(inviteLinks.leadsTo, workspaceId))
  for (const table of [invites, repos, members]) await tx.delete(table).where(eq(table.workspaceId, workspaceId))
}

export async function countTenancy(orm: Scoped, workspaceId: string): Promise<Record<string, number>> {
  const [people, bound] = await Promise.all([countMembers(orm, workspaceId), reposOf(orm, workspaceId)])
  return { members: people, repositories: bound.length }
}

/** For somebody who has no active workspace this one becomes it. */
export async function setActiveIfNone(orm: Pick<Orm, 'update'>, userId: string, workspaceId: string): Promise<void> {
  await orm
    .update(users)
    .set({ activeWorkspaceId: workspaceId })
    .where(and(eq(users.id, userId), isNull(users.activeWorkspaceId)))
}

/** One of the person's workspaces, archived or not; null where they are no member. */
export async function membershipOf(
  orm: Scoped<OfUser>,
  workspaceId: string,
  userId: string,
): Promise<Membership | null> {
  const all = await membershipsOf(orm, userId, true)
  return all.find((membership) => membership.workspaceId === workspaceId) ?? null
}

/** Takes over how a person is called now, if that is new. `email` and `name` normalised and within their bounds. */
export async function renameUser(tx: Tx, userId: string, person: { email: string; name: string }): Promise<void> {
  const { email, name } = person
  const isNew = or(ne(users.email, email), ne(users.name, name))
  await tx
    .update(users)
    .set({ email, name })
    .where(and(eq(users.id, userId), isNew))
}

/** Whether the workspace was deleted, of which its journal's head is all that is left. */
export async function isDeleted(tx: ScopedTx, workspaceId: string): Promise<boolean> {
  const [row] = await tx
    .select({ deletedAt: workspaces.deletedAt })
    .from(workspaces)
    .where(eq(workspaces.id, workspaceId))
  return row === undefined || row.deletedAt !== null
}
