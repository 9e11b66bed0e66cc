import { shortList } from '../../kernel/bounds.ts'
import { LIMITS } from '../../kernel/limits.ts'
import type { Claim } from './claim.ts'

/** A claim as its holder and teammates see it. `expiresInSeconds` spares the reader a clock of their own. */
export function claimView(claim: Claim & { agentId: string }, now: Date, mySessionId: string | null) {
  return {
    claimId: claim.id,
    agentId: claim.agentId,
    ...shownPaths(claim),
    mode: claim.mode,
    fence: claim.fence,
    expiresAt: claim.expiresAt.toISOString(),
    expiresInSeconds: Math.max(0, Math.floor((claim.expiresAt.getTime() - now.getTime()) / 1000)),
    mine: claim.sessionId === mySessionId,
  }
}

/** The paths of a claim as answers show them: `paths`, and `pathsOmitted` where there are too many. */
export function shownPaths({ patterns }: Pick<Claim, 'patterns'>) {
  return shortList(
    'paths',
    patterns.map((pattern) => pattern.display),
  )
}

/** What an alert says of a claim: enough to know which one it was. */
export function alertFacts(claim: Pick<Claim, 'id' | 'patterns'>) {
  const paths = claim.patterns.map((pattern) => pattern.display)
  return { claimId: claim.id, ...shortList('paths', paths, LIMITS.alertPathBytes) }
}
