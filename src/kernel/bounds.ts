import { LIMITS } from './limits.ts'

/** How many characters a value takes where answers are shown: indented JSON. */
export function shownSize(value: unknown): number {
  return JSON.stringify(value, null, 2).length
}

/** The first items that together fit into `size` (at least one, so that paging always moves on), and the count of the rest. */
export function takeWithin<T>(items: readonly T[], size: number): { shown: T[]; rest: number } {
  let used = 0
  let count = 0
  for (const item of items) {
    used += shownSize(item)
    if (count > 0 && used > size) break
    count += 1
  }
  return { shown: items.slice(0, count), rest: items.length - count }
}

/**
 * A list inside a listing, as the fields of its object: the first items, few and short enough to leave room for the
 * others, and where some are left out their count as `<name>Omitted`.
 */
export function shortList<T, Name extends string>(
  name: Name,
  items: readonly T[],
  size: number = LIMITS.listShownBytes,
): { [N in Name]: T[] } {
  const { shown } = takeWithin(items.slice(0, LIMITS.listShown), size)
  const omitted = items.length - shown.length
  const field = { [name]: shown, ...(omitted > 0 ? { [`${name}Omitted`]: omitted } : {}) }
  // A computed key loses its name in the type.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return field as { [N in Name]: T[] }
}
