import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { removeDirectory, temporaryDirectory } from '../support/directories.ts'
import { startServer } from '../support/processes.ts'
import { atMost, per, type Family, type Row } from '../support/row.ts'
import { median, ratioOf } from '../support/statistics.ts'
import { log } from '../targets/target.ts'

const run = promisify(execFile)

/** What npm runs for `npm start`, and not npm itself. */
const START = [process.execPath, 'scripts/start.mjs']

const GOALS = { cold: 2_000, warm: 1_000 }

/** `npm start` to /readyz, against what PostgreSQL alone needs of it. */
export const start: Family = {
  name: 'start',
  what: 'Starting, with the embedded PostgreSQL',
  async run(bench) {
    const times = { cold: [] as number[], warm: [] as number[] }
    const loading: number[] = []
    const alone = { cold: [] as number[], warm: [] as number[] }
    for (let repeat = 0; repeat < bench.scale.starts; repeat += 1) {
      const [dataDir, other] = [temporaryDirectory('start'), temporaryDirectory('alone')]
      try {
        for (const kind of ['cold', 'warm'] as const) {
          const server = await startServer({
            script: '',
            command: START,
            env: { DATA_DIR: dataDir },
            logFile: bench.logFile('start'),
          })
          times[kind].push(server.readyMs)
          await server.stop()
          loading.push(await loadCode())
          const began = performance.now()
          const postgres = await startEmbeddedPostgres({ dataDir: other, log })
          alone[kind].push(performance.now() - began)
          await postgres.stop()
        }
      } finally {
        for (const directory of [dataDir, other]) removeDirectory(directory)
      }
    }
    const row = (kind: 'cold' | 'warm', what: string): Row => {
      const took = median(times[kind])
      return {
        what,
        subject: per(took, 'ms'),
        reference: `PostgreSQL alone: ${per(median(alone[kind]), 'ms')}`,
        ratio: ratioOf(times[kind].map((ms, index) => [ms, alone[kind][index] ?? NaN])),
        goal: { ...atMost(GOALS[kind], took), text: `≤ ${GOALS[kind] / 1_000} s` },
        missed:
          'beside what PostgreSQL takes alone and what loading the code takes, one file is made of the sources, a role and a ' +
          'database are made, and all migrations run',
        notes: [`loading the code takes ${per(median(loading), 'ms')} of it`],
      }
    }
    return { rows: [row('cold', 'first start to ready'), row('warm', 'later start to ready')] }
  },
}

/** Milliseconds until all code is there, and the configuration is found to be wrong before anything else is done. */
async function loadCode(): Promise<number> {
  const [program = '', ...args] = START
  const began = performance.now()
  const { code } = await run(program, args, { env: { ...process.env, PORT: 'none' } }).catch((error) => error)
  if (code !== 1) throw new Error('a wrong configuration was not refused')
  return performance.now() - began
}
