/** Thrown when a step has failed: the report has printed and counted it already. */
export class StepFailure extends Error {}

export interface Report {
  /**
   * Runs one step and prints its outcome.
   *
   * @throws StepFailure
   */
  step<Result>(subject: string, guarantee: string, run: () => Promise<Result>): Promise<Result>
  skip(reason: string): void
  hasFailed(): boolean
  /** Prints the closing line and returns the exit code. */
  close(): number
}

const indent = (words: string): string => words.replaceAll(/^/gm, '          ')

export function startReport(): Report {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  return {
    async step(subject, guarantee, run) {
      const startedAt = performance.now()
      const print = (verdict: string): void => {
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
        console.log(`  ${verdict.padEnd(6)}  ${subject.padEnd(11)}  ${guarantee} (${seconds} s)`)
      }
      try {
        const result = await run()
        counts.passed += 1
        print('ok')
        return result
      } catch (error) {
        counts.failed += 1
        print('FAILED')
        const message = error instanceof Error ? error.message : String(error)
        console.log(indent(message))
        throw new StepFailure(message)
      }
    },
    skip(reason) {
      counts.skipped += 1
      console.log(`skipped: ${reason}`)
    },
    hasFailed: () => counts.failed > 0,
    close() {
      const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
      console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`)
      return counts.failed > 0 ? 1 : 0
    },
  }
}
