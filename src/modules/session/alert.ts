import type { Json } from '../../kernel/canonical.ts'

/** Everything that a session can have to be told, with the sentence that an agent reads. Facts go beside it, in `details`. */
const MESSAGES = {
  CLAIM_NEARLY_LAPSED:
    'A lease of yours had nearly run out; this call renewed it. Call any tool more often while you work, or claim with a longer ttlSeconds.',
  CLAIM_LAPSED: 'A lease of yours ran out; others may hold these paths now. Claim again before you edit them.',
  CLAIM_FORCE_RELEASED:
    'An administrator took a claim from you. Stop editing these paths; call read_team_state, and claim again only if your user agrees.',
  CLAIM_RECEIVED: 'Another agent handed its claim over to you. It is yours now: go on with these paths, or release it.',
  SESSION_IN_USE:
    'This agent was in use a moment ago. If that was another window and not you before a restart, call join_workspace without agentId, so that each window is an agent of its own.',
  SESSION_TAKEN_OVER:
    'Your session goes on through another sign-in of your user, and its claims with it. Stop editing until you have joined again.',
  SESSION_ENDED:
    'Your session has ended and its claims are released. Stop editing until you have joined and claimed again.',
} as const

export type AlertCode = keyof typeof MESSAGES

/** Something a session has not been told yet. `told`: it was in an answer, which the next call will acknowledge. */
export interface Alert {
  readonly code: AlertCode
  readonly message: string
  readonly at: string
  readonly details: { readonly [field: string]: Json }
  readonly told?: true
}

/** @param details facts, among them untrusted text of others, never inside the message */
export function alert(code: AlertCode, at: Date, details: Alert['details']): Alert {
  return { code, message: MESSAGES[code], at: at.toISOString(), details }
}

/** Alerts that the caller has not acknowledged: those it was told are dropped, since this call proves the answer came. */
export function pendingAlerts(alerts: readonly Alert[]): Alert[] {
  return alerts.filter(({ told }) => told !== true)
}
