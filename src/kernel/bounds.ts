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
