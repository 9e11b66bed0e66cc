import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { Database } from '../../src/db/client.ts'
import { defineEvent, SYSTEM, type JournalEvent } from '../../src/journal/event.ts'
import { createJournal, type Journal } from '../../src/journal/journal.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { deferred } from '../support/deferred.ts'

const HAPPENED = defineEvent<{ n: number }>('test.happened', { teamState: false })
const NEVER_MS = 3_600_000

let t: TestApp
let here: Journal
let there: Journal
const closers: (() => Promise<void>)[] = []
beforeAll(async () => {
  // Nobody looks by itself: what arrives was notified, or was found when the connection came back.
  t = await createTestApp({ pace: { healMs: NEVER_MS } })
  here = t.app.journal
  there = replica()
})
afterEach(async () => {
  await Promise.all(following.splice(0).map((reader) => reader.stop()))
})
afterAll(async () => {
  await Promise.all(closers.map((close) => close()))
  await t.close()
})

function replica(pace?: Parameters<TestApp['replica']>[0]): Journal {
  const other = t.replica(pace)
  closers.push(() => other.close())
  return other.app.journal
}

async function newWorkspace(): Promise<string> {
  return here.found({ user: 'usr_founder' }, async (_tx, begin) => (await begin(new Date())).workspaceId)
}

/** Appends `count` events in one change. */
function append(journal: Journal, workspaceId: string, count = 1): Promise<number> {
  return journal.change({ workspace: workspaceId }, async (ws) => {
    for (let n = 0; n < count; n += 1) ws.append(HAPPENED, { n }, SYSTEM)
    return ws.nextSeq - 1
  })
}

