import type { Database, InWorkspace, Last, OfUser, Scoped, ScopedTx } from '../db/client.ts'
import { newId } from '../kernel/ids.ts'
import { PACE, type Pace } from '../kernel/limits.ts'
import type { Log } from '../kernel/log.ts'
import { NO_METRICS, type Metrics } from '../kernel/metrics.ts'
import { genesisHash } from './chain.ts'
import {
  Change,
  lockWorkspace,
  lookAt,
  NeedsLock,
  type Surroundings,
  type TypeTable,
  type WorkspaceTx,
} from './change.ts'
import type { EventType, JournalEvent } from './event.ts'
import { createFanOut } from './fan-out.ts'
import { createRecentEvents } from './recent.ts'
import { dueWorkspaces, readEvents, readHeads, workspacesAfter } from './read.ts'
import { journals } from './schema.ts'
import { runAlone, runTogether, type Expire, type Opening, type Outcome } from './turn.ts'
import { createTurns } from './turns.ts'

export type { WorkspaceTx } from './change.ts'
export { readEvents, readStateHash } from './read.ts'
export type { Expire } from './turn.ts'

/** The scope of whoever founds a workspace: what they have already, and the new one. */
export type Founding = InWorkspace & OfUser

export interface Journal {
  /**
   * Runs `work` under the workspace's lock; commits what it appended unless it throws. What had expired before stays on
   * record also when `work` refuses. NOT_FOUND for no such workspace.
   *
   * @param ahead asks what `work` starts from, in the round trip that takes the lock, and behind it
   */
  change<S extends InWorkspace, T>(scope: S, work: (ws: WorkspaceTx<S>) => Promise<T>): Promise<T>
  change<S extends InWorkspace, T, A>(
    scope: S,
    work: (ws: WorkspaceTx<S>, known: A) => Promise<T>,
    ahead: (orm: Scoped<S>) => Promise<A>,
  ): Promise<T>
  /**
   * The same for what most likely changes nothing: `work` runs on the workspace as it is at one moment, without its lock, and
   * with no commit to wait for. Where it would write, or something is due, it is forgotten and runs again, in a `change`.
   */
  look<T>(scope: InWorkspace, work: (ws: WorkspaceTx) => Promise<T>): Promise<T>
  look<T, A>(
    scope: InWorkspace,
    work: (ws: WorkspaceTx, known: A) => Promise<T>,
    ahead: (orm: Scoped) => Promise<A>,
  ): Promise<T>
  /**
   * The same for a workspace that does not exist yet, whose id is made here. `work` runs first in the transaction, finds
   * out whether to create one (and may take locks), and gets `begin` to start the journal.
   */
  found<T>(
    founder: OfUser,
    work: (tx: ScopedTx<Founding>, begin: (now: Date) => Promise<WorkspaceTx<Founding>>) => Promise<T>,
  ): Promise<T>
  /** Events after a position, oldest first, at most `limit`. */
  read(workspaceId: string, after: number, limit: number): Promise<JournalEvent[]>
  /** The seq of the last event; 0 where there is no such workspace. */
  head(workspaceId: string): Promise<number>
  /** Ids of workspaces, also of deleted ones, in order, from after one of them. */
  workspaces(after: string, limit: number): Promise<string[]>
  /** The workspaces in which something is due by the database's clock. */
  due(limit: number): Promise<string[]>
  /**
   * Every event after a position, once and in order, first those that are there, then each as it is committed on any
   * replica; in batches of at most LIMITS.eventsPerBatch. An empty batch says that the journal has moved and nothing of it
   * is there: it was deleted. Nothing is buffered for a consumer that does not ask. While the
   * database is away it waits. Ends with `signal` and with `close`.
   */
  subscribe(workspaceId: string, after: number, signal: AbortSignal): AsyncIterable<readonly JournalEvent[]>
  /** False where what other replicas commit is told late, because notifications are lost. */
  hearsItself(): boolean
  /** Ends every subscription, and tells the other replicas of the last commits. Call it when no change is under way. */
  close(): Promise<void>
}

