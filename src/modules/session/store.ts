import { and, asc, count, desc, eq, isNull, lte, min, sql } from 'drizzle-orm'
import type { Orm, Tx } from '../../db/client.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { users } from '../tenancy/schema.ts'
import type { Alert, EndReason, Session } from './session.ts'
import { sessions } from './schema.ts'

/** A session with the name of its person, as teammates see it. */
export interface NamedSession extends Session {
  readonly userName: string
}

/** Live sessions of a grant, the most recently seen first. */
export async function liveSessionsOfGrant(
  orm: Orm,
  grantId: string,
): Promise<Pick<Session, 'id' | 'workspaceId' | 'agentId' | 'toolName' | 'branch'>[]> {
  return orm
    .select({
      id: sessions.id,
      workspaceId: sessions.workspaceId,
      agentId: sessions.agentId,
      toolName: sessions.toolName,
      branch: sessions.branch,
    })
    .from(sessions)
    .where(and(eq(sessions.grantId, grantId), isNull(sessions.endedAt)))
    .orderBy(desc(sessions.lastSeenAt))
    .limit(LIMITS.sessionsPerGrant)
}

/**
 * The session that a caller without a live one most likely means: the newest of this person by that agentId, or without
 * one the newest that came from this grant.
 */
export async function lastSessionOf(
  orm: Orm,
  caller: { userId: string; grantId: string; agentId: string | undefined },
): Promise<(Pick<Session, 'agentId' | 'grantId'> & { endReason: EndReason | null }) | null> {
  const { userId, grantId, agentId } = caller
  const rows = await orm
    .select({ agentId: sessions.agentId, grantId: sessions.grantId, endReason: sessions.endReason })
    .from(sessions)
    .where(
      and(
        eq(sessions.userId, userId),
        agentId === undefined ? eq(sessions.grantId, grantId) : eq(sessions.agentId, agentId),
      ),
    )
    .orderBy(desc(sessions.lastSeenAt))
    .limit(1)
  return rows[0] ?? null
}

export async function countLiveSessionsOfGrant(tx: Tx, grantId: string): Promise<number> {
  const rows = await tx
    .select({ count: count() })
    .from(sessions)
    .where(and(eq(sessions.grantId, grantId), isNull(sessions.endedAt)))
  return rows[0]?.count ?? 0
}

export async function sessionById(tx: Tx, workspaceId: string, id: string): Promise<Session | null> {
  const rows = await tx
    .select()
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), eq(sessions.id, id)))
  return rows[0] ?? null
}

export async function sessionByAgentId(tx: Tx, workspaceId: string, agentId: string): Promise<Session | null> {
  const rows = await tx
    .select()
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), eq(sessions.agentId, agentId)))
  return rows[0] ?? null
}

/** Every live session of the workspace, in the order of their agentIds. */
export async function liveSessions(tx: Tx, workspaceId: string): Promise<NamedSession[]> {
  const rows = await tx
    .select({ session: sessions, userName: users.name })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(sessions.workspaceId, workspaceId), isNull(sessions.endedAt)))
    .orderBy(asc(sessions.agentId))
  return rows.map(({ session, userName }) => ({ ...session, userName }))
}

export async function insertSession(tx: Tx, session: Session): Promise<void> {
  await tx.insert(sessions).values({ ...session, alerts: [...session.alerts] })
}

/** Writes what a call may have changed about its own session. */
export async function saveSession(tx: Tx, session: Session): Promise<void> {
  const { workspaceId, id, agentId: _agentId, userId: _userId, joinedAt: _joinedAt, ...changing } = session
  await tx
    .update(sessions)
    .set({ ...changing, alerts: [...session.alerts], endReason: session.endedAt === null ? null : undefined })
    .where(and(eq(sessions.workspaceId, workspaceId), eq(sessions.id, id)))
}

/** Live sessions that were last seen at `before` or earlier. */
export async function sessionsSeenBefore(tx: Tx, workspaceId: string, before: Date): Promise<Session[]> {
  return tx
    .select()
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), isNull(sessions.endedAt), lte(sessions.lastSeenAt, before)))
    .orderBy(asc(sessions.lastSeenAt))
}

/** When the longest-unseen live session was seen last, or null without sessions. */
export async function earliestLastSeen(tx: Tx, workspaceId: string): Promise<Date | null> {
  const rows = await tx
    .select({ at: min(sessions.lastSeenAt) })
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), isNull(sessions.endedAt)))
  return rows[0]?.at ?? null
}

export async function markEnded(tx: Tx, session: Session, reason: EndReason, now: Date): Promise<void> {
  await tx
    .update(sessions)
    .set({ endedAt: now, endReason: reason })
    .where(and(eq(sessions.workspaceId, session.workspaceId), eq(sessions.id, session.id)))
}

/** Leaves an alert for a session; the newest LIMITS.alertsPerSession are kept. */
export async function addAlert(tx: Tx, workspaceId: string, sessionId: string, alert: Alert): Promise<void> {
  await tx
    .update(sessions)
    .set({
      alerts: sql`(select coalesce(jsonb_agg(item order by n), '[]') from (
        select item, n from jsonb_array_elements(${sessions.alerts} || ${JSON.stringify([alert])}::jsonb)
          with ordinality as t(item, n) order by n desc limit ${LIMITS.alertsPerSession}) as newest)`,
    })
    .where(and(eq(sessions.workspaceId, workspaceId), eq(sessions.id, sessionId)))
}
