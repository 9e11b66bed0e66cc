import type { IntentId } from './intent.ts'
import { INTENTS } from './intent.ts'

/**
 * The workflow as data: per kind of intent, the phases of a run, what is advised there, and where each step leads.
 * The gate, the advice and the diagrams in docs/protocol.md read these tables and nothing else.
 */
export type Phase = 'identified' | 'synced' | 'claimed' | 'active'

/** What can happen to a run: a tool succeeded, or something that it brought about. */
export type Step =
  | 'read_team_state'
  | 'claim_scope'
  | 'update_my_state'
  | 'release_scope'
  /** The last live claim was released. */
  | 'last_release'
  /** The agent published status `done` and holds nothing. */
  | 'finished'
  /** Every claim lapsed or was taken. */
  | 'claims_lost'

/** The tools that a phase can forbid. Every other one is always allowed: reading, values, releasing, declaring a task. */
export const GATED_TOOLS = ['claim_scope', 'update_my_state'] as const
export type GatedTool = (typeof GATED_TOOLS)[number]

export interface PhaseRow {
  /** The advised tool; null where the agent is free to work. */
  readonly next: GatedTool | 'read_team_state' | null
  readonly on: Readonly<Partial<Record<Step, Phase | 'done'>>>
}

export type Workflow = Readonly<Partial<Record<Phase, PhaseRow>>>

export const EDITABLE: Workflow = {
  identified: { next: 'read_team_state', on: { read_team_state: 'synced' } },
  synced: {
    next: 'claim_scope',
    on: { read_team_state: 'synced', claim_scope: 'claimed', last_release: 'synced', finished: 'done' },
  },
  claimed: {
    next: 'update_my_state',
    on: {
      read_team_state: 'claimed',
      claim_scope: 'claimed',
      update_my_state: 'active',
      release_scope: 'claimed',
      last_release: 'done',
      claims_lost: 'synced',
      finished: 'done',
    },
  },
  active: {
    next: null,
    on: {
      read_team_state: 'active',
      claim_scope: 'active',
      update_my_state: 'active',
      release_scope: 'active',
      last_release: 'done',
      claims_lost: 'synced',
      finished: 'done',
    },
  },
}

export const NOT_EDITABLE: Workflow = {
  identified: { next: 'read_team_state', on: { read_team_state: 'synced' } },
  synced: {
    next: 'update_my_state',
    on: { read_team_state: 'synced', update_my_state: 'active', release_scope: 'synced', finished: 'done' },
  },
  active: {
    next: null,
    on: { read_team_state: 'active', update_my_state: 'active', release_scope: 'active', finished: 'done' },
  },
}

/** Handing over ends when nothing is held any more. */
export const HANDOFF: Workflow = {
  ...NOT_EDITABLE,
  active: { next: null, on: { ...NOT_EDITABLE.active?.on, last_release: 'done' } },
}

/** The table that an intent follows. */
export function workflowOf(intentId: IntentId): Workflow {
  if (intentId === 'handoff') return HANDOFF
  return INTENTS[intentId].editable ? EDITABLE : NOT_EDITABLE
}

/** Where a step leads; a step that the phase does not know leaves it where it is. */
export function move(intentId: IntentId, phase: Phase, step: Step): Phase | 'done' {
  const row = workflowOf(intentId)[phase]
  return (row !== undefined && Object.hasOwn(row.on, step) ? row.on[step] : undefined) ?? phase
}

/** Whether a gated tool may be called in this phase. */
export function allows(intentId: IntentId, phase: Phase, tool: GatedTool): boolean {
  const row = workflowOf(intentId)[phase]
  return row !== undefined && Object.hasOwn(row.on, tool)
}

/** Whether a tool may be called: gated ones as the phase says, none of them without a run; every other always. */
export function isAllowed(run: { intentId: IntentId; phase: Phase } | null, tool: string): boolean {
  const gated = GATED_TOOLS.find((name) => name === tool)
  return gated === undefined || (run !== null && allows(run.intentId, run.phase, gated))
}

/** The advised tool of a phase; null where the agent is free to work. */
export function nextTool(intentId: IntentId, phase: Phase): PhaseRow['next'] {
  return workflowOf(intentId)[phase]?.next ?? null
}