export function createJournal(deps: {
  database: Database
  eventTypes: readonly EventType[]
  expire: readonly Expire[]
  log: Log
  pace?: Pick<Pace, 'notifyMs' | 'healMs'>
  metrics?: Metrics
}): Journal {
  const { database, log, expire, pace = PACE, metrics = NO_METRICS } = deps
  const types: TypeTable = new Map(deps.eventTypes.map((type) => [type.name, type]))
  const read: Journal['read'] = (workspaceId, after, limit) =>
    database.read({ workspace: workspaceId }, (orm) => readEvents(orm, workspaceId, after, limit))
  const heads = (workspaceIds: readonly string[]) =>
    database.read({ system: true }, (orm) => readHeads(orm, workspaceIds))
  const fanOut = createFanOut({ database, log, pace, read, heads })

  const around = { types, recent: createRecentEvents() }
  const committed = (workspaceId: string, seq: number) => fanOut.committed(workspaceId, seq)
  const { told, ...ways } = waysIn({ database, around, metrics, committed })

  const journal: Journal = {
    ...commandsOf({ ...ways, expire, metrics }),

    found: ({ user }, work) => {
      const workspaceId = newId('ws')
      return told({ workspace: workspaceId, user }, async (tx, last) => {
        const founding = beginJournal(tx, workspaceId, around, last)
        const result = await work(tx, (now) => founding.begin(now))
        await founding.begun()?.send()
        return { result, change: founding.begun() }
      })
    },

    read,
    head: async (workspaceId) => (await heads([workspaceId]))[0]?.seq ?? 0,
    subscribe: (workspaceId, after, signal) => fanOut.subscribe(workspaceId, after, signal),
    hearsItself: () => fanOut.hearsItself(),
    close: () => fanOut.close(),

    workspaces: (after, limit) => database.read({ system: true }, (orm) => workspacesAfter(orm, after, limit)),
    due: (limit) => database.read({ system: true }, (orm) => dueWorkspaces(orm, limit)),
  }
  return journal
}

const nothing = () => Promise.resolve()

/** Commands: each in its turn, or first looking only. */
function commandsOf(deps: Omit<ReturnType<typeof waysIn>, 'told'> & { expire: readonly Expire[]; metrics: Metrics }) {
  const { underLock, looking, expire, metrics } = deps
  const alone = <S extends InWorkspace, T>(scope: S, open: Opening<S, T>): Promise<Outcome<T>> =>
    underLock(scope, open, (change, opened) => runAlone(change, expire, { open, opened }))
  const together = (scope: InWorkspace, commands: readonly Opening[]): Promise<Outcome[]> =>
    underLock(scope, nothing, (change) => runTogether(change, expire, commands))
  const inTurn = createTurns({ alone, together })

  async function change<S extends InWorkspace, T>(
    scope: S,
    work: (ws: WorkspaceTx<S>, known?: unknown) => Promise<T>,
    ahead: (orm: Scoped<S>) => Promise<unknown> = nothing,
  ): Promise<T> {
    const { workspace } = scope
    // Those who share a turn share its scope: a command in the workspace alone can, whatever S is called.
    const turn = (begun: Opening<S, T>) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      'user' in scope ? alone(scope, begun) : inTurn(workspace, begun as Opening<InWorkspace, T>)
    const outcome = await measuringWait(metrics, opening(work, ahead), turn)
    if ('refusal' in outcome) throw outcome.refusal
    return outcome.result
  }

  return {
    change,
    async look<T>(
      scope: InWorkspace,
      work: (ws: WorkspaceTx, known?: unknown) => Promise<T>,
      ahead: (orm: Scoped) => Promise<unknown> = nothing,
    ): Promise<T> {
      const seen = await looking(scope, opening(work, ahead))
      return seen === null ? change(scope, work, ahead) : seen.result
    },
  }
}

