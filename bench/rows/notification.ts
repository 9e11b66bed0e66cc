import { atLeast, per, type Family } from '../support/row.ts'
import { alternate, compare, median } from '../support/statistics.ts'
import { claiming, claimsPerSecond } from '../support/claiming.ts'

/** Longer than any run: what is committed is told to nobody until the server ends. Node's timers reach no further. */
const NEVER_MS = 2 ** 31 - 1

export const notification: Family = {
  name: 'notification',
  what: 'Telling other replicas',
  async run(bench) {
    const product = await bench.product()
    const { repeats } = bench.scale
    const half = Math.ceil(product.teams.length / 2)
    const told = product.teams.slice(0, half).flat()
    const untold = product.teams.slice(half).flat()
    const on = await bench.target('app')
    const off = await bench.target('app', { pace: { notifyMs: NEVER_MS } })
    // Somebody must listen, or a notification costs nothing: the server that is there has a stream open.
    await bench.load.openStreams({ port: product.server.port, readers: told.slice(0, 1) })
    const measured = await alternate(repeats, {
      subject: claiming(bench, product, on, told, { claimsEach: 5 }),
      reference: claiming(bench, product, off, untold, { claimsEach: 5 }),
    })
    await bench.load.closeStreams()
    await Promise.all([on.stop(), off.stop()])
    const ratio = compare(measured, claimsPerSecond, claimsPerSecond)
    const row = {
      what: 'claim_scope with notifications',
      subject: per(median(measured.subject.map(claimsPerSecond)), '/s'),
      reference: `without: ${per(median(measured.reference.map(claimsPerSecond)), '/s')}`,
      ratio,
      goal: atLeast(0.9, ratio.median, '×'),
      missed:
        'a hundred times a second a statement goes to PostgreSQL that wakes the process that listens, and that one reads what it is ' +
        'told of; all of them share the processors that the claims are waiting for. It stands outside of their transactions',
      notes: ['two replicas of the same code, half of the workspaces each; a third one listens'],
    }
    return { rows: [row] }
  },
}
