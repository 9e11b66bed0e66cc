import { NO_PGBENCH } from '../support/pgbench.ts'
import { againstPgbench, claiming } from '../support/claiming.ts'
import { atLeast, type Family } from '../support/row.ts'
import { alternate } from '../support/statistics.ts'

const WHY_FEWER =
  'the agents share commits, and no claim waits for one; but where commits are cheap (see the write with fdatasync above) the ' +
  'ceiling is high, and eight times it leaves a claim hardly more time than a call of a tool that does nothing takes. One ' +
  'connection does the claims of a workspace one after the other, a round trip each'

/** As many agents as connections, all in one workspace. */
export const hot: Family = {
  name: 'hot',
  what: 'One hot workspace',
  async run(bench) {
    const product = await bench.product()
    const { server, pgbench, world } = product
    if (pgbench === null) return { rows: [], leftOut: NO_PGBENCH }
    const { connections, repeats, seconds } = bench.scale
    const [team = []] = await world.found(server.port, 1, connections)
    await world.analyze()
    const measured = await alternate(repeats, {
      subject: claiming(bench, product, server, team, { claimsEach: 8 }),
      reference: () => pgbench.claims(1, connections, seconds),
    })
    await world.verify(team[0]?.workspaceId ?? '')
    const reference = `pgbench on one row, ${connections} clients: each waits for the other’s commit`
    const what = `claim_scope, one workspace, ${connections} agents`
    return {
      rows: [againstPgbench(what, measured, reference, { goal: (ratio) => atLeast(8, ratio, '×'), missed: WHY_FEWER })],
    }
  },
}
