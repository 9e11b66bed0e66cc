import { and, eq, isNull } from 'drizzle-orm'
import type { Tx } from '../../db/client.ts'
import type { Run, RunEnd } from './run.ts'
import { runs } from './schema.ts'

export async function liveRunOfSession(tx: Tx, workspaceId: string, sessionId: string): Promise<Run | null> {
  const rows = await tx
    .select()
    .from(runs)
    .where(and(eq(runs.workspaceId, workspaceId), eq(runs.sessionId, sessionId), isNull(runs.endedAt)))
  return rows[0] ?? null
}

export async function insertRun(tx: Tx, workspaceId: string, run: Run): Promise<void> {
  await tx.insert(runs).values({ ...run, workspaceId })
}

export async function saveRun(tx: Tx, workspaceId: string, run: Run): Promise<void> {
  const { phase, needsSyncSeq } = run
  await tx
    .update(runs)
    .set({ phase, needsSyncSeq })
    .where(and(eq(runs.workspaceId, workspaceId), eq(runs.id, run.id)))
}

export async function endRun(tx: Tx, workspaceId: string, run: Run, reason: RunEnd, now: Date): Promise<void> {
  await tx
    .update(runs)
    .set({ endedAt: now, endReason: reason })
    .where(and(eq(runs.workspaceId, workspaceId), eq(runs.id, run.id)))
}