/** A command that starts from what it asks ahead. */
function opening<S extends InWorkspace, T, A>(
  work: (ws: WorkspaceTx<S>, known: A) => Promise<T>,
  ahead: (orm: Scoped<S>) => Promise<A>,
): Opening<S, T> {
  return (orm) => {
    const asked = ahead(orm)
    // Heard in any case, also where the lock is not to be had and nobody comes to wait for it.
    asked.catch(() => undefined)
    return async (ws) => work(ws, await asked)
  }
}

/** Runs a command, and measures how long it waits for its turn and for the lock of its workspace. */
async function measuringWait<S extends InWorkspace, T>(
  metrics: Metrics,
  open: Opening<S, T>,
  run: (open: Opening<S, T>) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const noLonger = metrics.hold('orkestrate_workspace_changes_waiting', {})
  const waited = metrics.timer('orkestrate_workspace_wait_seconds')
  let waiting = true
  const begun: Opening<S, T> = (orm) => {
    const work = open(orm)
    return (ws) => {
      noLonger()
      // It may begin again, by itself, where those who shared a turn could not.
      if (waiting) waited({})
      waiting = false
      return work(ws)
    }
  }
  return run(begun).finally(noLonger)
}

/** The journal of a workspace that is being founded, from when `begin` is called. */
function beginJournal(tx: ScopedTx<Founding>, workspaceId: string, around: Surroundings, last: Last) {
  let change: Change<Founding> | null = null
  return {
    async begin(now: Date): Promise<WorkspaceTx<Founding>> {
      const hash = genesisHash(workspaceId)
      const head = { seq: 0, hash }
      await tx.insert(journals).values({ workspaceId, seq: 0, hash, stateSeq: 0, stateHash: hash, clock: now })
      change = new Change(tx, workspaceId, now, { head, state: head, nextDueAt: null, fenceBase: 0 }, around, last)
      return change
    },
    begun: () => change,
  }
}

/** The transactions that work on a workspace runs in. */
function waysIn(deps: {
  database: Database
  around: Surroundings
  metrics: Metrics
  committed: (workspaceId: string, seq: number) => void
}) {
  const { database, around, metrics, committed } = deps

  /** Runs the transaction and tells of what it appended, once that is committed. */
  async function told<S extends InWorkspace, T>(
    scope: S,
    work: (tx: ScopedTx<S>, last: Last) => Promise<{ result: T; change: Change<S> | null }>,
  ): Promise<T> {
    const { result, change } = await database.write(scope, work)
    if (change === null || change.appended.length === 0) return result
    around.recent.committed(change.workspaceId, change.appended)
    for (const { type } of change.appended) metrics.count('orkestrate_journal_events_total', { event: type })
    committed(change.workspaceId, change.head.seq)
    return result
  }

  /** Runs `turn` under the lock of the workspace, in a transaction, with what was opened behind the lock. */
  function underLock<S extends InWorkspace, O, T>(
    scope: S,
    open: (tx: ScopedTx<S>) => O,
    turn: (change: Change<S>, opened: O) => Promise<T>,
  ): Promise<T> {
    return told(scope, async (tx, last) => {
      const { change, opened } = await lockWorkspace(tx, scope.workspace, around, last, open)
      return { result: await turn(change, opened), change }
    })
  }

  async function looking<T>({ workspace }: InWorkspace, open: Opening<InWorkspace, T>): Promise<{ result: T } | null> {
    try {
      return await database.read({ workspace }, async (orm) => {
        const { change, opened } = await lookAt(orm, workspace, around, open)
        const result = await opened(change)
        await change.send()
        return { result }
      })
    } catch (thrown) {
      if (thrown instanceof NeedsLock) return null
      throw thrown
    }
  }

  return { told, underLock, looking }
}
