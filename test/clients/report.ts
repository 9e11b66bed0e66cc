/* oxlint-disable no-console -- this is a command whose output is its report */

export interface Report {
  /** Runs one step and prints its outcome; a failure is counted, printed and thrown on. */
  step<Result>(subject: string, guarantee: string, run: () => Promise<Result>): Promise<Result>
  skip(reason: string): void
  /** Prints the closing line and returns the exit code. */
  close(): number
}

const indent = (words: string): string => words.replaceAll(/^/gm, '        ')

export function startReport(): Report {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  return {
    async step(subject, guarantee, run) {
      const startedAt = performance.now()
      const line = (verdict: string): string => {
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
        return `${verdict}  ${subject.padEnd(12)} ${guarantee} (${seconds} s)`
      }
      try {
        const result = await run()
        counts.passed += 1
        console.log(line('  ok  '))
        return result
      } catch (error) {
        counts.failed += 1
        console.log(line('FAILED'))
        console.log(indent(error instanceof Error ? error.message : String(error)))
        throw error
      }
    },
    skip(reason) {
      counts.skipped += 1
      console.log(`skipped: ${reason}`)
    },
    close() {
      const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
      console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`)
      return counts.failed > 0 ? 1 : 0
    },
  }
}
