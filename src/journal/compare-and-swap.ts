import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import { and, eq } from 'drizzle-orm'
import { genesisHash, parseStateHash } from './chain.ts'
import type { JournalEvent } from './event.ts'
import { readEvents, type WorkspaceTx } from './journal.ts'
import { events } from './schema.ts'
import { showEvent } from './show.ts'

export interface Expectation {
  /** The stateHash on which the caller decided. */
  readonly expected: string
  /** `strict`: refuse whatever happened in between. `scoped`: only what `touches` says. */
  readonly mode: 'scoped' | 'strict'
  /** Does this event, which changed team state after the expected position, touch what the caller is about to do? */
  touches(event: JournalEvent): boolean
}

/**
 * Compare-and-swap on team state, under the workspace's lock.
 *
 * @throws AppError STATE_HASH_UNKNOWN for text that is no position of this journal; STATE_CHANGED, with the events
 *   since and the current hash in the answer's envelope, where an event in between stands in the way.
 */
export async function checkExpected(ws: WorkspaceTx, expectation: Expectation): Promise<void> {
  if (expectation.expected === ws.stateHash) return
  const seq = await positionOf(ws, expectation.expected)
  if (seq === ws.state.seq) return
  decideExpected(await eventsSince(ws, seq), expectation)
}

/**
 * The decision itself.
 *
 * @param events what came after the expected position, oldest first, up to LIMITS.casEvents of them
 * @throws AppError STATE_CHANGED
 */
export function decideExpected(
  events: readonly JournalEvent[],
  expectation: Pick<Expectation, 'mode' | 'touches'>,
): void {
  const since = events.filter((event) => event.teamState)
  const hit = expectation.mode === 'strict' ? since[0] : since.find((event) => expectation.touches(event))
  // Counted with those that are on record only: past this many, nobody has looked at the rest.
  if (hit !== undefined || events.length >= LIMITS.casEvents) throw stateChanged(since, hit)
}

/** The seq of a stateHash of this workspace. */
export async function positionOf(ws: WorkspaceTx, stateHash: string): Promise<number> {
  const parsed = parseStateHash(stateHash)
  if (parsed === null || parsed.seq > ws.state.seq) throw new AppError('STATE_HASH_UNKNOWN')
  const hash = parsed.seq === 0 ? genesisHash(ws.workspaceId) : await hashAt(ws, parsed.seq)
  const isOurs = hash !== undefined && Buffer.from(hash).toString('hex').startsWith(parsed.hashPrefix)
  if (!isOurs) throw new AppError('STATE_HASH_UNKNOWN')
  return parsed.seq
}

async function hashAt(ws: WorkspaceTx, seq: number): Promise<Uint8Array | undefined> {
  const known = ws.recent(seq - 1)?.[0]
  if (known !== undefined) return known.hash
  const rows = await ws.tx
    .select({ hash: events.hash })
    .from(events)
    .where(and(eq(events.workspaceId, ws.workspaceId), eq(events.seq, seq)))
  return rows[0]?.hash
}

/** In pages, so that a caller who is a little behind pays little; at most LIMITS.casEvents. */
async function eventsSince(ws: WorkspaceTx, seq: number): Promise<readonly JournalEvent[]> {
  const recent = ws.recent(seq)
  if (recent !== null) return recent
  const found: JournalEvent[] = []
  for (let after = seq, page = 100; found.length < LIMITS.casEvents; page = 1000) {
    const next = await readEvents(ws.tx, ws.workspaceId, after, page)
    found.push(...next)
    if (next.length < page) break
    after = next.at(-1)?.seq ?? after
  }
  return found
}

function stateChanged(since: readonly JournalEvent[], hit: JournalEvent | undefined): AppError {
  const changedBy = hit === undefined ? {} : { changedBy: showEvent(hit) }
  return new AppError('STATE_CHANGED', undefined, { details: { ...changedBy, changes: since.map(showEvent) } })
}
