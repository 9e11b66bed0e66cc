/**
 * A deterministic simulation of the pure core: random agents on one workspace with a virtual clock, every invariant
 * after every step. SIMULATION_SEED repeats a run, SIMULATION_RUNS makes it longer.
 */
import { randomInt } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { overlaps } from '../../src/modules/claim/overlap.ts'
import { filesMatched, PATTERNS } from './paths.ts'
import { explore, type Tally } from './simulation.ts'

const SEED = Number(process.env['SIMULATION_SEED'] ?? randomInt(2 ** 31))
const RUNS = Number(process.env['SIMULATION_RUNS'] ?? 1_000)
const STEPS = 100_000

test('the world of files tells apart what overlaps and what does not, for every two patterns', () => {
  for (const a of PATTERNS) {
    for (const b of PATTERNS) {
      const meet = (filesMatched([a]) & filesMatched([b])) !== 0n
      expect(overlaps(a, b), `${a.display} and ${b.display}`).toBe(meet)
    }
  }
})

test(
  `whatever ${STEPS.toLocaleString('en')} random steps of many agents do, every invariant holds`,
  { timeout: 120_000 },
  () => {
    const tally: Tally = new Map()
    const details = explore({ seed: SEED, runs: RUNS, stepsPerRun: 400, tally })
    if (details.failed) throw new Error(fc.defaultReportMessage(details))
    const steps = [...tally.values()].reduce((sum, count) => sum + count, 0)
    expect(steps, `SIMULATION_SEED=${SEED}`).toBeGreaterThanOrEqual(STEPS)
    // The steps went everywhere: each of these, and not once or twice.
    const often = [
      'claim: ok',
      'claim: SCOPE_CONFLICT',
      'claim: STATE_CHANGED',
      'claim: STATE_HASH_UNKNOWN',
      'claim: INTENT_DISALLOWS_WRITE',
      'claim: WORKFLOW_STEP_VIOLATION',
      'claim: WORKFLOW_RESYNC_REQUIRED',
      'claim: WORKFLOW_REQUIRED',
      'claim: NOT_JOINED',
      'publish: ok',
      'publish: FOOTPRINT_OUTSIDE_CLAIM',
      'publish: STATE_CHANGED',
      'release: ok',
      'release: CLAIM_NOT_FOUND',
      'release: CLAIM_EXPIRED',
      'write: ok',
      'write: VERSION_CONFLICT',
      'join: ok',
      'join: AGENT_TAKEN',
      'join: REPO_MISMATCH',
    ]
    expect(often.filter((label) => (tally.get(label) ?? 0) < 10)).toEqual([])
  },
)
