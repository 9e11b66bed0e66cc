/**
 * `tsx scripts/test-totals.ts <vitest's JSON report>`: prints what failed, a name and the first lines of its message,
 * then `N passed, N failed[, N skipped]`, and exits with 1 if anything failed. A file that could not be loaded has no
 * tests that failed, and counts as one; so does a report that is not there.
 *
 * The names are printed here as well as by vitest because of a long log often only the end is kept.
 */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { z } from 'zod'

const Test = z.object({ status: z.string(), fullName: z.string(), failureMessages: z.array(z.string()).default([]) })
const File = z.object({
  name: z.string(),
  status: z.string(),
  message: z.string().default(''),
  assertionResults: z.array(Test),
})
const Report = z.object({
  success: z.boolean(),
  numPassedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(File),
})

interface Totals {
  readonly passed: number
  /** What to tell of each failure. */
  readonly failures: readonly string[]
  readonly skipped: number
}

const FIRST_LINES = 6

function told(what: string, message: string): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '')
  return [`FAILED ${what}`, ...lines.slice(0, FIRST_LINES).map((line) => `    ${line.trim()}`)].join('\n')
}

function failuresOf({ name, status, message, assertionResults }: z.output<typeof File>): string[] {
  const file = relative(process.cwd(), name)
  const tests = assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => told(`${file}: ${test.fullName}`, test.failureMessages.join('\n')))
  return tests.length === 0 && status === 'failed' ? [told(file, message)] : tests
}

function totals(report: z.output<typeof Report>): Totals {
  const failures = report.testResults.flatMap(failuresOf)
  return {
    passed: report.numPassedTests,
    failures:
      failures.length === 0 && !report.success
        ? ['FAILED outside of every test: an unhandled error, see the log']
        : failures,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function read(path: string): Totals {
  try {
    return totals(Report.parse(JSON.parse(readFileSync(path, 'utf8'))))
  } catch (error) {
    return { passed: 0, failures: [`There is no usable report of the tests: ${String(error)}`], skipped: 0 }
  }
}

const { passed, failures, skipped } = read(process.argv[2] ?? '')
for (const failure of failures) console.log(failure)
console.log(`${passed} passed, ${failures.length} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)
process.exitCode = failures.length === 0 ? 0 : 1
