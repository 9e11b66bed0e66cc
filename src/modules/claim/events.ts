import { defineEvent, type Subject } from '../../journal/event.ts'
import type { Claim } from './claim.ts'

/** What every event of a claim says. `paths` as the holder wrote them. */
export type ClaimPayload = {
  readonly claimId: string
  readonly sessionId: string
  readonly agentId: string
  readonly repoId: string
  readonly paths: readonly string[]
}

const subject = ({ sessionId, repoId, paths }: ClaimPayload): Subject => ({ sessionId, repoId, paths })

type LeasePayload = { mode: string; fence: number; ttlSeconds: number; expiresAt: string; reason: string }

export const claimAcquired = defineEvent<ClaimPayload & LeasePayload>('claim.acquired', { teamState: true, subject })

/**
 * `reason`: completed, handoff or scope_change from the holder; session_ended when it ended with its session; forced when
 * an administrator took it, with what they said in `note`.
 */
export const claimReleased = defineEvent<ClaimPayload & { reason: string; note?: string }>('claim.released', {
  teamState: true,
  subject,
})

/** A claim that another agent handed over: acquired, right after that agent's `claim.released`. */
export const claimTransferred = defineEvent<ClaimPayload & LeasePayload & { fromClaimId: string; fromAgentId: string }>(
  'claim.transferred',
  { teamState: true, subject },
)

export const claimExpired = defineEvent<ClaimPayload>('claim.expired', { teamState: true, subject })

/** The facts that every event of a claim carries. */
export function claimFacts({ id, sessionId, repoId, patterns }: Claim, agentId: string): ClaimPayload {
  return { claimId: id, sessionId, agentId, repoId, paths: patterns.map((pattern) => pattern.display) }
}
