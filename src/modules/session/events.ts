import { defineEvent, type Subject } from '../../journal/event.ts'

type SessionPayload = { readonly sessionId: string; readonly agentId: string }

const subject = ({ sessionId }: SessionPayload): Subject => ({ sessionId })

export const sessionJoined = defineEvent<
  SessionPayload & {
    userId: string
    toolName: string
    repoId: string
    branch: string
    headSha: string
    resumed: boolean
  }
>('session.joined', { teamState: true, subject })

/** A live session reconnected: nothing changed for the team. */
export const sessionResumed = defineEvent<SessionPayload & { branch: string; headSha: string }>('session.resumed', {
  teamState: false,
  subject,
})

export const sessionEnded = defineEvent<SessionPayload & { reason: string }>('session.ended', {
  teamState: true,
  subject,
})

/** Why somebody ended it, in their words: right after its end. */
export const sessionEndNoted = defineEvent<SessionPayload & { note: string }>('session.end_noted', {
  teamState: false,
  subject,
})
