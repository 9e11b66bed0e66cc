import { defineEvent, type Subject } from '../../journal/event.ts'

/** What every event of a claim says. `paths` as the holder wrote them. */
export type ClaimPayload = {
  readonly claimId: string
  readonly sessionId: string
  readonly agentId: string
  readonly repoId: string
  readonly paths: readonly string[]
}

const subject = ({ sessionId, repoId, paths }: ClaimPayload): Subject => ({ sessionId, repoId, paths })

export const claimAcquired = defineEvent<
  ClaimPayload & { mode: string; fence: number; ttlSeconds: number; expiresAt: string; reason: string }
>('claim.acquired', { teamState: true, subject })

/** `reason`: completed, handoff or scope_change from the holder; session_ended when it ended with its session. */
export const claimReleased = defineEvent<ClaimPayload & { reason: string }>('claim.released', {
  teamState: true,
  subject,
})

export const claimExpired = defineEvent<ClaimPayload>('claim.expired', { teamState: true, subject })
