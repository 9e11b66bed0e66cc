/**
 * `npm run bench`: starts everything that it needs, measures, and writes bench/results.md. bench/README.md says how.
 *
 *     npm run bench                          everything, about ten minutes
 *     npm run bench -- --rows claim,hot      some of it, printed
 *     npm run bench -- --quick               whether all of it still works; its figures mean nothing
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compile } from './support/compiled.ts'
import { FULL, openBench, QUICK, type Bench } from './support/bench.ts'
import { renderReport, reportHead, type Outcome } from './support/report.ts'
import { removeDirectories } from './support/directories.ts'
import { endAll } from './support/processes.ts'
import type { Family } from './support/row.ts'
import { chain } from './rows/chain.ts'
import { claim } from './rows/claim.ts'
import { classifier } from './rows/classifier.ts'
import { growth } from './rows/growth.ts'
import { hot } from './rows/hot.ts'
import { notification } from './rows/notification.ts'
import { start } from './rows/start.ts'
import { streams } from './rows/streams.ts'
import { toolCall } from './rows/tool-call.ts'

const FAMILIES: readonly Family[] = [toolCall, claim, hot, growth, notification, streams, start, classifier, chain]

/** What has not begun by then is left out, and named; and whatever hangs is ended. */
const BEGIN_WITHIN_MS = { full: 11 * 60_000, quick: 4 * 60_000 }
const END_WITHIN_MS = { full: 15 * 60_000, quick: 6 * 60_000 }

const RESULTS = new URL('results.md', import.meta.url)

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: { rows: { type: 'string' }, quick: { type: 'boolean', default: false }, out: { type: 'string' } },
  })
  const { quick } = values
  const names = values.rows?.split(',') ?? FAMILIES.map(({ name }) => name)
  const unknown = names.filter((name) => !FAMILIES.some((family) => family.name === name))
  if (unknown.length > 0) {
    throw new Error(
      `There are no rows ${unknown.join(', ')}; there are ${FAMILIES.map(({ name }) => name).join(', ')}.`,
    )
  }
  compile()
  const bench = openBench(quick ? QUICK : FULL)
  const started = performance.now()
  const watchdog = setTimeout(
    () => {
      console.error('The bench takes too long, and is ended.')
      void giveUp()
    },
    END_WITHIN_MS[quick ? 'quick' : 'full'],
  )
  const head = reportHead(bench.directory, bench.scale)
  const outcomes: Outcome[] = []
  try {
    for (const family of FAMILIES.filter(({ name }) => names.includes(name))) {
      const late = performance.now() - started > BEGIN_WITHIN_MS[quick ? 'quick' : 'full']
      outcomes.push(await outcomeOf(family, bench, late))
    }
  } finally {
    clearTimeout(watchdog)
    await bench.close()
  }
  const report = await renderReport(head, outcomes)
  const whole = !quick && values.rows === undefined
  if (whole || values.out !== undefined) writeFileSync(values.out ?? RESULTS, report)
  console.log(report)
  return outcomes.every(({ refused }) => refused === null)
}

async function outcomeOf(family: Family, bench: Bench, late: boolean): Promise<Outcome> {
  const { name, what } = family
  const started = performance.now()
  const outcome = (rest: Pick<Outcome, 'rows' | 'profiles' | 'refused' | 'leftOut'>): Outcome => {
    const seconds = (performance.now() - started) / 1_000
    console.error(`${name}: ${rest.refused ?? rest.leftOut ?? `${rest.rows.length} rows`}, ${seconds.toFixed(1)} s`)
    return { name, what, seconds, ...rest }
  }
  const nothing = { rows: [], profiles: [], leftOut: null }
  if (late) return outcome({ ...nothing, refused: 'there was no time left for it' })
  try {
    const { rows, profiles = [], leftOut = null } = await family.run(bench)
    return outcome({ rows, profiles, leftOut, refused: null })
  } catch (error) {
    return outcome({ ...nothing, refused: error instanceof Error ? error.message : String(error) })
  }
}

async function giveUp(): Promise<void> {
  await endAll()
  await removeDirectories()
  process.exit(1)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void giveUp())

process.exit((await main()) ? 0 : 1)
