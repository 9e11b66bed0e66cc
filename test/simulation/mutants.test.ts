/**
 * The simulation's own test: a core with one fault in it must be found out, and shrunk from hundreds of steps to a few. Each mutant
 * replaces one decision of the product in the very modules that the simulation composes.
 */
import * as fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import type * as ChainOfSwap from '../../src/journal/compare-and-swap.ts'
import type * as ClaimDecisions from '../../src/modules/claim/claim.ts'
import type * as Overlap from '../../src/modules/claim/overlap.ts'
import type * as SessionDecisions from '../../src/modules/session/session.ts'
import type * as ValueDecisions from '../../src/modules/values/values.ts'
import type * as Machine from '../../src/modules/workflow/machine.ts'
import { explore } from './simulation.ts'

type Decisions = typeof ClaimDecisions &
  typeof Overlap &
  typeof SessionDecisions &
  typeof ValueDecisions &
  typeof Machine &
  typeof ChainOfSwap

const fault = vi.hoisted(() => ({ current: {} as Record<string, unknown> }))

/** A module whose functions do what the present mutant says, or else what they always do. */
const mutable = vi.hoisted(() => async (original: () => Promise<object>) => {
  const functions = Object.entries(await original()).map(([name, whole]) => {
    if (typeof whole !== 'function') return [name, whole]
    return [name, (...args: unknown[]) => ((fault.current[name] ?? whole) as (...args: unknown[]) => unknown)(...args)]
  })
  return Object.fromEntries(functions) as object
})

vi.mock('../../src/modules/claim/overlap.ts', mutable)
vi.mock('../../src/modules/claim/claim.ts', mutable)
vi.mock('../../src/modules/session/session.ts', mutable)
vi.mock('../../src/modules/values/values.ts', mutable)
vi.mock('../../src/modules/workflow/machine.ts', mutable)
vi.mock('../../src/journal/compare-and-swap.ts', mutable)

const claims = await vi.importActual<typeof ClaimDecisions>('../../src/modules/claim/claim.ts')
const machine = await vi.importActual<typeof Machine>('../../src/modules/workflow/machine.ts')
const values = await vi.importActual<typeof ValueDecisions>('../../src/modules/values/values.ts')
const swap = await vi.importActual<typeof ChainOfSwap>('../../src/journal/compare-and-swap.ts')

const SEED = 20_261_121

const MUTANTS: readonly [what: string, fault: Partial<Decisions>, finding: RegExp][] = [
  ['overlap that compares texts', { overlaps: (a, b) => a.key === b.key }, /hold the same file/],
  [
    'overlap that knows no globs',
    { overlaps: (a, b) => `${b.key}/`.startsWith(`${a.key}/`) || `${a.key}/`.startsWith(`${b.key}/`) },
    /hold the same file/,
  ],
  [
    'overlap that looks one way only',
    { overlaps: (a, b) => a.prefix.startsWith(b.prefix) && a.kind === b.kind },
    /hold the same file|free path/,
  ],
  ['overlap everywhere', { overlaps: () => true }, /a free path was refused/],
  ['grants whatever is asked', { decideClaim: () => ({ kind: 'grant' }) }, /hold the same file/],
  [
    'shared claims beside exclusive ones',
    {
      decideClaim: (request, own, others, now) =>
        claims.decideClaim(request, own, request.mode === 'shared' ? [] : others, now),
    },
    /hold the same file/,
  ],
  [
    'renewal with a new fence',
    { renewed: (claim, now, ttl) => ({ ...claims.renewed(claim, now, ttl), fence: claim.fence + 1 }) },
    /has the fence/,
  ],
  [
    'renewal of leases that forgets the TTL',
    { renewed: (claim, now) => ({ ...claim, expiresAt: now }) },
    /lives past its lease/,
  ],
  ['leases that never end', { isLive: () => true }, /lives past its lease/],
  ['footprints anywhere', { outsideClaims: () => [] }, /is not held/],
  [
    'a footprint beside the claims',
    { contains: (outer, inner) => outer.prefix.length <= inner.prefix.length },
    /is not held/,
  ],
  ['compare-and-swap that lets everything through', { decideExpected: () => undefined }, /overlooked|in ignorance/],
  [
    'compare-and-swap that looks at the last event only',
    {
      decideExpected: (events, expectation) => swap.decideExpected(events.slice(-1), expectation),
    },
    /overlooked|in ignorance/,
  ],
  [
    'compare-and-swap that is always strict',
    {
      decideExpected: (events, { touches }) => swap.decideExpected(events, { mode: 'strict', touches }),
    },
    /does not touch it/,
  ],
  ['claims that nothing touches', { touchesScope: () => false }, /overlooked/],
  ['states that nothing touches', { touchesSession: () => false }, /in ignorance/],
  [
    'last write wins',
    {
      decideWrites: (entries, ...rest) =>
        values.decideWrites(
          entries.map(({ key, value }) => ({ key, value })),
          ...rest,
        ),
    },
    /an update was lost/,
  ],
  [
    'a batch that drops its last entry',
    { decideWrites: (...args) => values.decideWrites(...args).slice(0, 1) },
    /was not written/,
  ],
  [
    'anybody’s session',
    {
      decideJoin: (request, named) =>
        named === null ? { kind: 'create', agentId: request.agentId ?? '' } : { kind: 'resume' },
    },
    /went to somebody else/,
  ],
  [
    'advice to claim before reading',
    {
      nextTool: (intentId, phase) => (phase === 'identified' ? 'claim_scope' : machine.nextTool(intentId, phase)),
    },
    /would be refused/,
  ],
  [
    'a workflow that leaves its table',
    {
      move: (intentId, phase, step) =>
        intentId === 'plan' && step === 'read_team_state' ? 'claimed' : machine.move(intentId, phase, step),
    },
    /is no phase/,
  ],
]

afterEach(() => {
  fault.current = {}
})

test.each(MUTANTS)('finds %s', { timeout: 120_000 }, (_what, mutant, finding) => {
  fault.current = mutant
  const details = explore({ seed: SEED, runs: 1_000, stepsPerRun: 400 })
  const report = fc.defaultReportMessage(details) ?? ''
  expect(details.failed, report).toBe(true)
  expect(String(details.errorInstance)).toMatch(finding)
  const steps = details.counterexample?.[0] ?? []
  expect(steps.length, report).toBeLessThanOrEqual(15)
})

test('and finds nothing where nothing is wrong', { timeout: 120_000 }, () => {
  expect(explore({ seed: SEED, runs: 50, stepsPerRun: 400 }).failed).toBe(false)
})
