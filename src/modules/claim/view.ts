import { LIMITS } from '../../kernel/limits.ts'
import type { Claim } from './claim.ts'
import type { PathPattern } from './pattern.ts'

/** The paths of a claim as listings show them: the first ones, and the count of the rest. */
export function shownPaths(patterns: readonly PathPattern[]): { paths: string[]; pathsOmitted?: number } {
  const paths = patterns.slice(0, LIMITS.pathsShown).map((pattern) => pattern.display)
  const pathsOmitted = patterns.length - paths.length
  return pathsOmitted > 0 ? { paths, pathsOmitted } : { paths }
}

/** A claim as its holder and teammates see it. `expiresInSeconds` spares the reader a clock of their own. */
export function claimView(claim: Claim & { agentId: string }, now: Date, mySessionId: string) {
  return {
    claimId: claim.id,
    agentId: claim.agentId,
    ...shownPaths(claim.patterns),
    mode: claim.mode,
    fence: claim.fence,
    expiresAt: claim.expiresAt.toISOString(),
    expiresInSeconds: Math.max(0, Math.floor((claim.expiresAt.getTime() - now.getTime()) / 1000)),
    mine: claim.sessionId === mySessionId,
  }
}
