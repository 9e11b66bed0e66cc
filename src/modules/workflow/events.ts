import { defineEvent } from '../../journal/event.ts'

type RunPayload = { readonly runId: string; readonly sessionId: string; readonly intentId: string }

const subject = ({ sessionId }: RunPayload) => ({ sessionId })

export const runStarted = defineEvent<RunPayload & { targetAgentId: string | null }>('run.started', {
  teamState: false,
  subject,
})

/** `reason`: done, superseded by the next task, or session_ended. */
export const runFinished = defineEvent<RunPayload & { reason: string }>('run.finished', { teamState: false, subject })
