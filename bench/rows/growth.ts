import type { Agent, ClaimsResult } from '../load/agents.ts'
import type { Timed } from '../load/latencies.ts'
import type { Bench, Product } from '../support/bench.ts'
import { atMost, per, shown, type Family, type Row } from '../support/row.ts'
import { alternate, compare, median, ratioOf } from '../support/statistics.ts'
import { call, claiming } from '../support/claiming.ts'

const AGENTS = 4
const p50 = (timed: Timed): number => timed.p50Ms

/** What a call costs where there is much, at one connection: what a caller waits for, without any queue. */
export const growth: Family = {
  name: 'growth',
  what: 'With the number of claims and of workspaces',
  async run(bench) {
    const product = await bench.product()
    const { server, world } = product
    const { claimCounts } = bench.scale
    const teams = await world.found(server.port, claimCounts.length, AGENTS)
    for (const [index, team] of teams.entries()) {
      const [first] = team
      if (first === undefined) throw new Error('no agents')
      await world.fill(first.workspaceId, world.userOf(first), AGENTS, claimCounts[index] ?? 0)
    }
    await world.analyze()
    const rows = [
      await claims(bench, product, teams),
      await hashBump(bench, product, teams),
      await workspaces(bench, product),
    ]
    await world.verify(teams.at(-1)?.[0]?.workspaceId ?? '')
    return { rows }
  },
}

async function claims(bench: Bench, product: Product, teams: readonly Agent[][]): Promise<Row> {
  const { claimCounts, repeats, seconds } = bench.scale
  const options = { connections: 1, claimsEach: 2, seconds: seconds / 4 }
  const measures = teams.map((team) => claiming(bench, product, product.server, team, options))
  const rounds: ClaimsResult[][] = []
  for (let round = 0; round <= repeats; round += 1) {
    const results: ClaimsResult[] = []
    for (const measure of measures) results.push(await measure())
    rounds.push(results)
  }
  const measured = rounds.slice(1)
  const ofCount = (index: number) => measured.map((results) => results[index]?.claims.p50Ms ?? NaN)
  const [fewest = 0, most = 0] = [claimCounts[0], claimCounts.at(-1)]
  const last = claimCounts.length - 1
  const ratio = ratioOf(
    measured.map((results) => [results[last]?.claims.p50Ms ?? NaN, results[0]?.claims.p50Ms ?? NaN]),
  )
  return {
    what: `p50 of claim_scope at ${shown(most)} live claims`,
    subject: per(median(ofCount(last)), 'ms'),
    reference: `at ${fewest}: ${per(median(ofCount(0)), 'ms')}`,
    ratio,
    goal: atMost(1.2, ratio.median, '×'),
    notes: [claimCounts.map((count, index) => `${shown(count)}: ${per(median(ofCount(index)), 'ms')}`).join(', ')],
  }
}

/** One event more on the chain, and next to nothing else: a value is written over itself. */
async function hashBump(bench: Bench, { server }: Product, teams: readonly Agent[][]): Promise<Row> {
  const { claimCounts, repeats, seconds } = bench.scale
  const [few, many] = [teams[0]?.[0], teams.at(-1)?.[0]]
  if (few === undefined || many === undefined) throw new Error('no agents')
  const bump = (agent: Agent) => () =>
    bench.load.calls({
      port: server.port,
      connections: 1,
      seconds: seconds / 4,
      requests: [call(agent.token, 'write_values', { entries: [{ key: 'bench', value: 1 }] })],
      says: '"ok":true',
    })
  const measured = await alternate(repeats, { subject: bump(many), reference: bump(few) })
  const ratio = compare(measured, p50, p50)
  return {
    what: `p50 of a write that moves the hash, at ${shown(claimCounts.at(-1) ?? 0)} live claims`,
    subject: per(median(measured.subject.map(p50)), 'ms'),
    reference: `at ${claimCounts[0]}: ${per(median(measured.reference.map(p50)), 'ms')}`,
    ratio,
    goal: atMost(1.1, ratio.median, '×'),
    notes: ['the goal is O(1): the hash follows from the one before, not from the state'],
  }
}

async function workspaces(bench: Bench, product: Product): Promise<Row> {
  const { repeats, seconds } = bench.scale
  const { server, teams } = product
  const options = { connections: 1, claimsEach: 1, seconds: seconds / 4 }
  const measured = await alternate(repeats, {
    subject: claiming(bench, product, server, teams.flat(), options),
    reference: claiming(bench, product, server, teams[0] ?? [], options),
  })
  const ofClaims = ({ claims }: ClaimsResult) => claims.p50Ms
  const ratio = compare(measured, ofClaims, ofClaims)
  return {
    what: `p50 of claim_scope over ${teams.length} workspaces`,
    subject: per(median(measured.subject.map(ofClaims)), 'ms'),
    reference: `in one: ${per(median(measured.reference.map(ofClaims)), 'ms')}`,
    ratio,
    goal: atMost(1.2, ratio.median, '×'),
    notes: ['one connection; more than a second passes between two calls of a token, so each looks it up'],
  }
}
