import type { Random } from '../support/random.ts'
import type { Stage } from './stage.ts'

/** One thing that several replicas must do as if they were one. */
export interface Scenario {
  /** In a word. */
  readonly subject: string
  /** What is guaranteed, as a sentence. */
  readonly guarantee: string
  /**
   * Plays it on replicas that both run.
   *
   * @returns what was done, in figures
   * @throws Error that says what must not be
   */
  play(stage: Stage, random: Random): Promise<string>
}

/** @throws Error that lists the violations, where there are any */
export function expectNone(violations: readonly string[]): void {
  if (violations.length === 0) return
  const shown = violations.slice(0, 20).map((violation) => `- ${violation.slice(0, 1_000)}`)
  throw new Error([`${violations.length} violations:`, ...shown].join('\n'))
}
