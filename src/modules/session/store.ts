import { and, asc, count, desc, eq, inArray, isNull, lte, min, sql } from 'drizzle-orm'
import type { OfUser, Scoped, ScopedTx } from '../../db/client.ts'
import { LIMITS } from '../../kernel/limits.ts'
import type { Alert } from './alert.ts'
import type { EndReason, Session } from './session.ts'
import { sessions } from './schema.ts'

/** A session with the name of its person, as teammates see it. */
export interface NamedSession extends Session {
  readonly userName: string
}

const LIVE_OF_GRANT = `select id, workspace_id as "workspaceId", agent_id as "agentId", tool_name as "toolName", branch,
    (select joins from users where users.id = sessions.user_id) as joins
  from sessions where grant_id = $1 and ended_at is null order by last_seen_at desc limit $2`

interface SessionOfGrant extends Pick<Session, 'id' | 'workspaceId' | 'agentId' | 'toolName' | 'branch'> {
  /** How often agents had joined as this person when this was so. */
  readonly joins: number
}

/** Live sessions of a person's grant, the most recently seen first. */
export async function liveSessionsOfGrant(orm: Scoped<OfUser>, grantId: string): Promise<SessionOfGrant[]> {
  return orm.fixed<SessionOfGrant>(LIVE_OF_GRANT, [grantId, LIMITS.sessionsPerGrant])
}

/** The live sessions that came from any of a person's grants. */
export async function liveSessionsBy(
  orm: Scoped<OfUser>,
  grantIds: readonly string[],
): Promise<{ sessionId: string; agentId: string; workspaceId: string }[]> {
  if (grantIds.length === 0) return []
  return orm
    .select({ sessionId: sessions.id, agentId: sessions.agentId, workspaceId: sessions.workspaceId })
    .from(sessions)
    .where(and(inArray(sessions.grantId, [...grantIds]), isNull(sessions.endedAt)))
    .orderBy(sessions.id)
}

/** How many live sessions each of a person's grants has; those without any are left out. */
export async function liveSessionCounts(
  orm: Scoped<OfUser>,
  grantIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (grantIds.length === 0) return new Map()
  const rows = await orm
    .select({ grantId: sessions.grantId, count: count() })
    .from(sessions)
    .where(and(inArray(sessions.grantId, [...grantIds]), isNull(sessions.endedAt)))
    .groupBy(sessions.grantId)
  return new Map(rows.map((row) => [row.grantId, row.count]))
}

/**
 * The session that a caller without a live one most likely means: the newest of this person by that agentId, or without
 * one the newest that came from this grant.
 */
export async function lastSessionOf(
  orm: Scoped<OfUser>,
  caller: { userId: string; grantId: string; agentId: string | undefined; workspaceId: string | null },
): Promise<(Pick<Session, 'agentId' | 'lastSeenAt' | 'endedAt'> & { endReason: EndReason | null }) | null> {
  const { userId, grantId, agentId, workspaceId } = caller
  const rows = await orm
    .select({
      agentId: sessions.agentId,
      lastSeenAt: sessions.lastSeenAt,
      endedAt: sessions.endedAt,
      endReason: sessions.endReason,
    })
    .from(sessions)
    .where(
      and(
        eq(sessions.userId, userId),
        agentId === undefined ? eq(sessions.grantId, grantId) : eq(sessions.agentId, agentId),
        workspaceId === null ? undefined : eq(sessions.workspaceId, workspaceId),
      ),
    )
    .orderBy(desc(sessions.lastSeenAt))
    .limit(1)
  return rows[0] ?? null
}

/** In all workspaces of the grant's person. */
export async function countLiveSessionsOfGrant(tx: ScopedTx<OfUser>, grantId: string): Promise<number> {
  const rows = await tx
    .select({ count: count() })
    .from(sessions)
    .where(and(eq(sessions.grantId, grantId), isNull(sessions.endedAt)))
  return rows[0]?.count ?? 0
}

export async function countLiveSessions(orm: Scoped, workspaceId: string): Promise<number> {
  const rows = await orm
    .select({ count: count() })
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), isNull(sessions.endedAt)))
  return rows[0]?.count ?? 0
}

const COLUMNS = `sessions.id, workspace_id as "workspaceId", agent_id as "agentId", user_id as "userId", grant_id as "grantId",
    tool_name as "toolName", repo_id as "repoId", branch, head_sha as "headSha", dirty,
    (extract(epoch from joined_at) * 1000)::float8 as "joinedAt",
    (extract(epoch from last_seen_at) * 1000)::float8 as "lastSeenAt",
    (extract(epoch from ended_at) * 1000)::float8 as "endedAt", state, alerts`

/** A session. $1: its workspace, $2: its id. */
export const SESSION_BY_ID = `select ${COLUMNS} from sessions where workspace_id = $1 and id = $2`

const LIVE = `select ${COLUMNS}, users.name as "userName" from sessions join users on users.id = sessions.user_id
  where workspace_id = $1 and ended_at is null order by agent_id offset $2 limit $3`

