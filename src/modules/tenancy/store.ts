import { and, asc, eq, inArray, isNull } from 'drizzle-orm'
import type { Orm, Tx } from '../../db/client.ts'
import type { Membership, Repo } from './repository.ts'
import { members, repos, users, workspaces } from './schema.ts'
import { effectivePolicy, type Member, type Policy } from './tenancy.ts'

export async function memberOf(tx: Orm | Tx, workspaceId: string, userId: string): Promise<Member | null> {
  const rows = await tx
    .select({ role: members.role, workspaceName: workspaces.name, policy: workspaces.policy })
    .from(members)
    .innerJoin(workspaces, eq(workspaces.id, members.workspaceId))
    .where(and(eq(members.workspaceId, workspaceId), eq(members.userId, userId), isNull(workspaces.archivedAt)))
  const row = rows[0]
  return row === undefined ? null : { ...row, policy: effectivePolicy(row.policy) }
}

export async function policyOf(tx: Tx, workspaceId: string): Promise<Policy> {
  const rows = await tx.select({ policy: workspaces.policy }).from(workspaces).where(eq(workspaces.id, workspaceId))
  return effectivePolicy(rows[0]?.policy ?? {})
}

/** The workspaces a person belongs to, with their repositories, oldest first. Archived ones are left out. */
export async function membershipsOf(orm: Orm | Tx, userId: string): Promise<Membership[]> {
  const rows = await orm
    .select({ id: workspaces.id, name: workspaces.name, role: members.role, activeId: users.activeWorkspaceId })
    .from(members)
    .innerJoin(workspaces, eq(workspaces.id, members.workspaceId))
    .innerJoin(users, eq(users.id, members.userId))
    .where(and(eq(members.userId, userId), isNull(workspaces.archivedAt)))
    .orderBy(asc(workspaces.createdAt), asc(workspaces.id))
  const ids = rows.map((row) => row.id)
  const bound = ids.length === 0 ? [] : await orm.select().from(repos).where(inArray(repos.workspaceId, ids))
  return rows.map((row) => ({
    workspaceId: row.id,
    workspaceName: row.name,
    role: row.role,
    active: row.activeId === row.id,
    repos: bound.filter((repo) => repo.workspaceId === row.id),
  }))
}

export async function reposOf(tx: Tx, workspaceId: string): Promise<Repo[]> {
  return tx.select().from(repos).where(eq(repos.workspaceId, workspaceId)).orderBy(asc(repos.boundAt))
}

/** Makes two first joins of one person wait for each other, so that they end in one workspace. */
export async function lockUser(tx: Tx, userId: string): Promise<void> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).for('update')
}

export async function insertWorkspace(tx: Tx, workspace: { id: string; name: string; ownerId: string; now: Date }) {
  const { id, name, ownerId, now } = workspace
  await tx.insert(workspaces).values({ id, name, createdBy: ownerId, createdAt: now })
  await tx.insert(members).values({ workspaceId: id, userId: ownerId, role: 'owner', joinedAt: now })
  await setActiveWorkspace(tx, ownerId, id)
}

export async function setActiveWorkspace(tx: Orm | Tx, userId: string, workspaceId: string): Promise<void> {
  await tx.update(users).set({ activeWorkspaceId: workspaceId }).where(eq(users.id, userId))
}

export async function insertRepo(tx: Tx, workspaceId: string, repo: Repo, now: Date): Promise<void> {
  const { id, canonicalRemote, rootSha } = repo
  await tx.insert(repos).values({ workspaceId, id, canonicalRemote, rootSha, boundAt: now })
}
