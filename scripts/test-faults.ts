/**
 * `npm run test:faults [-- <minutes>] [-- --seconds 30] [-- --seed 7] [-- --servers 2]`
 *
 * Many agents over HTTP on a server that is killed with -9 at random, as is its PostgreSQL. Afterwards: is the recorded
 * history linearizable, is every acknowledged write there, does the journal hold? Exit code 0 when nothing is wrong.
 * With the same seed the agents and the injector draw the same numbers; when things happen is the machine's affair.
 */
import { randomInt } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { runWithFaults } from '../test/faults/run.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    servers: { type: 'string', default: '1' },
    workspaces: { type: 'string', default: '2' },
    clients: { type: 'string', default: '8' },
  },
})

const durationMs = options.seconds === undefined ? Number(positionals[0] ?? 5) * 60_000 : Number(options.seconds) * 1000
const HISTORY_DIR = '.cache/faults'

const startedAt = performance.now()
const report = await runWithFaults({
  seed: Number(options.seed),
  durationMs,
  servers: Number(options.servers),
  workspaces: Number(options.workspaces),
  clientsPerWorkspace: Number(options.clients),
  log: (line) => console.log(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}`),
})

const { faults, violations } = report
console.log(
  [
    '',
    `operations        ${report.operations}, ${report.unknownOutcomes} with an unknown outcome`,
    `faults            ${faults.serverKills} kills of the server, ${faults.postmasterKills} of PostgreSQL`,
    `windows           ${report.windows.length}, checked with ${report.configurations} configurations`,
    `journal           ${report.events} events, ${report.claimsGranted} claims granted`,
    `violations        ${violations.length}`,
    ...violations.slice(0, 20).map((violation) => `  ${violation.slice(0, 1_000)}`),
  ].join('\n'),
)
if (violations.length > 0) {
  await mkdir(HISTORY_DIR, { recursive: true })
  const path = `${HISTORY_DIR}/seed-${options.seed}.ndjson`
  const lines = report.windows.flatMap(({ name, operations }) =>
    operations.map((operation) => JSON.stringify({ window: name, ...operation })),
  )
  await writeFile(path, `${lines.join('\n')}\n`)
  console.log(`the history is in ${path}`)
}
process.exit(violations.length === 0 ? 0 : 1)