/** Instants are milliseconds since 1970. */
export type SessionRow = Omit<Session, 'joinedAt' | 'lastSeenAt' | 'endedAt'> & {
  readonly joinedAt: number
  readonly lastSeenAt: number
  readonly endedAt: number | null
}

export async function sessionById(tx: ScopedTx, workspaceId: string, id: string): Promise<Session | null> {
  const [row] = await tx.fixed<SessionRow>(SESSION_BY_ID, [workspaceId, id])
  return row === undefined ? null : sessionFromRow(row)
}

export function sessionFromRow(row: SessionRow): Session {
  const { joinedAt, lastSeenAt, endedAt } = row
  return {
    ...row,
    joinedAt: new Date(joinedAt),
    lastSeenAt: new Date(lastSeenAt),
    endedAt: endedAt === null ? null : new Date(endedAt),
  }
}

export async function sessionByAgentId(tx: ScopedTx, workspaceId: string, agentId: string): Promise<Session | null> {
  const rows = await tx
    .select()
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), eq(sessions.agentId, agentId)))
  return rows[0] ?? null
}

/**
 * Live sessions of the workspace, in the order of their agentIds.
 *
 * @param page all of them where it is left out
 */
export async function liveSessions(
  orm: Scoped,
  workspaceId: string,
  { start, limit }: { start: number; limit: number | null } = { start: 0, limit: null },
): Promise<NamedSession[]> {
  const rows = await orm.fixed<SessionRow & { userName: string }>(LIVE, [workspaceId, start, limit])
  return rows.map((row) => ({ ...sessionFromRow(row), userName: row.userName }))
}

export async function insertSession(tx: ScopedTx, session: Session): Promise<void> {
  await tx.insert(sessions).values({ ...session, alerts: [...session.alerts] })
}

const SAVE = `update sessions
  set grant_id = $3, tool_name = $4, repo_id = $5, branch = $6, head_sha = $7, dirty = $8, last_seen_at = $9, ended_at = $10,
    end_reason = case when $10::timestamptz is null then null else end_reason end, state = $11, alerts = $12
  where workspace_id = $1 and id = $2`

/** Writes what a call may have changed about its own session. */
export async function saveSession(tx: ScopedTx, session: Session): Promise<void> {
  const { workspaceId, id, grantId, toolName, repoId, branch, headSha, dirty, lastSeenAt, endedAt, state } = session
  const place = [workspaceId, id, grantId, toolName, repoId, branch, headSha, dirty]
  const times = [lastSeenAt.toISOString(), endedAt?.toISOString() ?? null]
  const published = state === null ? null : JSON.stringify(state)
  await tx.fixed(SAVE, [...place, ...times, published, JSON.stringify(session.alerts)])
}

/** Live sessions that were last seen at `before` or earlier. */
export async function sessionsSeenBefore(tx: ScopedTx, workspaceId: string, before: Date): Promise<Session[]> {
  return tx
    .select()
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), isNull(sessions.endedAt), lte(sessions.lastSeenAt, before)))
    .orderBy(asc(sessions.lastSeenAt))
}

/** When the longest-unseen live session was seen last, or null without sessions. */
export async function earliestLastSeen(tx: ScopedTx, workspaceId: string): Promise<Date | null> {
  const rows = await tx
    .select({ at: min(sessions.lastSeenAt) })
    .from(sessions)
    .where(and(eq(sessions.workspaceId, workspaceId), isNull(sessions.endedAt)))
  return rows[0]?.at ?? null
}

export async function markEnded(tx: ScopedTx, session: Session, reason: EndReason, now: Date): Promise<void> {
  await tx
    .update(sessions)
    .set({ endedAt: now, endReason: reason })
    .where(and(eq(sessions.workspaceId, session.workspaceId), eq(sessions.id, session.id)))
}

/** Leaves an alert for a session; the newest LIMITS.alertsPerSession are kept. */
export async function addAlert(tx: ScopedTx, workspaceId: string, sessionId: string, alert: Alert): Promise<void> {
  await addAlerts(tx, workspaceId, new Map([[sessionId, [alert]]]))
}

/** The same for many sessions, each with its alerts in the order in which they came, in one statement. */
export async function addAlerts(
  tx: ScopedTx,
  workspaceId: string,
  bySession: ReadonlyMap<string, readonly Alert[]>,
): Promise<void> {
  const added = JSON.stringify(Object.fromEntries(bySession))
  await tx.execute(sql`
    update ${sessions} set alerts = (
      select coalesce(jsonb_agg(item order by n), '[]') from (
        select item, n from jsonb_array_elements(${sessions.alerts} || added.alerts) with ordinality as t(item, n)
         order by n desc limit ${LIMITS.alertsPerSession}) as newest)
      from jsonb_each(${added}::jsonb) as added(session_id, alerts)
     where ${sessions.workspaceId} = ${workspaceId} and ${sessions.id} = added.session_id`)
}

export async function eraseSessions(tx: ScopedTx, workspaceId: string): Promise<void> {
  await tx.delete(sessions).where(eq(sessions.workspaceId, workspaceId))
}
