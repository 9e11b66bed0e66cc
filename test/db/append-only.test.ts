/** What migrations/0005_account_log.sql promises: logs are append-only for the server's role, and each person's is their own. */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Orm } from '../../src/db/client.ts'
import { databaseErrorCode } from '../../src/db/errors.ts'
import { migrate } from '../../src/db/migrate.ts'
import { entry, person } from '../../src/modules/audit/entry.ts'
import { record } from '../../src/modules/audit/store.ts'
import { accountEntries, accountLogs } from '../../src/modules/audit/schema.ts'
import { accountLog } from '../support/account-log.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { openSql } from '../support/global-setup.ts'
import { restClient, type RestClient } from '../support/rest.ts'

const REFUSED = '42501'

let t: TestApp
let ada: string
let bob: string
let rest: RestClient
let workspaceId: string
beforeAll(async () => {
  t = await createTestApp()
  const idOf = async (name: string) => {
    const { accessToken } = await t.login(name)
    const principal = await t.app.auth.authenticate(`Bearer ${accessToken}`, 'rest')
    return { userId: principal?.userId ?? '', accessToken }
  }
  const [one, two] = [await idOf('Ada'), await idOf('Bob')]
  ada = one.userId
  bob = two.userId
  rest = restClient(t.fetch, { authorization: `Bearer ${one.accessToken}` })
})
beforeEach(async () => {
  workspaceId = (await rest.post('/api/workspaces', { name: 'widgets' })).body.workspace.id
})
afterAll(() => t.close())

/** The SQLSTATE with which it was refused. */
const refusal = (work: Promise<unknown>): Promise<string | undefined> => work.then(() => undefined, databaseErrorCode)
const accounts = (ids: string) => sql`select set_config('orkestrate.account_ids', ${ids}, true)`

/** In a transaction that may see all that there is of Ada and of the workspace. */
const inside = (work: (orm: Pick<Orm, 'execute'>) => Promise<unknown>) =>
  t.database.write({ workspace: workspaceId, user: ada }, async (tx) => {
    await tx.execute(accounts(ada))
    return work(tx)
  })

test.each([
  'update account_entries set payload = payload',
  'update account_entries set seq = 1000 where false',
  'delete from account_entries',
  'delete from account_entries where false',
  'truncate account_entries',
  'delete from account_logs',
  'truncate account_logs',
  'update account_logs set seq = seq - 1',
  `update account_logs set hash = '\\x00'`,
  `update account_logs set user_id = 'usr_other'`,
  'update events set payload = payload',
  'update events set seq = 1000 where false',
  'delete from events',
  'delete from events where seq = 1',
  'truncate events',
  'delete from journals',
  'truncate journals',
  'update journals set seq = seq - 1',
  `update journals set hash = '\\x00'`,
])('the server’s own role is refused: %s', async (statement) => {
  const before = [await accountLog(t.database, ada), await t.app.journal.read(workspaceId, 0, 1_000)]
  expect(before.every((log) => log.length > 1)).toBe(true)
  expect(await refusal(inside((orm) => orm.execute(sql.raw(statement))))).toBe(REFUSED)
  expect([await accountLog(t.database, ada), await t.app.journal.read(workspaceId, 0, 1_000)]).toEqual(before)
})

test('a journal goes with its workspace, as before, and whole: not one event of it alone', async () => {
  const deleted = sql`update workspaces set deleted_at = clock_timestamp()`
  const some = inside(async (orm) => {
    await orm.execute(deleted)
    await orm.execute(sql`delete from events where seq > 1`)
  })
  expect(await refusal(some)).toBe(REFUSED)
  expect(await t.app.journal.read(workspaceId, 0, 10)).not.toEqual([])
  expect((await rest.confirmed('DELETE', `/api/workspaces/${workspaceId}`)).status).toBe(200)
  expect(await t.app.journal.read(workspaceId, 0, 10)).toEqual([])
})

test('a log is read by its person alone, and written for whom the transaction named, and nobody else', async () => {
  const all = sql`select distinct user_id as "userId" from account_entries`
  const seen = (scope: { user: string } | { workspace: string } | { system: true }) =>
    t.database.read(scope, (orm) => orm.execute<{ userId: string }>(all))
  expect([...(await seen({ user: ada }))]).toEqual([{ userId: ada }])
  expect([...(await seen({ workspace: workspaceId }))]).toEqual([])
  expect([...(await seen({ system: true }))]).toEqual([])
  expect([...(await t.database.query((orm) => orm.execute(all)))]).toEqual([])
  expect(await t.database.query((orm) => orm.select().from(accountLogs))).toEqual([])

  const row = {
    userId: bob,
    seq: 1_000,
    type: 'x',
    at: new Date(),
    actor: person(bob),
    payload: {},
    hash: Buffer.alloc(32),
  }
  for (const ids of ['', ada, `${ada} ${ada}`]) {
    const forBob = t.database.write({ user: bob }, async (tx) => {
      await tx.execute(accounts(ids))
      await tx.insert(accountEntries).values(row)
    })
    expect(await refusal(forBob)).toBe(REFUSED)
  }
  let moved: object[] = []
  const everyHead = t.database.write({ user: bob }, async (tx) => {
    await tx.execute(accounts(ada))
    moved = await tx.update(accountLogs).set({ seq: 5_000 }).returning({ userId: accountLogs.userId })
    throw new Error('not after all')
  })
  await expect(everyHead).rejects.toThrow('not after all')
  expect(moved).toEqual([{ userId: ada }])
})

test('the server does not start while a trigger is switched off or gone, and says how to switch it on', async () => {
  const owner = openSql(t.db.target)
  for (const [table, trigger] of [
    ['account_entries', 'append_only'],
    ['account_logs', 'append_only_forward'],
    ['events', 'append_only_whole'],
    ['journals', 'append_only'],
  ]) {
    for (const drift of ['disable trigger', 'enable trigger']) {
      await owner.unsafe(`alter table ${table} ${drift} ${trigger}`)
      const message = await migrate(t.db.target).then(
        () => '',
        (error: Error) => error.message,
      )
      expect(message).toContain('could be changed or deleted')
      await owner.unsafe(/ALTER TABLE [^;]*/u.exec(message)?.[0] ?? '')
      await migrate(t.db.target)
    }
  }
  for (const table of ['account_entries', 'account_logs']) {
    await owner.unsafe(`alter table ${table} no force row level security`)
    await expect(migrate(t.db.target)).rejects.toThrow(`not under forced row-level security: "${table}".`)
    await owner.unsafe(`alter table ${table} force row level security`)
  }
  await owner.end()
})

test('a sequence that a bug of ours would write twice is refused by the key', async () => {
  const before = await accountLog(t.database, bob)
  const twice = t.database.transaction(async (tx) => {
    await record(tx, [entry(bob, 'password.changed', { address: 'x' }, person(bob))])
    const seq = before.length + 1
    await tx.insert(accountEntries).values({
      userId: bob,
      seq,
      type: 'x',
      at: new Date(),
      actor: person(bob),
      payload: {},
      hash: Buffer.alloc(32),
    })
  })
  expect(await refusal(twice)).toBe('23505')
  expect(await accountLog(t.database, bob)).toEqual(before)
})
