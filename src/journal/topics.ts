import { createBell, type Bell } from './bell.ts'
import type { JournalEvent } from './event.ts'
import type { Head } from './notifier.ts'

type Read = (workspaceId: string, after: number) => Promise<readonly JournalEvent[]>

/** The workspaces that have subscribers here, and who waits for what. */
export interface Topics {
  /** Wakes the subscribers of a journal that has moved on; costs nothing where that is known or nobody listens. */
  wake(head: Head): void
  wakeAll(): void
  workspaceIds(): string[]
  enter(workspaceId: string): Seat
}

/** One subscriber's place in a topic. */
export interface Seat {
  readonly bell: Bell
  /** True when a wake-up told of events after `cursor`. */
  movedBeyond(cursor: number): boolean
  /** Those who were woken together, and are equally far, read once. */
  read(after: number): Promise<readonly JournalEvent[]>
  leave(): void
}

interface Topic {
  /** The last event that a wake-up told of; 0 before the first. */
  head: number
  readonly bells: Set<Bell>
  /** The read under way, until a wake-up comes: what is joined must have begun after the wake-up of whoever joins. */
  reading: { readonly after: number; readonly events: Promise<readonly JournalEvent[]> } | null
}

export function createTopics(read: Read): Topics {
  const topics = new Map<string, Topic>()

  function readTogether(workspaceId: string, topic: Topic, after: number): Promise<readonly JournalEvent[]> {
    if (topic.reading?.after === after) return topic.reading.events
    const events = read(workspaceId, after).finally(() => {
      if (topic.reading === reading) topic.reading = null
    })
    const reading = { after, events }
    topic.reading = reading
    return events
  }

  return {
    wake({ workspaceId, seq }) {
      const topic = topics.get(workspaceId)
      // Written so that a seq of NaN, which is not greater than anything, wakes nobody.
      if (topic === undefined || !(seq > topic.head)) return
      topic.head = seq
      topic.reading = null
      for (const bell of topic.bells) bell.ring()
    },
    wakeAll() {
      for (const { bells } of topics.values()) for (const bell of bells) bell.ring()
    },
    workspaceIds: () => [...topics.keys()],
    enter(workspaceId) {
      const topic = topics.get(workspaceId) ?? { head: 0, bells: new Set(), reading: null }
      const bell = createBell()
      topic.bells.add(bell)
      topics.set(workspaceId, topic)
      return {
        bell,
        movedBeyond: (cursor) => topic.head > cursor,
        read: (after) => readTogether(workspaceId, topic, after),
        leave() {
          topic.bells.delete(bell)
          if (topic.bells.size === 0) topics.delete(workspaceId)
        },
      }
    },
  }
}
