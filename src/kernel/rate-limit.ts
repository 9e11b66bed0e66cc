/** Says of each call whether it may go on: 0, or the milliseconds after which it may. */
export type RateLimiter = (key: string) => number

/**
 * A token bucket per key: `perMinute` calls at once, refilled evenly. At most `maxKeys` are remembered; the one that
 * called longest ago is forgotten first, which only ever gives it a full bucket.
 *
 * @param nowMs a monotonic clock, in milliseconds
 */
export function createRateLimiter(
  bounds: { readonly perMinute: number; readonly maxKeys: number },
  nowMs: () => number,
): RateLimiter {
  const { perMinute, maxKeys } = bounds
  const perMs = perMinute / 60_000
  const buckets = new Map<string, { calls: number; at: number }>()
  return (key) => {
    const now = nowMs()
    const known = buckets.get(key)
    const calls = known === undefined ? perMinute : Math.min(perMinute, known.calls + (now - known.at) * perMs)
    buckets.delete(key)
    const allowed = calls >= 1
    buckets.set(key, { calls: allowed ? calls - 1 : calls, at: now })
    if (buckets.size > maxKeys) {
      // A Map keeps the order of insertion, and every call inserts anew.
      const oldest = buckets.keys().next().value
      if (oldest !== undefined) buckets.delete(oldest)
    }
    return allowed ? 0 : Math.ceil((1 - calls) / perMs)
  }
}
