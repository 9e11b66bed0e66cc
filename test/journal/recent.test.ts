import { expect, test as it } from 'vitest'
import { fc, test } from '@fast-check/vitest'
import { SYSTEM, type JournalEvent } from '../../src/journal/event.ts'
import { createRecentEvents } from '../../src/journal/recent.ts'

const event = (seq: number, chars = 1): JournalEvent => ({
  seq,
  type: 'test.done',
  at: new Date(0),
  actor: SYSTEM,
  payload: { text: 'x'.repeat(chars) },
  teamState: true,
  hash: Buffer.alloc(32, seq % 256),
})

const run = (from: number, count: number) => Array.from({ length: count }, (_, index) => event(from + index))

const seqs = (events: readonly JournalEvent[] | null) => events?.map(({ seq }) => seq) ?? null

test.prop([
  fc.array(fc.record({ skipped: fc.nat(3), count: fc.integer({ min: 1, max: 90 }) }), { maxLength: 8 }),
  fc.nat(400),
  fc.nat(400),
])('are given as all that lie between two positions, or not at all', (commits, a, b) => {
  const recent = createRecentEvents()
  const there = new Set<number>()
  let head = 0
  for (const { skipped, count } of commits) {
    recent.committed('ws', run(head + skipped + 1, count))
    for (let seq = head + skipped + 1; seq <= head + skipped + count; seq += 1) there.add(seq)
    head += skipped + count
  }
  const [after, upTo] = [Math.min(a, b, head), Math.min(Math.max(a, b), head)]
  const wanted = Array.from({ length: upTo - after }, (_, index) => after + 1 + index)
  const found = recent.between('ws', after, upTo)
  if (found !== null) expect(seqs(found)).toEqual(wanted)
  if (wanted.some((seq) => !there.has(seq))) expect(found).toBeNull()
  // What the last commit appended is always there.
  const last = commits.at(-1)
  if (last !== undefined) expect(seqs(recent.between('ws', head - last.count, head))).toHaveLength(last.count)
})

it('are not given where another replica wrote between them', () => {
  const recent = createRecentEvents()
  recent.committed('ws', run(1, 3))
  recent.committed('ws', run(5, 2))
  expect(recent.between('ws', 2, 6)).toBeNull()
  expect(seqs(recent.between('ws', 4, 6))).toEqual([5, 6])
  // And the head may be further than what this process knows.
  expect(recent.between('ws', 4, 7)).toBeNull()
})

it('are bounded: in number, in length, and in workspaces', () => {
  const recent = createRecentEvents()
  recent.committed('ws', run(1, 300))
  expect(recent.between('ws', 43, 300)).toBeNull()
  expect(recent.between('ws', 44, 300)).toHaveLength(256)
  recent.committed('ws', [event(301), event(302, 3_000), event(303)])
  expect(recent.between('ws', 301, 303)).toBeNull()
  expect(seqs(recent.between('ws', 302, 303))).toEqual([303])
  for (let count = 0; count < 200; count += 1) recent.committed(`other ${count}`, run(1, 1))
  expect(recent.between('ws', 302, 303)).toBeNull()
})

it('nothing lies between a position and itself, known or not', () => {
  expect(createRecentEvents().between('ws', 7, 7)).toEqual([])
})
