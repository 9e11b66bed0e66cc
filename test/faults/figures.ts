/** The value below which this part of the numbers lies (nearest rank); 0 of none. */
export function percentile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0
}

export function ms(value: number): string {
  return value >= 10_000 ? `${(value / 1_000).toFixed(1)} s` : `${Math.round(value)} ms`
}

export function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}

/** p50, p99 and the longest. */
export function spread(numbers: readonly number[]): string {
  return `p50 ${ms(percentile(numbers, 0.5))}, p99 ${ms(percentile(numbers, 0.99))}, max ${ms(percentile(numbers, 1))}`
}

/** Least squares: how much `y` grows for 1 of `x`. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const n = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return variance === 0 ? 0 : covariance / variance
}
