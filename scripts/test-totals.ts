/**
 * `tsx scripts/test-totals.ts <vitest's JSON report>`: prints `N passed, N failed[, N skipped]` and exits with 1 if
 * anything failed. A file that could not be loaded has no tests that failed, and counts as one; so does a report that
 * is not there.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

const Report = z.object({
  success: z.boolean(),
  numPassedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) })),
})

function totals(report: z.output<typeof Report>): { passed: number; failed: number; skipped: number } {
  const failures = report.testResults.map(({ status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === 'failed').length
    return tests === 0 && status === 'failed' ? 1 : tests
  })
  const failed = failures.reduce((sum, count) => sum + count, 0)
  return {
    passed: report.numPassedTests,
    // An error outside of every test fails the run as well.
    failed: failed === 0 && !report.success ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function read(path: string): { passed: number; failed: number; skipped: number } {
  try {
    return totals(Report.parse(JSON.parse(readFileSync(path, 'utf8'))))
  } catch (error) {
    console.error(`There is no usable report of the tests: ${String(error)}`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

const { passed, failed, skipped } = read(process.argv[2] ?? '')
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)
process.exitCode = failed === 0 ? 0 : 1
