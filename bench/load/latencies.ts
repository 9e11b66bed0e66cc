import { quantile } from '../support/statistics.ts'

/** How long calls took, and how many there were in which time. */
export interface Timed {
  readonly calls: number
  /** Of the clock, while calls were under way. */
  readonly ms: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export function timed(latencies: readonly number[], ms: number): Timed {
  return {
    calls: latencies.length,
    ms,
    perSecond: (latencies.length / ms) * 1_000,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  }
}
