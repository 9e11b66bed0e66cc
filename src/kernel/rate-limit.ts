import { AppError } from './errors.ts'

/** So many calls in so long, counted from the first. */
export interface Rate {
  /** Which calls: part of the key, so that rates do not disturb each other. */
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
}

/** What was decided about a call, and what its caller may be told. */
export interface RateDecision {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Until the window ends and everything may be had again. */
  readonly resetMs: number
}

/** Counts a call of `key` and says whether it may go on. Never fails, and never waits long. */
export type RateLimiter = (rate: Rate, key: string) => Promise<RateDecision>

/** The refusal of a call that was one too many, with the time to wait; null where it may go on. */
export function tooMany({ allowed, limit, resetMs }: RateDecision): AppError | null {
  const retryAfterMs = Math.max(1, Math.ceil(resetMs))
  return allowed ? null : new AppError('RATE_LIMITED', undefined, { retryAfterMs, details: { limit } })
}

/** The fields that many clients know (draft-ietf-httpapi-ratelimit-headers, until its version 06). */
export function rateHeaders({ limit, remaining, resetMs }: RateDecision): Record<string, string> {
  return {
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': String(remaining),
    'RateLimit-Reset': String(Math.ceil(resetMs / 1_000)),
  }
}
