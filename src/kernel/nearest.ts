/** The candidate with the smallest edit distance to `name`, for "did you mean"; null where nothing is close. */
export function nearest(name: string, candidates: readonly string[]): string | null {
  const asked = name.slice(0, 64).toLowerCase()
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(asked, candidate) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best !== undefined && best.distance <= Math.max(3, best.candidate.length / 2) ? best.candidate : null
}

/** Levenshtein distance, row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitute))
    }
    row = next
  }
  return row[b.length] ?? 0
}
