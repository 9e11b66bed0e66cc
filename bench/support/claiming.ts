import type { Agent, ClaimsResult } from '../load/agents.ts'
import type { Bench, Product } from './bench.ts'
import type { PgbenchResult } from './pgbench.ts'
import type { Server } from './processes.ts'
import { per, type Goal, type Row } from './row.ts'
import { compare, median, type Compared } from './statistics.ts'

/** Claims by agents that go on from job to job: their stateHash moves. */
export function claiming(
  bench: Bench,
  { postmasterPid }: Pick<Product, 'postmasterPid'>,
  server: Server,
  agents: readonly Agent[],
  options: { connections?: number; claimsEach: number; seconds?: number },
): () => Promise<ClaimsResult> {
  let current: readonly Agent[] | null = null
  return async () => {
    current ??= await bench.load.refresh({ port: server.port, agents })
    const { connections = bench.scale.connections, claimsEach, seconds = bench.scale.seconds } = options
    const job = {
      port: server.port,
      serverPid: server.pid,
      postmasterPid,
      agents: current,
      connections,
      claimsEach,
      seconds,
    }
    const result = await bench.load.claims(job)
    current = result.agents
    return result
  }
}

export const claimsPerSecond = (result: ClaimsResult): number => result.claims.perSecond

/** Claims through MCP against pgbench's transactions. */
export function againstPgbench(
  what: string,
  measured: Compared<ClaimsResult, PgbenchResult>,
  reference: string,
  { goal, missed }: { goal: (ratio: number) => Goal; missed: string },
): Row {
  const ratio = compare(measured, claimsPerSecond, (r) => r.perSecond)
  const of = (value: (result: ClaimsResult) => number) => median(measured.subject.map(value))
  const bare = (value: (result: PgbenchResult) => number) => median(measured.reference.map(value))
  return {
    what,
    subject: `${per(of(claimsPerSecond), '/s')} (p50 ${per(
      of((r) => r.claims.p50Ms),
      'ms',
    )}, p99 ${per(
      of((r) => r.claims.p99Ms),
      'ms',
    )})`,
    reference: `${reference}: ${per(
      bare((r) => r.perSecond),
      '/s',
    )} (mean ${per(
      bare((r) => r.meanMs),
      'ms',
    )})`,
    ratio,
    goal: goal(ratio.median),
    missed,
    notes: [
      `processor time of a claim: ${parts(of)}; of a transaction of pgbench: PostgreSQL ${per(
        bare((r) => r.postgresUs),
        'µs',
      )}`,
      `release_scope ${per(
        of((r) => r.releases.perSecond),
        '/s',
      )}`,
    ],
  }
}

/** A call of a tool, for the load generator. */
export const call = (token: string, tool: string, input: Record<string, unknown>) => ({
  token,
  method: 'tools/call',
  params: { name: tool, arguments: input },
})

/** Who of the three uses what of the processors, and how many processors that keeps busy: where it is all of them, it is the bound. */
function parts(of: (value: (result: ClaimsResult) => number) => number): string {
  const shares = [
    ['server', of((r) => r.claims.serverUs)],
    ['PostgreSQL', of((r) => r.claims.postgresUs)],
    ['load generator', of((r) => r.claims.loadUs)],
  ] as const
  const total = shares.reduce((sum, [, us]) => sum + us, 0)
  const busy = (total / 1_000_000) * of(claimsPerSecond)
  const each = shares.map(([name, us]) => `${name} ${per(us, 'µs')} (${((us / total) * 100).toFixed(0)} %)`)
  return `${each.join(', ')}, which keeps ${busy.toFixed(1)} processors busy`
}
