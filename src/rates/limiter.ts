import { createHash } from 'node:crypto'
import type { Log } from '../kernel/log.ts'
import type { Rate, RateDecision, RateLimiter } from '../kernel/rate-limit.ts'
import type { Grant, TakeShare } from './store.ts'

/** Keys that are counted at the same time; beyond that the longest-unseen is forgotten, and asks the database anew. */
const KEYS_MAX = 50_000

/** A share is at most this part of a rate: what replicas hold unused is what a caller can be refused too early. */
const SHARE_PART = 0.01

/** After the database did not answer, so long nobody asks it. */
const PAUSE_MS = 2_000

/** What this replica knows of a key's window, and may still give out of its share. */
interface Holding {
  limit: number
  left: number
  taken: number
  endsAt: number
  asking: Promise<void> | null
}

/**
 * A rate that all replicas count together: each takes shares of the window from the database and gives them out by itself,
 * so that one call in ten asks it at 1,000 a minute, ahead of need. Exact for one replica; with several, a caller that
 * moves between them can be refused earlier by what the others hold, at most 1 % of the rate each.
 *
 * Without the database a replica counts by itself, the whole rate: the limiter is never a second outage.
 *
 * @param deps.nowMs a clock that never steps back
 * @param deps.waitMs no call waits longer than this for its share
 */
export function createRateLimiter(deps: {
  take: TakeShare
  log: Log
  nowMs: () => number
  waitMs: number
}): RateLimiter {
  const { take, log, nowMs, waitMs } = deps
  const holdings = new Map<string, Holding>()
  let pausedUntil = -Infinity

  return async (rate, key) => {
    const holding = holdingOf(`${rate.name} ${key}`, rate)
    // Again and again: others who waited for the same share may have had all of it.
    while (holding.left === 0 && holding.taken < rate.limit) await ask(holding, rate, key)
    const allowed = holding.left > 0
    if (allowed) {
      holding.left -= 1
      // Ahead of need: the next call does not wait.
      if (holding.left < shareOf(rate) / 2 && holding.taken < rate.limit) void ask(holding, rate, key)
    }
    return decisionOf(holding, allowed, nowMs())
  }

  function holdingOf(name: string, { limit }: Rate): Holding {
    const known = holdings.get(name)
    const over = known === undefined || known.endsAt <= nowMs()
    const holding = over ? { limit, left: 0, taken: 0, endsAt: Infinity, asking: null } : known
    // A Map keeps the order of insertion, and every call inserts anew.
    holdings.delete(name)
    holdings.set(name, holding)
    if (holdings.size > KEYS_MAX) {
      const oldest = holdings.keys().next().value
      if (oldest !== undefined) holdings.delete(oldest)
    }
    return holding
  }

  /** One question at a time for each key; whoever needs the answer waits for the same one. */
  function ask(holding: Holding, rate: Rate, key: string): Promise<void> {
    holding.asking ??= fill(holding, rate, key)
    return holding.asking
  }

  async function fill(holding: Holding, rate: Rate, key: string): Promise<void> {
    const grant = await share(rate, key)
    holding.left += grant.granted
    holding.taken = grant.taken
    holding.endsAt = Math.min(holding.endsAt, nowMs() + grant.resetMs)
    holding.asking = null
  }

  async function share(rate: Rate, key: string): Promise<Grant> {
    const alone: Grant = { granted: rate.limit, taken: rate.limit, resetMs: rate.windowSeconds * 1_000 }
    if (nowMs() < pausedUntil) return alone
    const name = createHash('sha256').update(`${rate.name} ${key}`).digest('hex')
    try {
      return await within(waitMs, take(name, shareOf(rate), rate.limit, rate.windowSeconds))
    } catch (err) {
      if (nowMs() >= pausedUntil) log.warn({ err, rate: rate.name }, 'calls are counted by this replica alone')
      pausedUntil = nowMs() + PAUSE_MS
      return alone
    }
  }
}

function shareOf({ limit }: Rate): number {
  return Math.max(1, Math.floor(limit * SHARE_PART))
}

function decisionOf({ limit, left, taken, endsAt }: Holding, allowed: boolean, now: number): RateDecision {
  return { allowed, limit, remaining: Math.max(0, limit - taken) + left, resetMs: Math.max(0, endsAt - now) }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
