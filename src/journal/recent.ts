import type { JournalEvent } from './event.ts'

/** How many of the latest events of a workspace are kept: a busy one has about as many while an agent thinks. */
const EVENTS = 256
/** Longer payloads (a claim of many paths) are not kept, nor what was before them: memory is bounded by the three. */
const PAYLOAD_CHARS = 2_000
const WORKSPACES = 200

/**
 * The latest events of the workspaces that this process changed last. A write that was decided on an ancestor needs the events
 * since, and in a busy workspace nearly every write is: 32 agents in one spent a third of the server's time on reading the
 * same events again. What is kept was committed, and an event never changes; where there is a gap (another replica wrote), it
 * is not used.
 */
export interface RecentEvents {
  /** Keeps events that are committed, which follow each other. */
  committed(workspaceId: string, events: readonly JournalEvent[]): void
  /** The events after `seq` up to and including `upTo`; null where not all of them are here. */
  between(workspaceId: string, seq: number, upTo: number): readonly JournalEvent[] | null
}

export function createRecentEvents(): RecentEvents {
  /** Oldest first; in each, no gap. A Map goes through its keys in the order in which they were set. */
  const kept = new Map<string, readonly JournalEvent[]>()

  return {
    committed(workspaceId, events) {
      const short = events.slice(events.findLastIndex(isLong) + 1)
      const before = kept.get(workspaceId)
      const follows = short.length === events.length && before?.at(-1)?.seq === (events[0]?.seq ?? 0) - 1
      kept.delete(workspaceId)
      kept.set(workspaceId, [...(follows ? (before ?? []) : []), ...short].slice(-EVENTS))
      const [oldest] = kept.keys()
      if (kept.size > WORKSPACES && oldest !== undefined) kept.delete(oldest)
    },

    between(workspaceId, seq, upTo) {
      if (seq >= upTo) return []
      const events = kept.get(workspaceId) ?? []
      const first = events[0]?.seq ?? Infinity
      const last = events.at(-1)?.seq ?? -Infinity
      return first <= seq + 1 && last >= upTo ? events.slice(seq + 1 - first, upTo + 1 - first) : null
    },
  }
}

function isLong({ payload }: JournalEvent): boolean {
  return JSON.stringify(payload).length > PAYLOAD_CHARS
}
