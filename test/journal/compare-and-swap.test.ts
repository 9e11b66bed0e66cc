import { describe, expect, test } from 'vitest'
import { decideExpected } from '../../src/journal/compare-and-swap.ts'
import { SYSTEM, type JournalEvent } from '../../src/journal/event.ts'
import { LIMITS } from '../../src/kernel/limits.ts'

const event = (seq: number, teamState: boolean): JournalEvent => ({
  seq,
  teamState,
  type: teamState ? 'state.published' : 'run.started',
  at: new Date(0),
  actor: SYSTEM,
  payload: {},
  hash: Buffer.alloc(0),
})

const harmless = { mode: 'scoped' as const, touches: () => false }

describe('a write decided on an ancestor', () => {
  test('goes on where nothing in between touches it', () => {
    expect(() => decideExpected([event(1, true), event(2, false)], harmless)).not.toThrow()
  })

  test('is refused where too much came in between to be looked through, also if little of it changed team state', () => {
    const many = Array.from({ length: LIMITS.casEvents }, (_, index) => event(index + 1, index % 2 === 0))
    expect(() => decideExpected(many, harmless)).toThrow(expect.objectContaining({ code: 'STATE_CHANGED' }))
  })

  test('is refused in strict mode after any change of team state, and only then', () => {
    const strict = { mode: 'strict' as const, touches: () => false }
    expect(() => decideExpected([event(1, false)], strict)).not.toThrow()
    expect(() => decideExpected([event(1, false), event(2, true)], strict)).toThrow(
      expect.objectContaining({
        code: 'STATE_CHANGED',
        details: expect.objectContaining({ changedBy: expect.objectContaining({ seq: 2 }) }) as object,
      }),
    )
  })
})
