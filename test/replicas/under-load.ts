/** The scenarios that differ only in what happens to the replicas while the load goes on. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import type { ProxyCounts } from './haproxy.ts'
import { faultsOf } from './ledger.ts'
import { prepareLoad } from './load.ts'
import { expectNone, type Scenario } from './scenario.ts'
import type { Stage } from './stage.ts'

/** How long claims race with nothing else happening; how often both replicas are restarted; how often one is killed. */
const RACE_MS = 15_000
const ROUNDS = 2
const KILLS = 6
const BETWEEN_KILLS_MS = { min: 1_000, max: 4_000 }

/** Of all requests: below this one replica did not take part. */
const SHARE_MIN = 0.2

export const races: Scenario = {
  subject: 'races',
  guarantee: 'claims, values and reads race across both replicas as on one; every call has its right answer',
  play: (stage, random) =>
    underLoad(stage, random, async () => {
      await delay(RACE_MS)
      return 'nothing was restarted'
    }),
}

export const rollingRestart: Scenario = {
  subject: 'restart',
  guarantee: 'rolling restarts under load: clients without retry have no failed call and no unreported one',
  play: (stage, random) =>
    underLoad(stage, random, async () => {
      const startedAt = performance.now()
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const index of stage.replicas.keys()) await stage.restart(index)
      }
      const seconds = (performance.now() - startedAt) / 1000 / (ROUNDS * stage.replicas.length)
      return `${ROUNDS * stage.replicas.length} restarts of ${seconds.toFixed(1)} s`
    }),
}

export const killed: Scenario = {
  subject: 'killed',
  guarantee: 'one replica killed every few seconds: clients with retry lose nothing, and nothing happens twice',
  play: (stage, random) =>
    underLoad(
      stage,
      random,
      async () => {
        const moments = random.fork('moments')
        for (let kill = 0; kill < KILLS; kill += 1) {
          await delay(BETWEEN_KILLS_MS.min + moments.below(BETWEEN_KILLS_MS.max - BETWEEN_KILLS_MS.min))
          await stage.killAndStart(moments.below(stage.replicas.length))
        }
        return `${KILLS} kills`
      },
      { mayFail: true },
    ),
}

/** Load, and something that happens meanwhile; then everything is read back and judged. */
async function underLoad(
  stage: Stage,
  random: Random,
  happening: () => Promise<string>,
  { mayFail = false } = {},
): Promise<string> {
  const load = await prepareLoad(stage, random)
  const before = await stage.proxy.counts()
  let over = false
  const [what] = await Promise.all([happening().finally(() => (over = true)), load.work(() => over)])
  await stage.heal()
  const account = load.account()
  const during = difference(await stage.proxy.counts(), before)
  const verdict = await load.judge()
  const { sent, answered, failed, unreported } = account
  expectNone([
    ...(mayFail ? unreported.map((each) => `unreported: ${each}`) : faultsOf(account)),
    ...(mayFail ? [] : disagreements(sent, during)),
    ...stage.replicas.flatMap((replica) => replica.crashes()),
    ...(mayFail ? [] : uneven(during)),
    ...verdict.violations,
  ])
  return [
    `${sent} calls: ${answered} answered, ${failed.length} failed, ${unreported.length} unreported`,
    what,
    `the proxy counted ${during.requests} requests (${during.perReplica.join(' and ')}), ${during.serverErrors} × 5xx, ` +
      `${during.redispatched} given to the other replica`,
    verdict.figures,
  ].join('\n')
}

/** The proxy's count against the ledger's: a hidden retry of the client, or an answer that the proxy made up. */
function disagreements(sent: number, { requests, serverErrors }: ProxyCounts): string[] {
  return [
    ...(requests === sent ? [] : [`the proxy counted ${requests} requests, the clients sent ${sent}`]),
    ...(serverErrors === 0 ? [] : [`the proxy answered ${serverErrors} requests with 5xx`]),
  ]
}

function uneven({ requests, perReplica }: ProxyCounts): string[] {
  return perReplica.every((count) => count > SHARE_MIN * requests)
    ? []
    : [`the replicas had ${perReplica.join(' and ')} of ${requests} requests: one took no part`]
}

function difference(now: ProxyCounts, before: ProxyCounts): ProxyCounts {
  return {
    requests: now.requests - before.requests,
    serverErrors: now.serverErrors - before.serverErrors,
    perReplica: now.perReplica.map((count, n) => count - (before.perReplica[n] ?? 0)),
    retried: now.retried - before.retried,
    redispatched: now.redispatched - before.redispatched,
  }
}
