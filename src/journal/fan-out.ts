import type { Database } from '../db/client.ts'
import { openChannel } from '../db/listen.ts'
import { AppError } from '../kernel/errors.ts'
import { LIMITS, type Pace } from '../kernel/limits.ts'
import type { Log } from '../kernel/log.ts'
import type { Bell } from './bell.ts'
import type { JournalEvent } from './event.ts'
import { createNotifier, parseHead, type Head } from './notifier.ts'
import { createTopics } from './topics.ts'

const CHANNEL = 'ork_journal'

/** Between attempts to read while the database is away: doubles from the first to the last. */
const RETRY_FIRST_MS = 100
const RETRY_LAST_MS = 5_000

/**
 * Tells subscribers, here and on the other replicas, that a journal has moved on. Everything that travels is a wake-up:
 * a subscriber is a cursor that reads what is committed after it, so order and completeness come from the journal, and
 * a wake-up that is lost costs time (`healMs` at most), never an event.
 */
export interface FanOut {
  /** Events up to `seq` are committed. Never waits and never fails. */
  committed(workspaceId: string, seq: number): void
  /** See Journal.subscribe. */
  subscribe(workspaceId: string, after: number, signal: AbortSignal): AsyncIterable<readonly JournalEvent[]>
  /** False where notifications are lost, as far as that is known. */
  hearsItself(): boolean
  close(): Promise<void>
}

export interface FanOutDeps {
  readonly database: Database
  readonly log: Log
  readonly pace: Pick<Pace, 'notifyMs' | 'healMs'>
  /** Events after a position, oldest first. */
  read(workspaceId: string, after: number, limit: number): Promise<readonly JournalEvent[]>
  /** How far these journals go. */
  heads(workspaceIds: readonly string[]): Promise<readonly Head[]>
}

export function createFanOut(deps: FanOutDeps): FanOut {
  const { database, log, pace } = deps
  const topics = createTopics((workspaceId, after) => deps.read(workspaceId, after, LIMITS.eventsPerBatch))
  const heard = (payload: string) => topics.wake(parseHead(payload))
  const channel = openChannel(database, CHANNEL, { heard, listening: () => void heal() })
  const notifier = createNotifier({ notify: (payloads) => channel.notify(payloads), everyMs: pace.notifyMs, log })
  const healing = setInterval(() => void heal(), pace.healMs)
  healing.unref()
  let listening = false
  let closed = false

  async function heal(): Promise<void> {
    const workspaceIds = topics.workspaceIds()
    if (closed || workspaceIds.length === 0) return
    try {
      for (const head of await deps.heads(workspaceIds)) topics.wake(head)
    } catch (err) {
      log.debug({ err }, 'could not look how far the journals go')
    }
  }

  async function* subscribe(workspaceId: string, after: number, signal: AbortSignal) {
    const over = () => closed || signal.aborted
    if (over()) return
    if (!listening) channel.listen()
    listening = true
    const seat = topics.enter(workspaceId)
    signal.addEventListener('abort', seat.bell.ring)
    try {
      for (let cursor = after; ;) {
        seat.bell.forget()
        const events = await patiently(() => seat.read(cursor), seat.bell, over)
        if (over()) return
        cursor = events.at(-1)?.seq ?? cursor
        if (events.length > 0 || seat.movedBeyond(cursor)) yield events
        if (events.length === LIMITS.eventsPerBatch) continue
        do await seat.bell.rung()
        while (!seat.movedBeyond(cursor) && !over())
      }
    } finally {
      signal.removeEventListener('abort', seat.bell.ring)
      seat.leave()
    }
  }

  return {
    committed(workspaceId, seq) {
      topics.wake({ workspaceId, seq })
      notifier.tell(workspaceId, seq)
    },
    subscribe,
    hearsItself: () => channel.hearsItself(),
    async close() {
      closed = true
      clearInterval(healing)
      topics.wakeAll()
      await notifier.close()
      await channel.close()
    },
  }
}

/** Reads again, later and later, as long as the database is away. Nothing when it is `over` before. */
async function patiently(
  read: () => Promise<readonly JournalEvent[]>,
  bell: Bell,
  over: () => boolean,
): Promise<readonly JournalEvent[]> {
  for (let waitMs = RETRY_FIRST_MS; !over(); waitMs = Math.min(waitMs * 2, RETRY_LAST_MS)) {
    try {
      return await read()
    } catch (thrown) {
      if (!(thrown instanceof AppError && thrown.code === 'UNAVAILABLE')) throw thrown
      await bell.rung(waitMs * (0.5 + Math.random()))
    }
  }
  return []
}
