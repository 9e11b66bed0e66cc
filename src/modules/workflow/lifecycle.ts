import type { Actor } from '../../journal/event.ts'
import type { WorkspaceTx } from '../../journal/journal.ts'
import { newId } from '../../kernel/ids.ts'
import type { Call } from '../call.ts'
import { actorOf } from '../session/session.ts'
import { runFinished, runStarted } from './events.ts'
import type { IntentId } from './intent.ts'
import type { Run, RunEnd } from './run.ts'
import { endRun, insertRun, saveRun } from './store.ts'

/** Starts a run of the calling session. The one before must have ended. */
export function startRun(
  call: Call,
  start: { intentId: IntentId; chain: readonly IntentId[]; targetAgentId: string | null },
): Run {
  const { ws, session } = call
  const run: Run = {
    id: newId('run'),
    sessionId: session.id,
    intentId: start.intentId,
    phase: 'identified',
    chainRemaining: start.chain,
    targetAgentId: start.targetAgentId,
    needsSyncSeq: null,
    startedAt: ws.now,
  }
  const { intentId, targetAgentId } = start
  ws.append(runStarted, { runId: run.id, sessionId: session.id, intentId, targetAgentId }, actorOf(session))
  ws.write((tx) => insertRun(tx, ws.workspaceId, run))
  call.run = run
  return run
}

/** Ends a run, on record. */
export function finishRun(ws: WorkspaceTx, run: Run, reason: RunEnd, actor: Actor): void {
  const { id, sessionId, intentId } = run
  ws.append(runFinished, { runId: id, sessionId, intentId, reason }, actor)
  ws.write((tx) => endRun(tx, ws.workspaceId, run, reason, ws.now))
}

/** Changes the calling session's run. */
export function changeRun(call: Call, change: Partial<Pick<Run, 'phase' | 'needsSyncSeq'>>): void {
  if (call.run === null) return
  const run = { ...call.run, ...change }
  call.run = run
  call.ws.write((tx) => saveRun(tx, call.ws.workspaceId, run))
}

/** The run is done: the next intent of its chain starts, or the session is free for another task. */
export function completeRun(call: Call): void {
  if (call.run === null) return
  const [intentId, ...chain] = call.run.chainRemaining
  finishRun(call.ws, call.run, 'done', actorOf(call.session))
  call.run = null
  if (intentId !== undefined) startRun(call, { intentId, chain, targetAgentId: null })
}
