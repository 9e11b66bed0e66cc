import { eq } from 'drizzle-orm'
import type { InWorkspace, Last, Scoped, ScopedTx } from '../db/client.ts'
import { AppError } from '../kernel/errors.ts'
import type { JsonObject } from '../kernel/canonical.ts'
import { eventHash, formatStateHash, type Position } from './chain.ts'
import type { Actor, EventType, JournalEvent, Subject, TypedEvent } from './event.ts'
import type { RecentEvents } from './recent.ts'
import { events } from './schema.ts'

/**
 * One change of one workspace, inside its transaction and under its lock.
 *
 * Nothing is written before `flush`: a decision appends events and registers writes, and a refusal throws them away
 * with `discard`. So "a refusal has changed nothing" holds by construction, and a command costs one burst of writes.
 *
 * @typeParam S the workspace alone, or with what its person has elsewhere
 */
export interface WorkspaceTx<out S extends InWorkspace = InWorkspace> {
  readonly workspaceId: string
  /** For reading. Writing goes through `write`. */
  readonly tx: ScopedTx<S>
  /** The database's clock, read after the lock was taken; never before that of an earlier change that wrote anything. */
  readonly now: Date
  /** Position of the last event that changed team state, appended ones included. */
  readonly state: Position
  readonly stateHash: string
  /** The seq that the next appended event will have. */
  readonly nextSeq: number
  /**
   * Greater than every fence and version before it, also than those that were given after a backup which was restored since:
   * the next event's seq, and what `raiseFences` added.
   */
  readonly nextFence: number
  /** The events after a position, as far as they were committed or sent before this command; null where they must be read. */
  recent(after: number): readonly JournalEvent[] | null
  /** What an event is about, by its row in the type table; nothing for types this version does not know. */
  subjectOf(event: JournalEvent): Subject
  /** Appends to the journal. The event has its final seq and hash at once: nobody else can append meanwhile. */
  append<P extends JsonObject>(type: TypedEvent<P>, payload: P, actor: Actor): JournalEvent
  /** Registers a change of tables, to run with the events: a statement, or several sent without waiting between them. */
  write(work: (tx: ScopedTx) => Promise<unknown>): void
  /** The same where a statement comes after the answer to another: the commit waits for the last of them. */
  writeInSteps(work: (tx: ScopedTx) => Promise<unknown>): void
  /**
   * Registers what takes locks that come after all others (modules/audit/store.ts): it runs at the end of the transaction,
   * which therefore must be this change's alone, in the scope of its person.
   */
  atEnd(work: (tx: ScopedTx) => Promise<unknown>): void
  /** Something will be due at `at`: the workspace is looked at then at the latest. */
  dueAt(at: Date): void
  /** After a backup was restored: all further fences are beyond every one that can have been given. Returns the new base. */
  raiseFences(): number
  /** Deletes every event, for good: only where the workspace itself is deleted. The head stays, with its hash. */
  erase(): void
  /** Forgets what was appended and registered since the last flush. */
  discard(): void
  flush(): Promise<void>
}

const LOCK = 'select 1 from journals where workspace_id = $1 for update'

const HEAD = `select seq::float8, hash, state_seq::float8 as "stateSeq", state_hash as "stateHash",
    fence_base::float8 as "fenceBase",
    (extract(epoch from next_due_at) * 1000)::float8 as "nextDueMs",
    floor(extract(epoch from greatest(clock, clock_timestamp())) * 1000)::float8 as "nowMs"
  from journals where workspace_id = $1`

interface HeadRow {
  readonly seq: number
  readonly hash: Buffer
  readonly stateSeq: number
  readonly stateHash: Buffer
  readonly fenceBase: number
  readonly nextDueMs: number | null
  readonly nowMs: number
}

/** Thrown where somebody who only looks would write. */
export class NeedsLock extends Error {}

/** What a journal knows beside the database. */
export interface Surroundings {
  readonly types: TypeTable
  readonly recent: RecentEvents
}

/**
 * The workspace without its lock, for looking: what would be written is refused with NeedsLock.
 *
 * @param open sends what the command asks, with the same round trip
 */
export async function lookAt<T>(
  orm: Scoped,
  workspaceId: string,
  around: Surroundings,
  open: (orm: Scoped) => T,
): Promise<{ change: Change; opened: T }> {
  const head = orm.fixed<HeadRow>(HEAD, [workspaceId])
  const opened = open(orm)
  const change = changeOf(orm, workspaceId, around, await head, null)
  if (change.isDue()) throw new NeedsLock()
  return { change, opened }
}

/**
 * Takes the lock in one statement and reads the clock in the next: read together, the clock is older than the wait. So is
 * whatever `open` asks for, in statements behind these.
 */
