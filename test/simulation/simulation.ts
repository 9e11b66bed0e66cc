import * as fc from 'fast-check'
import { action, perform, type Action } from './actions.ts'
import { inspect } from './invariants.ts'
import { emptyTables, type Tables } from './world.ts'

const REPOS = [0, 1].map((n) => ({ id: `rep_${n}`, canonicalRemote: `host/o/r${n}`, rootSha: null }))

/** Four agents of two persons that are ready to claim, so that most steps have something to meet. */
const OPENING: readonly Action[] = [0, 1, 2, 3].flatMap((agent): Action[] => [
  { do: 'join', agent, user: agent % 2, repo: agent === 3 ? 1 : 0 },
  { do: 'intent', agent, intentId: 'implement', chain: [] },
  { do: 'read', agent },
])

/** How often each kind of step ended how, such as `claim: SCOPE_CONFLICT`. */
export type Tally = Map<string, number>

/** Runs the steps in a fresh workspace and looks at every invariant after each. @throws Broken */
export function simulate(steps: readonly Action[], tally: Tally = new Map()): void {
  let tables: Tables = emptyTables(REPOS)
  let machineClockMs = tables.clockMs
  for (const step of [...OPENING, ...steps]) {
    // A second a step, and jumps in both directions.
    machineClockMs += (step.do === 'pass' ? step.seconds : 1) * 1000
    const outcome = perform(tables, step, machineClockMs)
    inspect(tables, step, outcome)
    tables = outcome.tables
    const label = `${step.do}: ${outcome.refusal?.code ?? 'ok'}`
    tally.set(label, (tally.get(label) ?? 0) + 1)
  }
}

/** Many runs of many agents' random steps. A failure is shrunk to the few steps that matter. */
export function explore(options: { seed: number; runs: number; stepsPerRun: number; tally?: Tally }) {
  const steps = fc.array(action, { minLength: 0, maxLength: options.stepsPerRun, size: 'max' })
  return fc.check(
    fc.property(steps, (drawn) => simulate(drawn, options.tally)),
    { seed: options.seed, numRuns: options.runs, verbose: 0 },
  )
}
