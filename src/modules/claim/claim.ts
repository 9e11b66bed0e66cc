import type { Actor, Subject } from '../../journal/event.ts'
import { contains, overlaps } from './overlap.ts'
import { parsePattern, type PathPattern } from './pattern.ts'

export type ClaimMode = 'exclusive' | 'shared'

/** How a claim came to its end. */
export type ClaimEnd = 'released' | 'forced' | 'expired' | 'session_ended'

/** A lease on paths of one repository, held by one session. */
export interface Claim {
  readonly id: string
  readonly sessionId: string
  readonly repoId: string
  readonly mode: ClaimMode
  readonly patterns: readonly PathPattern[]
  /** Strictly increasing in the workspace: a guarded resource refuses a smaller one than it has seen. */
  readonly fence: number
  readonly reason: string
  readonly ttlSeconds: number
  readonly acquiredAt: Date
  readonly expiresAt: Date
}

export interface ClaimRequest {
  readonly sessionId: string
  readonly repoId: string
  readonly patterns: readonly PathPattern[]
  readonly mode: ClaimMode
}

/** A requested path and a held claim that stands in its way. */
export interface Conflict<Held extends Claim> {
  readonly requested: PathPattern
  readonly held: Held
  readonly heldPatterns: readonly PathPattern[]
}

export type ClaimDecision<Held extends Claim> =
  /** Everything asked for is already held by this claim: renew it. A retry after a lost answer ends here. */
  | { readonly kind: 'renew'; readonly claim: Claim }
  | { readonly kind: 'grant' }
  | { readonly kind: 'conflict'; readonly conflicts: readonly Conflict<Held>[]; readonly free: readonly PathPattern[] }

/** A lease holds while now < expiresAt. */
export function isLive(claim: Pick<Claim, 'expiresAt'>, now: Date): boolean {
  return now < claim.expiresAt
}

/**
 * Whether a request is granted, renews a claim, or is refused as a whole.
 *
 * @param own live and dead claims of the asking session
 * @param others claims of other sessions that may overlap (a superset will do; their exact overlap is decided here)
 */
export function decideClaim<Held extends Claim>(
  request: ClaimRequest,
  own: readonly Claim[],
  others: readonly Held[],
  now: Date,
): ClaimDecision<Held> {
  const held = own.find((claim) => isLive(claim, now) && holds(claim, request))
  if (held !== undefined) return { kind: 'renew', claim: held }
  const rivals = others.filter((claim) => isLive(claim, now) && rival(claim, request))
  const conflicts = request.patterns.flatMap((requested) =>
    rivals.flatMap((claim) => {
      const heldPatterns = claim.patterns.filter((pattern) => overlaps(pattern, requested))
      return heldPatterns.length === 0 ? [] : [{ requested, held: claim, heldPatterns }]
    }),
  )
  if (conflicts.length === 0) return { kind: 'grant' }
  const taken = new Set(conflicts.map((conflict) => conflict.requested))
  return { kind: 'conflict', conflicts, free: request.patterns.filter((pattern) => !taken.has(pattern)) }
}

function holds(claim: Claim, request: ClaimRequest): boolean {
  if (claim.repoId !== request.repoId || claim.mode !== request.mode) return false
  const keys = new Set(claim.patterns.map((pattern) => pattern.key))
  return request.patterns.every((pattern) => keys.has(pattern.key))
}

function rival(claim: Claim, request: ClaimRequest): boolean {
  if (claim.sessionId === request.sessionId || claim.repoId !== request.repoId) return false
  return claim.mode === 'exclusive' || request.mode === 'exclusive'
}

/** The TTL that is given for the one that was asked for. */
export function grantedTtl(
  asked: number | undefined,
  policy: { readonly default: number; readonly min: number; readonly max: number },
): number {
  return Math.min(Math.max(asked ?? policy.default, policy.min), policy.max)
}

/** The claim with its full TTL from now. Everything but the end of the lease stays, the fence too. */
export function renewed(claim: Claim, now: Date, ttlSeconds: number = claim.ttlSeconds): Claim {
  return { ...claim, ttlSeconds, expiresAt: new Date(now.getTime() + ttlSeconds * 1000) }
}

/** Activity renews a lease once less than half of it is left: seldom enough to be cheap, early enough to be safe. */
export function needsRenewal(claim: Claim, now: Date): boolean {
  return claim.expiresAt.getTime() - now.getTime() < claim.ttlSeconds * 500
}

/** So little of a lease was left when its holder called that the next pause of that length may lose it. */
export function nearlyLapsed(claim: Claim, now: Date): boolean {
  return claim.expiresAt.getTime() - now.getTime() < claim.ttlSeconds * 200
}

/** The paths of a footprint that lie in none of the claims. */
export function outsideClaims(footprint: readonly PathPattern[], own: readonly Claim[], now: Date): PathPattern[] {
  const held = own.filter((claim) => isLive(claim, now)).flatMap((claim) => claim.patterns)
  return footprint.filter((path) => !held.some((outer) => contains(outer, path)))
}

/**
 * Whether an event made by somebody else is about paths that overlap these, in the same repository. What happened to
 * the caller's own claims, by itself or by the passage of time, is not somebody else's doing.
 */
export function touchesScope(
  actor: Actor,
  subject: Subject,
  scope: Pick<ClaimRequest, 'sessionId' | 'repoId' | 'patterns'>,
): boolean {
  const own = subject.sessionId === scope.sessionId && actor.kind !== 'user'
  if (own || subject.repoId !== scope.repoId) return false
  const theirs = (subject.paths ?? []).map(parsePattern)
  return theirs.some((path) => scope.patterns.some((pattern) => overlaps(path, pattern)))
}