export async function lockWorkspace<S extends InWorkspace, T>(
  tx: ScopedTx<S>,
  workspaceId: string,
  around: Surroundings,
  last: Last,
  open: (tx: ScopedTx<S>) => T,
): Promise<{ change: Change<S>; opened: T }> {
  const locked = Promise.all([tx.fixed(LOCK, [workspaceId]), tx.fixed<HeadRow>(HEAD, [workspaceId])])
  const opened = open(tx)
  const [, rows] = await locked
  return { change: changeOf(tx, workspaceId, around, rows, last), opened }
}

function changeOf<S extends InWorkspace>(
  orm: Scoped<S>,
  workspaceId: string,
  around: Surroundings,
  [row]: readonly HeadRow[],
  last: Last | null,
): Change<S> {
  if (row === undefined) throw new AppError('NOT_FOUND')
  const { seq, hash, stateSeq, stateHash, fenceBase, nextDueMs, nowMs } = row
  const at = {
    head: { seq, hash },
    state: { seq: stateSeq, hash: stateHash },
    nextDueAt: nextDueMs === null ? null : new Date(nextDueMs),
    fenceBase,
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- without `last` it is not written to
  return new Change(orm as ScopedTx<S>, workspaceId, new Date(nowMs), at, around, last)
}

const APPEND = `insert into events (workspace_id, seq, type, at, actor, payload, team_state, hash)
  select $1, seq, type, at, actor, payload, "teamState", decode(hash, 'hex')
  from json_to_recordset($2::json) as appended(
    seq bigint, type text, at timestamptz, actor jsonb, payload jsonb, "teamState" boolean, hash text)`

const MOVE_HEAD = `update journals
  set seq = $2, hash = $3, state_seq = $4, state_hash = $5, clock = $6, next_due_at = $7, fence_base = $8 where workspace_id = $1`

export type TypeTable = ReadonlyMap<string, EventType>

/** Where a journal stands. */
export interface Standing {
  readonly head: Position
  readonly state: Position
  readonly nextDueAt: Date | null
  /** What is added to a seq to make a fence. */
  readonly fenceBase: number
}

/** Where it stands in the transaction, with the events that are in it, and what is to come at its end. */
interface Mark extends Standing {
  readonly appended: readonly JournalEvent[]
  readonly atEnd: readonly Write[]
}

type Write = (tx: ScopedTx) => Promise<unknown>

export class Change<S extends InWorkspace = InWorkspace> implements WorkspaceTx<S> {
  readonly workspaceId: string
  readonly tx: ScopedTx<S>
  readonly now: Date
  /** The seq of the first event that it may append. */
  readonly firstSeq: number
  readonly #around: Surroundings
  /** Takes what is sent before the commit; null where nothing may be. */
  readonly #last: Last | null
  head: Position
  state: Position
  nextDueAt: Date | null
  #fenceBase: number
  #pendingEvents: JournalEvent[] = []
  #pendingWrites: Write[] = []
  #hasSteps = false
  #atEnd: readonly Write[] = []
  #flushed: Mark
  /** The journal's row is to be written: its clock goes with whatever was decided by it, or could run backwards. */
  #changed = false
  /** Something was sent that the journal's row does not tell of yet. */
  #headIsDue = false

  constructor(tx: ScopedTx<S>, workspaceId: string, now: Date, at: Standing, around: Surroundings, last: Last | null) {
    this.tx = tx
    this.workspaceId = workspaceId
    this.now = now
    this.firstSeq = at.head.seq + 1
    this.#around = around
    this.#last = last
    this.head = at.head
    this.state = at.state
    this.nextDueAt = at.nextDueAt
    this.#fenceBase = at.fenceBase
    this.#flushed = { ...at, appended: [], atEnd: [] }
  }

  /** The events that are in the transaction. */
  get appended(): readonly JournalEvent[] {
    return this.#flushed.appended
  }

  get stateHash(): string {
    return formatStateHash(this.state)
  }

  get nextSeq(): number {
    return this.head.seq + 1
  }

  get nextFence(): number {
    return this.#fenceBase + this.nextSeq
  }

  raiseFences(): number {
    // Microseconds since 1970: what was lost appended fewer events than it took microseconds. A count of restores would
    // not do: it comes back with the backup, and the same backup may be restored twice. Below 2^53 until 2255.
    this.#fenceBase = Math.max(this.#fenceBase, this.now.getTime() * 1_000)
    this.#changed = true
    return this.#fenceBase
  }

  subjectOf(event: JournalEvent): Subject {
    return this.#around.types.get(event.type)?.subject(event.payload) ?? {}
  }

  recent(after: number): readonly JournalEvent[] | null {
    const committed = this.#around.recent.between(this.workspaceId, after, this.firstSeq - 1)
    return committed && [...committed, ...this.appended.slice(Math.max(after + 1 - this.firstSeq, 0))]
  }

  append<P extends JsonObject>(type: TypedEvent<P>, payload: P, actor: Actor): JournalEvent {
    const seq = this.nextSeq
    const body = { seq, type: type.name, at: this.now.toISOString(), actor, payload }
    const hash = eventHash(this.head.hash, body)
    const event = { ...body, at: this.now, teamState: type.teamState, hash }
    this.head = { seq, hash }
    if (type.teamState) this.state = this.head
    this.#pendingEvents.push(event)
    this.#changed = true
    return event
  }

  write(work: Write): void {
    this.#pendingWrites.push(work)
    this.#changed = true
  }

  writeInSteps(work: Write): void {
    this.write(work)
    this.#hasSteps = true
  }

  atEnd(work: Write): void {
    this.#atEnd = [...this.#atEnd, work]
  }

  dueAt(at: Date): void {
    if (this.nextDueAt !== null && this.nextDueAt <= at) return
    this.nextDueAt = at
    this.#changed = true
  }

  erase(): void {
    const { workspaceId } = this
    this.nextDueAt = null
    this.write((tx) => tx.delete(events).where(eq(events.workspaceId, workspaceId)))
  }

  /** The journal's row must be written even if nothing was appended: `nextDueAt` moved. */
  touch(): void {
    this.#changed = true
  }

  /** What is written so far. */
  mark(): Mark {
    return this.#flushed
  }

  /** Forgets everything after a mark, also what was flushed: the database has been taken back there. */
  returnTo(mark: Mark): void {
    this.#flushed = mark
    this.discard()
  }

  discard(): void {
    this.head = this.#flushed.head
    this.state = this.#flushed.state
    this.nextDueAt = this.#flushed.nextDueAt
    this.#fenceBase = this.#flushed.fenceBase
    this.#pendingEvents = []
    this.#pendingWrites = []
    this.#hasSteps = false
    this.#atEnd = this.#flushed.atEnd
    this.#changed = false
  }

  /**
   * `flush` where only the commit, or commands that wait for their answers themselves, come after; and what was
   * registered for the end, once everything else is written. Resolves as soon as every statement was sent: what is
   * written in steps is answered by then.
   *
   * @param more another command comes in this transaction: the row of the journal is left to the last `send`. No command
   *   reads it, and each version of it that a transaction makes is in the way of those who look for the newest.
   */
  async send(more: 'more' | 'last' = 'last'): Promise<void> {
    if (this.#last === null) return this.#refuseToWrite()
    if (!this.#hasSteps && this.#atEnd.length === 0) return this.#last(this.flush(more))
    await this.flush(more)
    const works = this.#atEnd
    this.#atEnd = []
    for (const work of works) await work(this.tx)
  }

  /** Whether something in the workspace is over by now, and not yet on record. */
  isDue(): boolean {
    return this.nextDueAt !== null && this.nextDueAt <= this.now
  }

  #refuseToWrite(): void {
    if (this.#changed || this.#atEnd.length > 0) throw new NeedsLock()
  }

  async flush(more: 'more' | 'last' = 'last'): Promise<void> {
    if (this.#last === null) return this.#refuseToWrite()
    const { workspaceId, tx } = this
    const writes = this.#pendingWrites.map((work) => work(tx))
    if (this.#pendingEvents.length > 0) {
      const rows = this.#pendingEvents.map((event) => ({ ...event, hash: Buffer.from(event.hash).toString('hex') }))
      writes.push(tx.fixed(APPEND, [workspaceId, JSON.stringify(rows)]))
    }
    if (this.#changed) this.#headIsDue = true
    if (this.#headIsDue && more === 'last') {
      this.#headIsDue = false
      const { head, state, now, nextDueAt } = this
      const [clock, dueAt] = [now.toISOString(), nextDueAt?.toISOString() ?? null]
      writes.push(
        tx.fixed(MOVE_HEAD, [workspaceId, head.seq, head.hash, state.seq, state.hash, clock, dueAt, this.#fenceBase]),
      )
    }
    const appended = [...this.appended, ...this.#pendingEvents]
    const standing = { head: this.head, state: this.state, nextDueAt: this.nextDueAt, fenceBase: this.#fenceBase }
    this.#flushed = { ...standing, appended, atEnd: this.#atEnd }
    this.#pendingEvents = []
    this.#pendingWrites = []
    this.#hasSteps = false
    this.#changed = false
    // Sent together, answered in order: one round trip.
    await Promise.all(writes)
  }
}
