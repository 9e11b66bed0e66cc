import { and, desc, eq, isNull, sql } from 'drizzle-orm'
import type { Scoped, ScopedTx } from '../../db/client.ts'
import { sessions } from '../session/schema.ts'
import type { Run, RunEnd } from './run.ts'
import { runs } from './schema.ts'

/** The run of a session that has not ended. $1: the workspace, $2: the session. */
export const LIVE_RUN_OF_SESSION = `select id, session_id as "sessionId", intent_id as "intentId", phase,
    chain_remaining as "chainRemaining", target_agent_id as "targetAgentId", needs_sync_seq::float8 as "needsSyncSeq",
    (extract(epoch from started_at) * 1000)::float8 as "startedAt"
  from runs where workspace_id = $1 and session_id = $2 and ended_at is null`

export async function liveRunOfSession(tx: ScopedTx, workspaceId: string, sessionId: string): Promise<Run | null> {
  const [row] = await tx.fixed<RunRow>(LIVE_RUN_OF_SESSION, [workspaceId, sessionId])
  return row === undefined ? null : runFromRow(row)
}

/** The instant is milliseconds since 1970. */
export type RunRow = Omit<Run, 'startedAt'> & { readonly startedAt: number }

export function runFromRow(row: RunRow): Run {
  return { ...row, startedAt: new Date(row.startedAt) }
}

export async function insertRun(tx: ScopedTx, workspaceId: string, run: Run): Promise<void> {
  await tx.insert(runs).values({ ...run, workspaceId })
}

const SAVE = 'update runs set phase = $3, needs_sync_seq = $4 where workspace_id = $1 and id = $2'

export async function saveRun(tx: ScopedTx, workspaceId: string, run: Run): Promise<void> {
  await tx.fixed(SAVE, [workspaceId, run.id, run.phase, run.needsSyncSeq])
}

export async function endRun(tx: ScopedTx, workspaceId: string, run: Run, reason: RunEnd, now: Date): Promise<void> {
  await tx
    .update(runs)
    .set({ endedAt: now, endReason: reason })
    .where(and(eq(runs.workspaceId, workspaceId), eq(runs.id, run.id)))
}

export async function eraseRuns(tx: ScopedTx, workspaceId: string): Promise<void> {
  await tx.delete(runs).where(eq(runs.workspaceId, workspaceId))
}

/** Runs with the agent they belong to, the newest first. @param page `before`: only those older than the one with this id */
export async function runsOf(
  orm: Scoped,
  workspaceId: string,
  page: { endedToo: boolean; before: string | undefined; limit: number },
): Promise<(Run & { agentId: string; endedAt: Date | null; endReason: RunEnd | null })[]> {
  const startOf = (id: string) =>
    orm
      .select({ startedAt: runs.startedAt, id: runs.id })
      .from(runs)
      .where(and(eq(runs.workspaceId, workspaceId), eq(runs.id, id)))
  const rows = await orm
    .select({ run: runs, agentId: sessions.agentId })
    .from(runs)
    .innerJoin(sessions, and(eq(sessions.workspaceId, runs.workspaceId), eq(sessions.id, runs.sessionId)))
    .where(
      and(
        eq(runs.workspaceId, workspaceId),
        page.endedToo ? undefined : isNull(runs.endedAt),
        page.before === undefined ? undefined : sql`(${runs.startedAt}, ${runs.id}) < (${startOf(page.before)})`,
      ),
    )
    .orderBy(desc(runs.startedAt), desc(runs.id))
    .limit(page.limit)
  return rows.map(({ run, agentId }) => ({ ...run, agentId }))
}
