import { expect, test, vi } from 'vitest'
import type { JournalEvent } from '../../src/journal/event.ts'
import { createWatches } from '../../src/journal/watch.ts'
import { deferred } from '../support/deferred.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** A journal whose batches the test hands out, and that knows who reads it. */
function fakeJournal(heads: (() => Promise<number>)[] = [async () => 7]) {
  const open: { after: number; send: (seqs: number[]) => void }[] = []
  return {
    open,
    head: async () => (heads.length > 1 ? heads.shift() : heads[0])?.() ?? 0,
    async *subscribe(_workspaceId: string, after: number, signal: AbortSignal) {
      const queue: number[][] = []
      let wake = () => {}
      const reader = { after, send: (seqs: number[]) => (queue.push(seqs), wake()) }
      open.push(reader)
      signal.addEventListener('abort', () => wake())
      while (!signal.aborted) {
        const seqs = queue.shift()
        // As much of an event as a watcher is told apart by.
        if (seqs !== undefined) yield seqs.map((seq) => ({ seq }) as JournalEvent)
        else await new Promise<void>((resolve) => (wake = resolve))
      }
      open.splice(open.indexOf(reader), 1)
    },
  }
}

const seqs = (told: (readonly JournalEvent[])[]) => told.map((events) => events.map(({ seq }) => seq))

test('all watchers of a workspace share one cursor, which begins at the head and goes with the last of them', async () => {
  const journal = fakeJournal()
  const watches = createWatches({ journal, log })
  const [one, two] = [new AbortController(), new AbortController()]
  const [first, second]: (readonly JournalEvent[])[][] = [[], []]
  await watches.watch('ws', (events) => first?.push(events), one.signal)
  await watches.watch('ws', (events) => second?.push(events), two.signal)
  await vi.waitFor(() => expect(journal.open.map(({ after }) => after)).toEqual([7]))
  journal.open[0]?.send([8, 9])
  await vi.waitFor(() => expect(seqs(second ?? [])).toEqual([[8, 9]]))
  one.abort()
  journal.open[0]?.send([])
  await vi.waitFor(() => expect(seqs(second ?? [])).toEqual([[8, 9], []]))
  expect(seqs(first ?? [])).toEqual([[8, 9]])
  two.abort()
  await vi.waitFor(() => expect(journal.open).toEqual([]))
  await watches.watch('ws', () => undefined, new AbortController().signal)
  await vi.waitFor(() => expect(journal.open).toHaveLength(1))
})

test('where the head cannot be read everybody who waits is told, and the next one tries again', async () => {
  const away = deferred()
  const journal = fakeJournal([() => away.promise.then(() => Promise.reject(new Error('away'))), async () => 3])
  const watches = createWatches({ journal, log })
  const { signal } = new AbortController()
  const both = [watches.watch('ws', () => undefined, signal), watches.watch('ws', () => undefined, signal)]
  away.resolve()
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await watches.watch('ws', () => undefined, signal)
  await vi.waitFor(() => expect(journal.open.map(({ after }) => after)).toEqual([3]))
})
