/** What was looked up, and how long it will be true by itself. */
export interface Found<Value> {
  readonly value: Value
  readonly validMs: number
}

/**
 * Remembers a bounded number of answers for a short time. Only that time bounds how stale an answer can be, so nothing
 * has to reach the other replicas; on this one `clear` works at once, also against look-ups that are under way.
 */
export interface TokenCache<Value> {
  get(key: string): Value | undefined
  /** Looks up and remembers; null is not remembered. */
  fill(key: string, lookUp: () => Promise<Found<Value> | null>): Promise<Value | null>
  clear(): void
}

/** @param now milliseconds of a clock that never steps back. */
export function createTokenCache<Value>(ttlMs: number, entriesMax: number, now: () => number): TokenCache<Value> {
  const entries = new Map<string, { readonly value: Value; readonly validUntil: number }>()
  let clears = 0
  return {
    get(key) {
      const entry = entries.get(key)
      return entry !== undefined && entry.validUntil > now() ? entry.value : undefined
    },
    async fill(key, lookUp) {
      // The answer is as old as the question: counted from its end, a slow one would be believed for too long.
      const askedAt = now()
      const clearsBefore = clears
      const found = await lookUp()
      if (found === null) return null
      if (clears === clearsBefore) {
        entries.delete(key)
        entries.set(key, { value: found.value, validUntil: askedAt + Math.min(ttlMs, found.validMs) })
        const oldest = entries.keys().next()
        if (entries.size > entriesMax && oldest.done === false) entries.delete(oldest.value)
      }
      return found.value
    },
    clear() {
      clears += 1
      entries.clear()
    },
  }
}
