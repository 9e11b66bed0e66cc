import type { Bench, Product } from '../support/bench.ts'
import { cpuMsOf, cpuMsOfFamily } from '../support/cpu.ts'
import { NO_PGBENCH, type PgbenchResult } from '../support/pgbench.ts'
import { atLeast, atMost, per, type Family, type Row } from '../support/row.ts'
import { alternate, compare, median } from '../support/statistics.ts'
import { againstPgbench, call, claiming } from '../support/claiming.ts'
import { claimProfiles } from './claim-profile.ts'

export const claim: Family = {
  name: 'claim',
  what: 'Claims and reads over MCP, many workspaces',
  async run(bench) {
    const product = await bench.product()
    const { server, teams, pgbench } = product
    const { repeats, seconds, connections, workspaces } = bench.scale
    const rows: Row[] = []
    const agents = teams.flat()
    if (pgbench !== null) {
      const measured = await alternate(repeats, {
        subject: claiming(bench, product, server, agents, { claimsEach: 5 }),
        reference: () => pgbench.claims(workspaces, connections, seconds),
      })
      const reference = `pgbench, 4 statements, ${connections} clients`
      rows.push(
        againstPgbench(`claim_scope, ${workspaces} workspaces, ${connections} connections`, measured, reference, {
          goal: (ratio) => atLeast(0.4, ratio),
          missed: WHY_FEWER,
        }),
      )
      rows.push(await readTeamState(bench, product, () => pgbench.reads(workspaces, connections, seconds)))
    }
    rows.push(await unchanged(bench, product))
    await audit(product)
    const profiles = bench.scale.quick ? [] : await claimProfiles(bench)
    return { rows, profiles, leftOut: pgbench === null ? NO_PGBENCH : null }
  },
}

const WHY_FEWER =
  'a claim is ten statements in two round trips, under row-level security, with a guard that judges it once more in the database, ' +
  'and an event of a hash chain; each statement costs the two processes about 0.15 ms together. pgbench’s four cost PostgreSQL as ' +
  'much as one of ours, and nobody has to speak HTTP, OAuth or MCP for them'

async function readTeamState(bench: Bench, product: Product, reference: () => Promise<PgbenchResult>): Promise<Row> {
  const { server, teams, postmasterPid } = product
  const { repeats, seconds, connections, agentsEach } = bench.scale
  const requests = teams.flat().map(({ token }) => call(token, 'read_team_state', {}))
  const measured = await alternate(repeats, {
    async subject() {
      const before = [cpuMsOf(server.pid), cpuMsOfFamily(postmasterPid)] as const
      const calls = await bench.load.calls({
        port: server.port,
        connections,
        seconds,
        requests,
        says: '"activeClaims":[{',
      })
      const us = (after: number, earlier: number) => ((after - earlier) * 1_000) / calls.calls
      return {
        ...calls,
        serverUs: us(cpuMsOf(server.pid), before[0]),
        postgresUs: us(cpuMsOfFamily(postmasterPid), before[1]),
      }
    },
    reference,
  })
  const of = (value: (m: (typeof measured.subject)[number]) => number) => median(measured.subject.map(value))
  const bare = (value: (m: PgbenchResult) => number) => median(measured.reference.map(value))
  return {
    what: `read_team_state, ${agentsEach} agents with a claim each`,
    subject: `${per(
      of((m) => m.perSecond),
      '/s',
    )} (p50 ${per(
      of((m) => m.p50Ms),
      'ms',
    )})`,
    reference: `pgbench, the same read, ${connections} clients: ${per(
      bare((m) => m.perSecond),
      '/s',
    )} (mean ${per(
      bare((m) => m.meanMs),
      'ms',
    )})`,
    ratio: compare(
      measured,
      (m) => m.perSecond,
      (m) => m.perSecond,
    ),
    goal: null,
    notes: [
      `processor time: server ${per(
        of((m) => m.serverUs),
        'µs',
      )}, PostgreSQL ${per(
        of((m) => m.postgresUs),
        'µs',
      )}; pgbench’s read: ` +
        `PostgreSQL ${per(
          bare((m) => m.postgresUs),
          'µs',
        )}`,
    ],
  }
}

/** At one connection: what a caller waits for. */
async function unchanged(bench: Bench, { server, teams }: Product): Promise<Row> {
  const { repeats, seconds } = bench.scale
  const agent = (teams[1] ?? teams[0])?.[0]
  if (agent === undefined) throw new Error('no agents')
  const least = await bench.target('mcp', { tools: 0, auth: 'bearer' })
  // Asked for the state of now: the rows before have moved it.
  const look = { port: server.port, connections: 1, seconds: seconds / 2 }
  const [fresh = agent] = await bench.load.refresh({ port: server.port, agents: [agent] })
  const { stateHash } = fresh
  const unchangedSince = [call(agent.token, 'read_team_state', { sinceStateHash: stateHash })]
  const measured = await alternate(repeats, {
    subject: () => bench.load.calls({ ...look, requests: unchangedSince, says: '"unchanged":true' }),
    reference: () =>
      bench.load.calls({ ...look, port: least.port, requests: [call(agent.token, 'select_one', {})], says: '"one":1' }),
  })
  await least.stop()
  const ratio = compare(
    measured,
    (m) => m.p50Ms,
    (m) => m.p50Ms,
  )
  return {
    what: '`unchanged` read, one connection',
    subject: per(median(measured.subject.map((m) => m.p50Ms)), 'ms'),
    reference: `a tool of MCP that is \`select 1\`: ${per(median(measured.reference.map((m) => m.p50Ms)), 'ms')}`,
    ratio,
    goal: atMost(1.5, ratio.median, '×'),
    missed:
      'it is one round trip as well, but of a transaction: begin, the scope for row-level security, the journal’s head, who calls ' +
      '(session, member, claims, run) and commit, 0.2 ms in PostgreSQL; and the product counts, traces and logs each request',
    notes: [],
  }
}

/** What the calls left behind must be a journal that verifies. */
async function audit({ world, teams }: Product): Promise<void> {
  for (const team of teams.slice(0, 5)) {
    const events = await world.verify(team[0]?.workspaceId ?? '')
    if (events < team.length) throw new Error('a journal has fewer events than agents')
  }
}
