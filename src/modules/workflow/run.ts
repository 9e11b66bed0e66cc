import type { IntentId } from './intent.ts'
import type { Phase } from './machine.ts'

/** One task's way through a workflow. A session has at most one that has not ended. */
export interface Run {
  readonly id: string
  readonly sessionId: string
  readonly intentId: IntentId
  readonly phase: Phase
  /** Intents that follow when this one is done. */
  readonly chainRemaining: readonly IntentId[]
  readonly targetAgentId: string | null
  /**
   * Set beside the phase when the agent decided on a stale position: the position it has to catch up with. Cleared by
   * reading, or by naming that position or a later one.
   */
  readonly needsSyncSeq: number | null
  readonly startedAt: Date
}

export type RunEnd = 'done' | 'superseded' | 'session_ended'
