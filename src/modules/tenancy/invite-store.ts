import { and, desc, eq, sql } from 'drizzle-orm'
import type { Orm, Scoped, ScopedTx } from '../../db/client.ts'
import type { Invite } from './invite.ts'
import { inviteLinks, invites, members, users } from './schema.ts'
import { setActiveIfNone } from './store.ts'
import type { Role } from './tenancy.ts'

/** All of the workspace's invitations, the newest first. */
export async function invitesOf(orm: Scoped, workspaceId: string): Promise<Invite[]> {
  return orm
    .select()
    .from(invites)
    .where(eq(invites.workspaceId, workspaceId))
    .orderBy(desc(invites.createdAt), desc(invites.id))
}

export async function inviteById(orm: Scoped, workspaceId: string, id: string): Promise<Invite | null> {
  const rows = await orm
    .select()
    .from(invites)
    .where(and(eq(invites.workspaceId, workspaceId), eq(invites.id, id)))
  return rows[0] ?? null
}

export async function insertInvite(
  tx: ScopedTx,
  workspaceId: string,
  invite: Invite,
  secretHash: string,
): Promise<void> {
  await tx.insert(invites).values({ ...invite, workspaceId })
  const { id: inviteId, expiresAt } = invite
  await tx.insert(inviteLinks).values({ secretHash, leadsTo: workspaceId, inviteId, expiresAt })
}

export async function revokeInvite(tx: ScopedTx, workspaceId: string, id: string, now: Date): Promise<void> {
  await tx
    .update(invites)
    .set({ revokedAt: now })
    .where(and(eq(invites.workspaceId, workspaceId), eq(invites.id, id)))
  await dropLink(tx, workspaceId, id)
}

async function dropLink(tx: ScopedTx, workspaceId: string, inviteId: string): Promise<void> {
  await tx.delete(inviteLinks).where(and(eq(inviteLinks.leadsTo, workspaceId), eq(inviteLinks.inviteId, inviteId)))
}

/** Where a secret leads; null where it leads nowhere any more: used up, taken back, or never there. */
export async function inviteLink(
  orm: Pick<Orm, 'select'>,
  secretHash: string,
): Promise<{ leadsTo: string; inviteId: string; expiresAt: Date } | null> {
  const rows = await orm.select().from(inviteLinks).where(eq(inviteLinks.secretHash, secretHash))
  return rows[0] ?? null
}

/** Counts the use, and makes the person a member; the workspace becomes active for somebody who has no active one. */
export async function joinByInvite(
  tx: ScopedTx,
  workspaceId: string,
  inviteId: string,
  { userId, role, now }: { userId: string; role: Role; now: Date },
): Promise<void> {
  const [used] = await tx
    .update(invites)
    .set({ uses: sql`${invites.uses} + 1` })
    .where(and(eq(invites.workspaceId, workspaceId), eq(invites.id, inviteId)))
    .returning({ over: sql<boolean>`${invites.uses} >= ${invites.maxUses}` })
  if (used?.over === true) await dropLink(tx, workspaceId, inviteId)
  await tx.insert(members).values({ workspaceId, userId, role, joinedAt: now })
  await setActiveIfNone(tx, userId, workspaceId)
}

export async function personById(
  orm: Pick<Orm, 'select'>,
  userId: string,
): Promise<{ name: string; email: string } | null> {
  const rows = await orm.select({ name: users.name, email: users.email }).from(users).where(eq(users.id, userId))
  return rows[0] ?? null
}
