/**
 * `npm run test:replicas [-- <minutes>] [-- --only races,restart] [-- --seed 7] [-- --require]`
 *
 * Two server processes on one PostgreSQL behind a real HAProxy, with the configuration that docker-compose.yml runs. Each
 * scenario is played once, or again and again with further seeds for that many minutes. Skips with a plain message where
 * HAProxy is missing, unless `--require` says that this is a failure. With the same seed the clients draw the same
 * numbers; when things happen is the machine's affair.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type Report, startReport, StepFailure } from '../clients/report.ts'
import { createRandom } from '../support/random.ts'
import { haproxyVersion } from './haproxy.ts'
import { oauth } from './oauth.ts'
import { revoked } from './revoked.ts'
import type { Scenario } from './scenario.ts'
import { setStage, type Stage } from './stage.ts'
import { streams } from './streams.ts'
import { killed, races, rollingRestart } from './under-load.ts'

const SCENARIOS: readonly Scenario[] = [oauth, revoked, races, rollingRestart, streams, killed]

/** What is shown of each process's output when a scenario has failed. */
const PRINTED_CHARS = 4_000

async function play(report: Report, stage: Stage, scenario: Scenario, seed: number): Promise<void> {
  try {
    await report.step(scenario.subject, scenario.guarantee, async () => {
      const figures = await scenario.play(stage, createRandom(seed))
      console.log(figures.replaceAll(/^/gmu, '          '))
    })
  } catch (error) {
    // Reported already; anything else is a bug in this program.
    if (!(error instanceof StepFailure)) throw error
    console.log(`          npm run test:replicas -- --only ${scenario.subject} --seed ${seed}`)
    const printed = [stage.proxy, ...stage.replicas].map((each) => each.output().slice(-PRINTED_CHARS))
    console.log(printed.join('\n').replaceAll(/^/gmu, '          '))
  }
  await stage.heal()
}

/** @throws Error that lists the scenarios: a name that is none must not be a run that proves nothing */
function named(name: string): Scenario {
  const scenario = SCENARIOS.find(({ subject }) => subject.toLowerCase() === name.toLowerCase())
  if (scenario !== undefined) return scenario
  throw new Error(`no scenario "${name}"; they are ${SCENARIOS.map(({ subject }) => subject).join(', ')}`)
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, seed: { type: 'string' }, require: { type: 'boolean', default: false } },
  })
  const report = startReport()
  const version = haproxyVersion()
  if (version === null) {
    report.skip('HAProxy is missing (Debian package haproxy)')
    return values.require ? 1 : report.close()
  }
  const chosen = values.only?.split(',').map(named) ?? SCENARIOS
  let seed = Number(values.seed ?? randomInt(2 ** 31))
  const endsAt = performance.now() + Number(positionals[0] ?? 0) * 60_000
  console.log(`  HAProxy ${version}, two replicas; seed ${seed}`)
  const stage = await setStage()
  // Everything that was started ends with the run, however it ends.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stage.stop().finally(() => process.exit(1)))
  }
  try {
    do {
      for (const scenario of chosen) await play(report, stage, scenario, seed)
      seed += 1
    } while (performance.now() < endsAt)
  } finally {
    await stage.stop()
  }
  return report.close()
}

process.exit(await main())
