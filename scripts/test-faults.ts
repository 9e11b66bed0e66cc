/**
 * `npm run test:faults [-- --quick] [-- --only <name>[,<name>…] [<minutes>]] [-- --seed 7]`
 *
 * Everything that can go wrong around the server is done to it, one thing after the other, while agents work on it
 * (docs/faults.md has the list). Each scenario prints `ok` or `FAIL` with what was measured; the exit code is 0 when
 * none failed. With the same seed the agents draw the same numbers; when things happen is the machine's affair.
 *
 * Minutes are for the scenarios that have no end of their own, `kill`, `soak` and `many`, and for each outage of
 * `postgres-down`; given alone they mean `kill`.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Verdict } from '../test/faults/scenario.ts'
import { SCENARIOS } from '../test/faults/scenarios/index.ts'

/** `--quick` takes five minutes. On a machine where it takes much longer, the last scenarios are left out, and it says so. */
const QUICK_MS = 480_000

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
})

const durationMs =
  options.seconds === undefined
    ? positionals[0] === undefined
      ? undefined
      : Number(positionals[0]) * 60_000
    : Number(options.seconds) * 1_000
if (Number.isNaN(durationMs)) fail(`"${positionals[0] ?? options.seconds}" is no number`)
const only = options.only ?? (durationMs === undefined ? undefined : 'kill')
const names = only?.split(',') ?? SCENARIOS.map(({ name }) => name)
const chosen = names.map(
  (name) => SCENARIOS.find((scenario) => scenario.name === name) ?? fail(`no scenario "${name}"`),
)

const startedAt = performance.now()
let failed = 0
let skipped = 0
for (const { name, fault, run } of chosen) {
  // So that a slow machine, too, is done in minutes.
  if (options.quick && performance.now() - startedAt > QUICK_MS) {
    console.log(`\nskip ${name}: --quick begins nothing more after ${QUICK_MS / 1_000} s; --only ${name} runs it`)
    skipped += 1
    continue
  }
  console.log(`\n${name}: ${fault} (seed ${options.seed})`)
  const begunAt = performance.now()
  const log = (line: string) => console.log(`${seconds(begunAt).padStart(7)}  ${line}`)
  const verdict = await run({ quick: options.quick, seed: Number(options.seed), durationMs, log }).catch(
    (error: unknown): Verdict => ({
      figures: {},
      violations: [error instanceof Error ? (error.stack ?? '') : String(error)],
    }),
  )
  if (verdict.violations.length > 0) failed += 1
  console.log(told(name, verdict, seconds(begunAt)))
}
const ok = chosen.length - failed - skipped
console.log(`\n${ok} ok, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}, ${seconds(startedAt)}`)
process.exit(failed === 0 ? 0 : 1)

function told(name: string, { figures, violations, missed = [] }: Verdict, took: string): string {
  const lines = [
    ...Object.entries(figures).map(([what, figure]) => `  ${what.padEnd(22)} ${figure}`),
    ...missed.map((target) => `  missed                 ${target}`),
    ...violations.slice(0, 20).map((violation) => `  VIOLATION              ${violation.slice(0, 1_000)}`),
    ...(violations.length > 20 ? [`  and ${violations.length - 20} violations more`] : []),
  ]
  return [`${violations.length === 0 ? 'ok  ' : 'FAIL'} ${name}, ${took}`, ...lines].join('\n')
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`
}

function fail(message: string): never {
  console.error(`${message}; the scenarios are ${SCENARIOS.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
