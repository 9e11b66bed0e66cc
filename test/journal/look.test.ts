import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineEvent, SYSTEM } from '../../src/journal/event.ts'
import { createJournal, type Journal, type WorkspaceTx } from '../../src/journal/journal.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { deferred } from '../support/deferred.ts'

const done = defineEvent<{ by: string }>('test.done', { teamState: true })
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let db: TestDatabase
let journal: Journal
const expired: string[] = []
beforeAll(async () => {
  db = await createTestDatabase()
  const expire = [
    async (ws: WorkspaceTx) => {
      expired.push(ws.workspaceId)
      ws.append(done, { by: 'time' }, SYSTEM)
      return Promise.resolve(null)
    },
  ]
  journal = createJournal({ database: db.database, eventTypes: [done], expire, log: quiet })
})
afterAll(async () => {
  await journal.close()
  await db.drop()
})

const found = (dueAt?: Date) =>
  journal.found({ user: 'usr_test' }, async (_tx, begin) => {
    const ws = await begin(new Date(Date.now() - 60_000))
    if (dueAt !== undefined) ws.dueAt(dueAt)
    return ws.workspaceId
  })

/** Whether the transaction may change anything. */
const mayWrite = async ({ tx }: WorkspaceTx) =>
  (await tx.execute<{ ro: string }>(sql`select current_setting('transaction_read_only') as ro`))[0]?.ro === 'off'

test('whoever only looks waits for nobody that changes the workspace, and sees what is committed', async () => {
  const workspace = await found()
  await journal.change({ workspace }, async (ws) => Promise.resolve(ws.append(done, { by: 'first' }, SYSTEM)))
  const [begun, over] = [deferred(), deferred()]
  const changing = journal.change({ workspace }, async (ws) => {
    ws.append(done, { by: 'second' }, SYSTEM)
    await ws.flush()
    begun.resolve()
    await over.promise
  })
  await begun.promise
  const look = () => journal.look({ workspace }, async (ws) => ({ next: ws.nextSeq, writing: await mayWrite(ws) }))
  expect(await look()).toEqual({ next: 2, writing: false })
  over.resolve()
  await changing
  expect(await look()).toEqual({ next: 3, writing: false })
})

test('all of a look is of one moment, whatever is committed meanwhile', async () => {
  const workspace = await found()
  const seen = await journal.look({ workspace }, async (ws) => {
    await journal.change({ workspace }, async (other) => Promise.resolve(other.append(done, { by: 'other' }, SYSTEM)))
    const rows = await ws.tx.execute(sql`select seq from events where workspace_id = ${workspace}`)
    return { next: ws.nextSeq, events: rows.length }
  })
  expect(seen).toEqual({ next: 1, events: 0 })
})

test.each([
  ['appends', (ws: WorkspaceTx) => void ws.append(done, { by: 'look' }, SYSTEM)],
  ['writes', (ws: WorkspaceTx) => ws.write((tx) => tx.execute(sql`select 1`))],
  ['sets a time', (ws: WorkspaceTx) => ws.dueAt(new Date(Date.now() + 3_600_000))],
])('a look that %s is made again under the lock, once', async (_name, change) => {
  const workspace = await found()
  const tries: boolean[] = []
  await journal.look({ workspace }, async (ws) => {
    tries.push(await mayWrite(ws))
    change(ws)
  })
  expect(tries).toEqual([false, true])
  expect(await journal.head(workspace)).toBeLessThanOrEqual(1)
})

test('what is due is put on record before anybody sees the workspace without it', async () => {
  const workspace = await found(new Date(Date.now() - 1_000))
  const tries: boolean[] = []
  const next = await journal.look({ workspace }, async (ws) => {
    tries.push(await mayWrite(ws))
    return ws.nextSeq
  })
  expect(tries).toEqual([true])
  expect(next).toBe(2)
  expect(expired.filter((id) => id === workspace)).toHaveLength(1)
})

test('a refusal is the caller’s, and no workspace is NOT_FOUND', async () => {
  const workspace = await found()
  const refused = journal.look({ workspace }, async () => Promise.reject(new AppError('CLAIM_NOT_FOUND')))
  await expect(refused).rejects.toMatchObject({ code: 'CLAIM_NOT_FOUND' })
  const nowhere = journal.look({ workspace: 'ws_none' }, async () => Promise.resolve())
  await expect(nowhere).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
