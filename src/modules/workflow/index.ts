/**
 * Workflow: the order of a task, and what to do next.
 *
 * A session has at most one run. Its intent picks a table (machine.ts) that the gate and the advice read; the advised
 * tool is always accepted, and following the advice always ends. A stale position is noted beside the phase, so a
 * holder that must read again keeps claim and phase. Run state is in Postgres and ends with its session.
 */
import type { Actor } from '../../journal/event.ts'
import type { WorkspaceTx } from '../../journal/journal.ts'
import type { Module } from '../module.ts'
import type { Session } from '../session/session.ts'
import { runFinished, runStarted } from './events.ts'
import { finishRun } from './lifecycle.ts'
import { listRuns } from './operations.ts'
import { eraseRuns, liveRunOfSession } from './store.ts'
import { identifyIntent } from './tools.ts'

async function onSessionEnd(ws: WorkspaceTx, session: Session, actor: Actor): Promise<void> {
  const run = await liveRunOfSession(ws.tx, ws.workspaceId, session.id)
  if (run !== null) finishRun(ws, run, 'session_ended', actor)
}

export const workflow: Module = {
  name: 'workflow',
  tools: [identifyIntent],
  events: [runStarted, runFinished],
  operations: [listRuns],
  onSessionEnd,
  erase: eraseRuns,
}
