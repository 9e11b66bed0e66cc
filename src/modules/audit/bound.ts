import { LIMITS } from '../../kernel/limits.ts'

// What anybody can bring about as often as they like must not fill somebody's log: of each such type at most
// LIMITS.boundedEntriesPerHour are on record in any hour, and the next one says how many were left out.

/** What is remembered of one type. */
export interface Kept {
  /** When the last entries were made, in milliseconds, the oldest first; no more than fit into an hour. */
  readonly at: readonly number[]
  /** How many were left out since the last one. */
  readonly unrecorded: number
}

export type Bounded = Readonly<Record<string, Kept>>

const HOUR_MS = 3_600_000

/**
 * One more of a bounded type.
 *
 * @returns what to remember, and how many were left out before this one; null where this one is left out too.
 */
export function countBounded(before: Kept | undefined, nowMs: number): { kept: Kept; unrecorded: number | null } {
  const { at, unrecorded } = before ?? { at: [], unrecorded: 0 }
  const recent = at.filter((time) => time > nowMs - HOUR_MS)
  if (recent.length >= LIMITS.boundedEntriesPerHour) {
    return { kept: { at: recent, unrecorded: unrecorded + 1 }, unrecorded: null }
  }
  return { kept: { at: [...recent, nowMs], unrecorded: 0 }, unrecorded }
}
