import { expect, test } from 'vitest'
import type { JournalEvent } from '../../src/journal/event.ts'
import { createTopics } from '../../src/journal/topics.ts'
import { deferred } from '../support/deferred.ts'

function controlled() {
  const reads: { after: number; answer: (events: readonly JournalEvent[]) => void }[] = []
  const topics = createTopics((_workspaceId, after) => {
    const { promise, resolve } = deferred<readonly JournalEvent[]>()
    reads.push({ after, answer: resolve })
    return promise
  })
  return { topics, reads }
}

test('subscribers that are equally far share a read, and others do not', () => {
  const { topics, reads } = controlled()
  const seats = [1, 1, 2].map((after) => ({ after, seat: topics.enter('ws') }))
  for (const { seat, after } of seats) void seat.read(after)
  void topics.enter('another').read(1)
  expect(reads.map(({ after }) => after)).toEqual([1, 2, 1])
})

test('a read that began before a wake-up is not shared by whoever was woken', async () => {
  const { topics, reads } = controlled()
  const early = topics.enter('ws')
  const late = topics.enter('ws')
  const before = early.read(0)
  topics.wake({ workspaceId: 'ws', seq: 1 })
  const after = late.read(0)
  expect(reads).toHaveLength(2)
  for (const { answer } of reads) answer([])
  await Promise.all([before, after])
})

test('nothing is kept of a workspace that its last subscriber has left', () => {
  const { topics } = controlled()
  const seats = [topics.enter('ws'), topics.enter('ws')]
  seats[0]?.leave()
  expect(topics.workspaceIds()).toEqual(['ws'])
  seats[1]?.leave()
  expect(topics.workspaceIds()).toEqual([])
})
