import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '../../support/random.ts'
import { mib, slope } from '../figures.ts'
import { follow, followerFaults } from '../follower.ts'
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts'
import { openStage, type Stage } from '../stage.ts'
import { readJournal } from '../room.ts'
import { openWorkload } from '../workload.ts'

/** Of the resident memory, per hour, over a soak of hours. */
const TARGET_PER_HOUR = 0.01

/** What no warm-up explains: the heap after collection must not grow by this over the measured part. */
const GROWTH_BOUND_BYTES = 60 * 2 ** 20

/** Before it, caches fill and code is compiled. */
const WARM_UP_PART = 0.3

export const soak: Scenario = {
  name: 'soak',
  fault: 'nothing but time: agents work, streams come and go, and memory must not grow',
  async run(context) {
    const stage = await openStage({
      linked: false,
      nodeArgs: ['--expose-gc', '--import', 'tsx', '--import', './test/faults/memory-probe.ts'],
    })
    try {
      return await steadily(stage, context)
    } finally {
      await stage.stop()
    }
  },
}

interface Reading {
  readonly atMs: number
  readonly rss: number
  readonly heap: number
}

async function steadily(stage: Stage, context: ScenarioContext): Promise<Verdict> {
  const { server, person } = stage
  const durationMs = context.durationMs ?? (context.quick ? 15_000 : 300_000)
  const token = () => person.accessToken()
  const workload = await openWorkload({
    person,
    origins: [server.origin],
    workspaces: 2,
    clientsPerWorkspace: 4,
    random: createRandom(context.seed),
  })
  const startedAt = performance.now()
  const over = () => performance.now() - startedAt > durationMs
  const readings: Reading[] = []
  const sampling = (async () => {
    while (!over()) {
      await delay(Math.min(10_000, durationMs / 30))
      const reading = await readMemory(stage)
      if (reading !== null) readings.push({ ...reading, atMs: performance.now() - startedAt })
    }
  })()
  const visiting = (async () => {
    while (!over()) {
      for (const workspaceId of workload.workspaceIds) {
        const visitor = follow({ origin: server.origin, workspaceId, token })
        await visitor.reached(1, 10_000)
        await visitor.stop()
      }
      await delay(200)
    }
  })()
  const [workspaceId = ''] = workload.workspaceIds
  const follower = follow({ origin: server.origin, workspaceId, token })
  await Promise.all([workload.work(over), person.keepTokens(over), sampling, visiting])
  const judgement = await workload.judge()
  const streamFaults = await followerFaults(follower, await readJournal(server.origin, workspaceId, token()))
  await follower.stop()

  const measured = readings.filter(({ atMs }) => atMs > WARM_UP_PART * durationMs)
  const perMs = (of: 'rss' | 'heap') => slope(measured.map((reading) => [reading.atMs, reading[of]] as const))
  const spanMs = (measured.at(-1)?.atMs ?? 0) - (measured[0]?.atMs ?? 0)
  const heapGrowth = perMs('heap') * spanMs
  const rssPerHour = (perMs('rss') * 3_600_000) / (measured[0]?.rss ?? 1)
  const violations = [...judgement.violations, ...streamFaults, ...server.crashes()]
  if (measured.length < 3) violations.push(`memory could be read ${measured.length} times only`)
  if (heapGrowth > GROWTH_BOUND_BYTES) violations.push(`the heap after collection grew by ${mib(heapGrowth)}`)
  const long = durationMs >= 30 * 60_000
  return {
    figures: {
      operations: `${judgement.operations} judged`,
      heap: `${mib(measured[0]?.heap ?? 0)} to ${mib(measured.at(-1)?.heap ?? 0)} after collection, slope ${mib(perMs('heap') * 3_600_000)}/h`,
      resident: `${mib(measured[0]?.rss ?? 0)} to ${mib(measured.at(-1)?.rss ?? 0)}, slope ${(100 * rssPerHour).toFixed(1)} %/h`,
      readings: `${measured.length} after the warm-up`,
    },
    violations,
    missed:
      long && rssPerHour > TARGET_PER_HOUR
        ? [`resident memory grows by ${(100 * rssPerHour).toFixed(1)} %/h, the target is 1 %`]
        : [],
  }
}

/** What the server has after it has collected its garbage; null where it does not say. */
async function readMemory({ server }: Stage): Promise<Omit<Reading, 'atMs'> | null> {
  const said = () => [...server.output().matchAll(/^memory (\{.*\})$/gmu)]
  const before = said().length
  process.kill(server.pid(), 'SIGUSR2')
  for (const endsAt = performance.now() + 20_000; performance.now() < endsAt; await delay(20)) {
    const latest = said().at(-1)?.[1]
    if (said().length === before || latest === undefined) continue
    const { rss, heapUsed, external } = JSON.parse(latest) as NodeJS.MemoryUsage
    return { rss, heap: heapUsed + external }
  }
  return null
}