interface Following {
  readonly batches: (readonly JournalEvent[])[]
  seqs(): number[]
  /** Resolves when the event is there; rejects when the subscription ends before. */
  until(seq: number): Promise<void>
  /** Resolves when the subscription has ended. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

const following: Following[] = []

function follow(journal: Journal, workspaceId: string, after = 0): Following {
  const abort = new AbortController()
  const batches: (readonly JournalEvent[])[] = []
  let more = deferred()
  const ended = (async () => {
    for await (const batch of journal.subscribe(workspaceId, after, abort.signal)) {
      batches.push(batch)
      more.resolve()
      more = deferred()
    }
  })()
  const reader: Following = {
    batches,
    ended,
    seqs: () => batches.flat().map((event) => event.seq),
    async until(seq) {
      while ((batches.at(-1)?.at(-1)?.seq ?? after) < seq) {
        const over = await Promise.race([more.promise, ended.then(() => true)])
        if (over === true) throw new Error(`the subscription ended before event ${seq}`)
      }
    },
    async stop() {
      abort.abort()
      await ended
    },
  }
  following.push(reader)
  return reader
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Ends the connections of the database that last ran a statement like this. */
async function terminate(statement: string): Promise<number> {
  const rows = await t.database.query((orm) =>
    orm.execute(sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and query ilike ${statement}`),
  )
  return rows.length
}

test('a subscriber sees what was there before and what is committed on any replica', async () => {
  const workspaceId = await newWorkspace()
  await append(here, workspaceId, 2)
  const local = follow(here, workspaceId)
  const remote = follow(there, workspaceId)
  await Promise.all([local.until(2), remote.until(2)])
  await append(here, workspaceId)
  await Promise.all([local.until(3), remote.until(3)])
  await append(there, workspaceId)
  await Promise.all([local.until(4), remote.until(4)])
  expect(local.seqs()).toEqual([1, 2, 3, 4])
  expect(remote.batches.flat()).toEqual(await here.read(workspaceId, 0, 10))
})

test('subscribers that join anywhere see every event after their cursor once and in order, whoever writes', async () => {
  const workspaceId = await newWorkspace()
  const writers = 20
  const changes = 12
  let head = 0
  const writing = Promise.all(
    range(1, writers).map(async (writer) => {
      for (let change = 0; change < changes; change += 1) {
        const seq = await append(writer % 2 === 0 ? here : there, workspaceId, 1 + ((writer + change) % 3))
        head = Math.max(head, seq)
        // Subscribers join all along, behind the head, at it, and ahead of it.
        if (change % 3 === 0) join(Math.floor(Math.random() * (head + 5)))
      }
    }),
  )
  const joined: { after: number; reader: Following }[] = []
  function join(after: number): void {
    joined.push({ after, reader: follow(joined.length % 2 === 0 ? here : there, workspaceId, after) })
  }
  join(0)
  join(0)
  await writing
  await Promise.all(joined.map(({ reader }) => reader.until(head)))
  expect(joined.length).toBeGreaterThan(writers)
  for (const { after, reader } of joined) expect(reader.seqs()).toEqual(range(after + 1, head))
})

test('nothing is lost while the connections that listen and notify are cut again and again', async () => {
  const workspaceId = await newWorkspace()
  const remote = follow(there, workspaceId)
  let cuts = 0
  for (let seq = 1; seq <= 30; seq += 1) {
    await append(here, workspaceId)
    if (seq % 3 === 0) cuts += (await terminate('listen%')) + (await terminate('%pg_notify%'))
    if (seq % 10 === 0) await remote.until(seq)
  }
  await remote.until(30)
  expect(remote.seqs()).toEqual(range(1, 30))
  expect(cuts).toBeGreaterThan(0)
})

test('where no notification arrives at all, looking by itself finds the events', async () => {
  const silent = replica({ notifyMs: NEVER_MS })
  const looking = replica({ healMs: 20 })
  const workspaceId = await newWorkspace()
  const reader = follow(looking, workspaceId)
  for (const seq of range(1, 5)) {
    await append(silent, workspaceId)
    await reader.until(seq)
  }
  expect(reader.seqs()).toEqual(range(1, 5))
})

test('where no notification arrives at all, the replica that commits still tells its own subscribers', async () => {
  const silent = replica({ notifyMs: NEVER_MS })
  const workspaceId = await newWorkspace()
  const reader = follow(silent, workspaceId)
  for (const seq of range(1, 5)) {
    await append(silent, workspaceId)
    await reader.until(seq)
  }
  expect(reader.seqs()).toEqual(range(1, 5))
})

test('what was committed while nobody listened is found when the connection is back', async () => {
  const silent = replica({ notifyMs: NEVER_MS })
  const workspaceId = await newWorkspace()
  const reader = follow(there, workspaceId)
  await append(here, workspaceId)
  await reader.until(1)
  await append(silent, workspaceId)
  expect(await terminate('listen%')).toBeGreaterThan(0)
  await reader.until(2)
  expect(reader.seqs()).toEqual([1, 2])
})

test('a change that is rolled back wakes nobody, and one that is run again wakes once', async () => {
  const workspaceId = await newWorkspace()
  const told: string[] = []
  const ear = t.database.dedicated({})
  await ear.listen('ork_journal', (payload) => told.push(payload))
  const reader = follow(here, workspaceId)
  const refused = here.change({ workspace: workspaceId }, async (ws) => {
    ws.append(HAPPENED, { n: -1 }, SYSTEM)
    await ws.flush()
    throw new AppError('INTERNAL')
  })
  await expect(refused).rejects.toMatchObject({ code: 'INTERNAL' })
  await here.change({ workspace: workspaceId }, async () => undefined)
  let attempts = 0
  await here.change({ workspace: workspaceId }, async (ws) => {
    attempts += 1
    ws.append(HAPPENED, { n: attempts }, SYSTEM)
    await ws.flush()
    if (attempts === 1) throw Object.assign(new Error('could not serialize'), { code: '40001' })
  })
  await reader.until(1)
  await vi.waitFor(() => expect(told).toContain(`${workspaceId}:1`))
  await append(here, workspaceId)
  await vi.waitFor(() => expect(told).toContain(`${workspaceId}:2`))
  expect(told).toEqual([`${workspaceId}:1`, `${workspaceId}:2`])
  expect(reader.batches.flat().map((event) => event.payload['n'])).toEqual([2, 0])
  await ear.end()
})

test('a workspace whose first event founds it is followed like any other', async () => {
  const reader = await here.found({ user: 'usr_founder' }, async (_tx, begin) => {
    const ws = await begin(new Date())
    ws.append(HAPPENED, { n: 1 }, SYSTEM)
    return follow(there, ws.workspaceId)
  })
  await reader.until(1)
  expect(reader.seqs()).toEqual([1])
})

test('an event that is appended but not committed is never passed over', async () => {
  const workspaceId = await newWorkspace()
  const readers = [follow(here, workspaceId), follow(there, workspaceId)]
  const appended = deferred()
  const commit = deferred()
  const first = here.change({ workspace: workspaceId }, async (ws) => {
    ws.append(HAPPENED, { n: 1 }, SYSTEM)
    await ws.flush()
    appended.resolve()
    await commit.promise
  })
  await appended.promise
  const second = append(there, workspaceId)
  commit.resolve()
  await Promise.all([first, second])
  await Promise.all(readers.map((reader) => reader.until(2)))
  for (const reader of readers) expect(reader.seqs()).toEqual([1, 2])
})

test('whoever stops anywhere and goes on elsewhere with the last seq misses nothing and sees nothing twice', async () => {
  const workspaceId = await newWorkspace()
  const total = 60
  const writing = (async () => {
    for (let seq = 1; seq <= total; seq += 1) await append(seq % 2 === 0 ? here : there, workspaceId)
  })()
  const seen: number[] = []
  for (let turn = 0; seen.length < total; turn += 1) {
    const stop = new AbortController()
    const journal = turn % 2 === 0 ? here : there
    for await (const batch of journal.subscribe(workspaceId, seen.at(-1) ?? 0, stop.signal)) {
      seen.push(...batch.map((event) => event.seq))
      stop.abort()
    }
  }
  await writing
  expect(seen).toEqual(range(1, total))
})

test('a consumer that does not ask is held one batch, and finds the rest in the journal', async () => {
  const workspaceId = await newWorkspace()
  await append(here, workspaceId, LIMITS.eventsPerBatch + 20)
  const stop = new AbortController()
  const batches = here.subscribe(workspaceId, 0, stop.signal)[Symbol.asyncIterator]()
  const sizes: number[] = []
  const next = async () => sizes.push((await batches.next()).value?.length ?? 0)
  await next()
  await append(here, workspaceId, LIMITS.eventsPerBatch)
  await append(there, workspaceId, 30)
  await next()
  await next()
  expect(sizes).toEqual([LIMITS.eventsPerBatch, LIMITS.eventsPerBatch, 50])
  stop.abort()
  expect(await batches.next()).toEqual({ done: true, value: undefined })
})

test('a subscription outlives a database that is away, and ends at other faults', async () => {
  const workspaceId = await newWorkspace()
  let fault: Error | null = new AppError('UNAVAILABLE')
  let refusals = 0
  const read: Database['read'] = (scope, work) => {
    if (fault === null) return t.database.read(scope, work)
    refusals += 1
    return Promise.reject(fault)
  }
  const quiet = () => undefined
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const journal = createJournal({ database: { ...t.database, read }, eventTypes: [], expire: [], log })
  closers.push(() => journal.close())
  const reader = follow(journal, workspaceId)
  await append(here, workspaceId)
  await vi.waitFor(() => expect(refusals).toBeGreaterThan(2), 5_000)
  fault = null
  await reader.until(1)
  fault = new Error('a bug')
  following.splice(following.indexOf(reader), 1)
  await Promise.all([expect(reader.ended).rejects.toThrow('a bug'), append(here, workspaceId)])
})

test('a subscription ends with its signal, with the journal, and at once where either is over already', async () => {
  const workspaceId = await newWorkspace()
  await append(here, workspaceId)
  const aborted = follow(here, workspaceId)
  await aborted.until(1)
  await aborted.stop()

  const other = t.replica()
  const idle = follow(other.app.journal, workspaceId)
  await idle.until(1)
  await other.close()
  await idle.ended
  const late = follow(other.app.journal, workspaceId)
  await late.ended
  expect(late.batches).toEqual([])
})

test('what a closing replica committed last is told to the others', async () => {
  const workspaceId = await newWorkspace()
  const remote = follow(there, workspaceId)
  await append(here, workspaceId)
  await remote.until(1)
  const leaving = t.replica({ notifyMs: NEVER_MS })
  await append(leaving.app.journal, workspaceId)
  await leaving.close()
  await remote.until(2)
  expect(remote.seqs()).toEqual([1, 2])
})

test('what else is sent on the channel is no event, and disturbs none', async () => {
  const workspaceId = await newWorkspace()
  const reader = follow(there, workspaceId)
  for (const payload of ['', 'nonsense', ':::', `${workspaceId}:`, `${workspaceId}:x`, `${workspaceId}:-1`]) {
    await t.database.query((orm) => orm.execute(sql`select pg_notify('ork_journal', ${payload})`))
  }
  await append(here, workspaceId)
  await reader.until(1)
  expect(reader.seqs()).toEqual([1])
})
