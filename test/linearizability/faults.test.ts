import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { runWithFaults } from '../faults/run.ts'
import { createRandom } from '../support/random.ts'
import { checkLinearizability } from './checker.ts'
import { flipOneAnswer } from './flip.ts'
import { workspaceModel } from './workspace-model.ts'

/** `npm run test:faults` runs as long as it is told; this is its short form. */
const DURATION_MS = 20_000
const FLIPS = 20
/** What the history needs is about one configuration an operation; to refute a flipped one may take a thousand times that. */
const BUDGET = { configurations: 10_000 }

test(
  'kill -9 of server and PostgreSQL loses nothing acknowledged and leaves a linearizable history',
  { timeout: 240_000 },
  async () => {
    const seed = Number(process.env['FAULT_SEED'] ?? randomInt(2 ** 31))
    const report = await runWithFaults({
      seed,
      durationMs: DURATION_MS,
      servers: 1,
      workspaces: 1,
      clientsPerWorkspace: 8,
    })
    expect(report.violations, `seed ${seed}`).toEqual([])
    expect(report.faults.serverKills + report.faults.postmasterKills).toBeGreaterThan(0)
    expect(report.claimsGranted).toBeGreaterThan(8)

    // The checker would have noticed: with the same budget it accepts this very history and objects to it with one answer
    // flipped. Giving up is objecting, as it is above.
    const random = createRandom(seed)
    for (const { operations } of report.windows) {
      expect(checkLinearizability(operations, workspaceModel, BUDGET).kind).toBe('linearizable')
    }
    for (let count = 0; count < FLIPS; count += 1) {
      const { history, what, index } = flipOneAnswer(random.pick(report.windows).operations, random)
      const { kind } = checkLinearizability(history, workspaceModel, BUDGET)
      expect(kind, `seed ${seed}: ${what} at ${index}`).not.toBe('linearizable')
    }
  },
)
