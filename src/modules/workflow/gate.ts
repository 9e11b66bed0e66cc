import { parseStateHash } from '../../journal/chain.ts'
import { AppError } from '../../kernel/errors.ts'
import type { Call } from '../call.ts'
import { INTENTS } from './intent.ts'
import { changeRun, completeRun } from './lifecycle.ts'
import { allows, GATED_TOOLS, move, nextTool, type GatedTool, type Step } from './machine.ts'
import type { Run } from './run.ts'

/** Before anything else: a run whose claims all lapsed or were taken goes back to where claims are made. */
export function noticeLostClaims(call: Call): void {
  const { run } = call
  if (run === null || call.claims.length > 0) return
  const phase = move(run.intentId, run.phase, 'claims_lost')
  if (phase !== run.phase && phase !== 'done') changeRun(call, { phase })
}

/**
 * Whether the workflow lets this tool through now.
 *
 * @throws AppError WORKFLOW_REQUIRED, INTENT_DISALLOWS_WRITE, WORKFLOW_STEP_VIOLATION, WORKFLOW_RESYNC_REQUIRED
 */
export function checkGate(call: Call, tool: string, input: unknown): void {
  if (!isGated(tool)) return
  const { run } = call
  if (run === null) throw new AppError('WORKFLOW_REQUIRED')
  if (tool === 'claim_scope' && !INTENTS[run.intentId].editable) {
    throw new AppError('INTENT_DISALLOWS_WRITE', undefined, { details: { intentId: run.intentId } })
  }
  if (!allows(run.intentId, run.phase, tool)) throw new AppError('WORKFLOW_STEP_VIOLATION')
  if (run.needsSyncSeq !== null && expectedSeq(input) < run.needsSyncSeq) throw new AppError('WORKFLOW_RESYNC_REQUIRED')
}

function isGated(tool: string): tool is GatedTool {
  return GATED_TOOLS.some((gated) => gated === tool)
}

/** The position a gated call was decided on; text that is no position counts as none and is refused later, by name. */
function expectedSeq(input: unknown): number {
  if (typeof input !== 'object' || input === null || !('expectedStateHash' in input)) return Infinity
  return parseStateHash(String(input.expectedStateHash))?.seq ?? Infinity
}

/** After a success: moves the run along its table. */
export function moveRun(call: Call, tool: string, claimsBefore: number): void {
  const { run } = call
  if (run === null) return
  const step = stepOf(call, tool, claimsBefore)
  if (step === null) return
  const phase = move(run.intentId, run.phase, step)
  const needsSyncSeq = clearsSync(tool) ? null : run.needsSyncSeq
  if (phase === 'done') completeRun(call)
  else if (phase !== run.phase || needsSyncSeq !== run.needsSyncSeq) changeRun(call, { phase, needsSyncSeq })
}

/** After a refusal: a stale position asks for a read, beside the phase; claims and phase stay as they are. */
export function noteRefusal(call: Call, refusal: AppError): void {
  if (refusal.code !== 'STATE_CHANGED' && refusal.code !== 'STATE_HASH_UNKNOWN') return
  changeRun(call, { needsSyncSeq: call.ws.state.seq })
}

function clearsSync(tool: string): boolean {
  return tool === 'read_team_state' || isGated(tool)
}

function stepOf(call: Call, tool: string, claimsBefore: number): Step | null {
  switch (tool) {
    case 'read_team_state':
    case 'claim_scope':
      return tool
    case 'update_my_state':
      return call.session.state?.status === 'done' && call.claims.length === 0 ? 'finished' : tool
    case 'release_scope':
      return call.claims.length === 0 && claimsBefore > 0 ? 'last_release' : tool
    default:
      return null
  }
}

/** Advice: what is allowed, what to call next, and one sentence on why. */
export interface Advice {
  readonly phase: string
  readonly nextRequiredTool: string | null
  readonly nextStep: string
}

const STEP_TEXT = {
  identify_intent: 'Call identify_intent with the next task you were given.',
  read_team_state: 'Call read_team_state to see what the others do.',
  claim_scope: 'Call claim_scope with the paths you are about to edit and the stateHash of this answer.',
  update_my_state: 'Call update_my_state with your objective and plan and the stateHash of this answer.',
  release_scope: 'Call release_scope for each claim that you hold.',
} as const

/** What the caller should do now. */
export function advise(call: Call): Advice {
  const { run } = call
  if (run === null) return { phase: 'joined', nextRequiredTool: 'identify_intent', nextStep: STEP_TEXT.identify_intent }
  const next = advisedTool(call, run)
  return { phase: run.phase, nextRequiredTool: next, nextStep: next === null ? freeText(run) : stepText(next, run) }
}

function stepText(next: keyof typeof STEP_TEXT, { intentId, targetAgentId }: Run): string {
  return next === 'release_scope' && intentId === 'handoff' && targetAgentId !== null
    ? 'Call release_scope with reason "handoff" for each claim that you hold: it goes to the agent you named.'
    : STEP_TEXT[next]
}

function advisedTool(call: Call, run: Run): keyof typeof STEP_TEXT | null {
  if (run.needsSyncSeq !== null) return 'read_team_state'
  const status = call.session.state?.status
  const closing = status === 'done' || status === 'handoff' || run.intentId === 'handoff'
  const next = nextTool(run.intentId, run.phase)
  return next === null && closing && call.claims.length > 0 ? 'release_scope' : next
}

function freeText(run: Run): string {
  return INTENTS[run.intentId].editable
    ? 'You are free to edit within your claims. Call claim_scope before touching other paths, update_my_state at checkpoints, and release_scope when you are finished.'
    : 'You are free to work without editing files. When finished, call update_my_state with status "done".'
}
