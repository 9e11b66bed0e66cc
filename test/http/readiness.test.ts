import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { connect, type Database } from '../../src/db/client.ts'
import { knownMigrations } from '../../src/db/schema-state.ts'
import { createHealth } from '../../src/health.ts'
import { createOperations } from '../../src/http/operations.ts'
import { createReadiness, type Check, type Finding } from '../../src/http/readiness.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { deferred } from '../support/deferred.ts'

let db: TestDatabase

beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

/** Patient: what is looked at here is what is found, not how soon. */
const connected = () => connect(db.target, { acquireTimeoutMs: 20_000, totalTimeoutMs: 25_000 })

/** The answer of a replica that has just started. */
async function readyz(state: { draining?: boolean; deaf?: boolean; delay?: number; database?: Database } = {}) {
  const database = state.database ?? connected()
  const readiness = createHealth({
    database,
    journal: { hearsItself: () => state.deaf !== true },
    draining: () => state.draining === true,
    eventLoopDelay: () => state.delay ?? 0,
  })
  const answer = await createOperations({ version: '1', readiness }).request('/readyz')
  await database.close()
  const text = await answer.text()
  const body = JSON.parse(text) as { ready: boolean; reason?: string; checks: Record<string, Finding> }
  return { status: answer.status, text, ...body }
}

/** Changes the database for one test. */
async function during(statement: string, undo: string): Promise<void> {
  await db.database.query((orm) => orm.execute(sql.raw(statement)))
  onTestFinished(async () => {
    const other = connected()
    await other.query(async (orm) => {
      await orm.execute(sql.raw('set default_transaction_read_only = off'))
      await orm.execute(sql.raw(undo))
    })
    await other.close()
  })
}

const FIRST = knownMigrations()[0]?.madeAt
const TABLE = 'drizzle.__drizzle_migrations'

test('GET /readyz says that everything is well, check by check', async () => {
  const ok = { status: 'ok' }
  expect(await readyz()).toMatchObject({
    status: 200,
    ready: true,
    checks: { draining: ok, database: ok, schema: ok, notifications: ok, eventLoop: ok },
  })
})

test('a replica that stops is not ready, and says so', async () => {
  expect(await readyz({ draining: true })).toMatchObject({
    status: 503,
    ready: false,
    reason: 'draining',
    checks: { draining: { status: 'failed' }, database: { status: 'ok' } },
  })
})

test('without the database it is not ready, and tells nothing of where that is', async () => {
  const database = connected()
  await database.close()
  const { text, ...answer } = await readyz({ database })
  expect(answer).toMatchObject({ status: 503, reason: 'database', checks: { database: { status: 'failed' } } })
  const { host, database: name } = db.target as { host: string; database: string }
  for (const secret of [host, name, 'ECONN', 'CONNECTION']) expect(text).not.toContain(secret)
})

test('a database that takes no writes is told', async () => {
  const { database } = db.target as { database: string }
  const set = (value: string) => `alter database ${database} set default_transaction_read_only = ${value}`
  await during(set('on'), set('off'))
  const answer = await readyz()
  expect(answer).toMatchObject({ status: 503, reason: 'database' })
  expect(answer.checks['database']?.detail).toContain('read only')
})

test('a database that lacks a migration of this version is told: an older backup was restored', async () => {
  await during(
    `update ${TABLE} set created_at = 1 where id = 1`,
    `update ${TABLE} set created_at = ${FIRST} where id = 1`,
  )
  expect(await readyz()).toMatchObject({ status: 503, reason: 'schema', checks: { schema: { status: 'failed' } } })
})

test('beside a newer version it serves on, until a migration says that it cannot', async () => {
  await during(
    `insert into ${TABLE} (hash, created_at) values ('new', 9000000000000)`,
    `delete from ${TABLE} where hash = 'new'`,
  )
  const newer = await readyz()
  expect(newer).toMatchObject({ status: 200, checks: { schema: { status: 'ok' } } })
  expect(newer.checks['schema']?.detail).toContain('newer version')
  await during(`comment on table ${TABLE} is 'oldest server: 9000000000000'`, `comment on table ${TABLE} is null`)
  expect(await readyz()).toMatchObject({ status: 503, reason: 'schema', checks: { schema: { status: 'failed' } } })
})

test('a lost listener and a slow event loop are told, and take no replica away', async () => {
  expect(await readyz({ deaf: true, delay: 3 })).toMatchObject({
    status: 200,
    checks: { notifications: { status: 'degraded' }, eventLoop: { status: 'degraded' } },
  })
})

test('a flood of questions is one look, and one more when a quarter of a second has passed', async () => {
  let looks = 0
  let now = 0
  const slow = deferred()
  const check: Check = async () => {
    looks += 1
    await slow.promise
    return { database: { status: looks === 1 ? 'ok' : 'failed' } }
  }
  const readiness = createReadiness({ checks: [check], draining: () => false, nowMs: () => now })
  const flood = Array.from({ length: 100 }, () => readiness())
  slow.resolve()
  for (const { ready } of await Promise.all(flood)) expect(ready).toBe(true)
  now = 250
  expect((await readiness()).ready).toBe(true)
  expect(looks).toBe(1)
  now = 251
  expect((await readiness()).reason).toBe('database')
  expect(looks).toBe(2)
})
