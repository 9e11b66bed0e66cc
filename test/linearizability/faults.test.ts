import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { runWithFaults } from '../faults/run.ts'
import { createRandom } from '../support/random.ts'
import { checkLinearizability } from './checker.ts'
import { flipOneAnswer } from './flip.ts'
import { workspaceModel } from './workspace-model.ts'

/** `npm run test:faults` runs as long as it is told; this is its short form. */
const DURATION_MS = 20_000
const FLIPS = 50

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

    // The checker would have noticed: it objects to the very history that it accepted, one answer flipped.
    const random = createRandom(seed)
    for (let count = 0; count < FLIPS; count += 1) {
      const { operations } = random.pick(report.windows)
      const { history, what, index } = flipOneAnswer(operations, random)
      expect(checkLinearizability(history, workspaceModel).kind, `seed ${seed}: ${what} at ${index}`).toBe('violation')
    }
  },
)
