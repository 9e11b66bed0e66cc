import type { Log } from '../kernel/log.ts'
import type { JournalEvent } from './event.ts'
import type { Journal } from './journal.ts'

/** Told of what was committed, in order. Nothing at all: the journal has moved and is not there any more. */
export type Watcher = (events: readonly JournalEvent[]) => void

/**
 * Watches journals for whoever only needs to know that something happened: one cursor for each workspace, however many
 * watch it. A watcher returns at once; what it makes of the events is its own.
 */
export interface Watches {
  /** From when it resolves until the signal, every event is told, on whatever replica it happens. */
  watch(workspaceId: string, watcher: Watcher, signal: AbortSignal): Promise<void>
}

interface Watch {
  readonly watchers: Set<Watcher>
  readonly over: AbortController
  readonly begun: Promise<void>
}

export function createWatches({ journal, log }: { journal: Pick<Journal, 'head' | 'subscribe'>; log: Log }): Watches {
  const watches = new Map<string, Watch>()

  async function follow(workspaceId: string, after: number, { watchers, over }: Watch): Promise<void> {
    try {
      for await (const events of journal.subscribe(workspaceId, after, over.signal)) {
        for (const watcher of watchers) watcher(events)
      }
    } catch (err) {
      log.error({ err, workspaceId }, 'a journal is not watched any more')
    }
  }

  function begin(workspaceId: string): Watch {
    const head = journal.head(workspaceId)
    const watch = { watchers: new Set<Watcher>(), over: new AbortController(), begun: head.then(() => undefined) }
    watches.set(workspaceId, watch)
    // Where the head cannot be read, `begun` tells everybody who waits for it.
    head.then(
      (after) => void follow(workspaceId, after, watch),
      () => undefined,
    )
    return watch
  }

  function leave(workspaceId: string, watch: Watch, watcher: Watcher): void {
    watch.watchers.delete(watcher)
    if (watch.watchers.size > 0) return
    watch.over.abort()
    if (watches.get(workspaceId) === watch) watches.delete(workspaceId)
  }

  return {
    async watch(workspaceId, watcher, signal) {
      if (signal.aborted) return
      const watch = watches.get(workspaceId) ?? begin(workspaceId)
      // A watcher of its own, since the same function may watch twice.
      const own: Watcher = (events) => watcher(events)
      watch.watchers.add(own)
      signal.addEventListener('abort', () => leave(workspaceId, watch, own))
      try {
        await watch.begun
      } catch (thrown) {
        leave(workspaceId, watch, own)
        throw thrown
      }
    },
  }
}
