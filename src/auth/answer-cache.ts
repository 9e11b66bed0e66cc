/** What was looked up, and how long it will be true by itself. */
export interface Found<Value> {
  readonly value: Value
  readonly validMs: number
}

/**
 * Remembers a bounded number of answers for a short time, which bounds how stale an answer can be whatever was not told.
 * `clear` works at once, also against look-ups that are under way.
 */
export interface AnswerCache<Value> {
  get(key: string): Value | undefined
  /** Looks up and remembers; null is not remembered. */
  fill(key: string, lookUp: () => Promise<Found<Value> | null>): Promise<Value | null>
  put(key: string, found: Found<Value>): void
  /** Forgets those that `which` picks; all without it. */
  clear(which?: (value: Value) => boolean): void
}

/** @param now milliseconds of a clock that never steps back. */
export function createAnswerCache<Value>(ttlMs: number, entriesMax: number, now: () => number): AnswerCache<Value> {
  const entries = new Map<string, { readonly value: Value; readonly validUntil: number }>()
  let clears = 0
  const remember = (key: string, found: Found<Value>, askedAt: number) => {
    entries.delete(key)
    entries.set(key, { value: found.value, validUntil: askedAt + Math.min(ttlMs, found.validMs) })
    const oldest = entries.keys().next()
    if (entries.size > entriesMax && oldest.done === false) entries.delete(oldest.value)
  }
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
      if (clears === clearsBefore) remember(key, found, askedAt)
      return found.value
    },
    put: (key, found) => remember(key, found, now()),
    clear(which = () => true) {
      clears += 1
      for (const [key, { value }] of entries) if (which(value)) entries.delete(key)
    },
  }
}
