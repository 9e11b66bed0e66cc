import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/db/client.ts'
import { migrate } from '../../src/db/migrate.ts'
import { deferred } from '../support/deferred.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

test('a database that refuses connections is UNAVAILABLE within two seconds, and nothing hangs', async () => {
  const nowhere = connect({ url: 'postgres://nobody@127.0.0.1:9/none' })
  const started = performance.now()
  await expect(nowhere.query((orm) => orm.execute(sql`select 1`))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(nowhere.transaction((tx) => tx.execute(sql`select 1`))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(performance.now() - started).toBeLessThan(4_000)
  await nowhere.close()
})

test('a transaction that cannot get a connection in time is refused and never starts its work afterwards', async () => {
  const one = connect(db.target, { poolSize: 1, acquireTimeoutMs: 500 })
  // The first connection may take longer than that on a busy machine.
  const held = deferred()
  const release = deferred()
  const holder = one.transaction(async () => {
    held.resolve()
    await release.promise
  })
  await held.promise
  let ran = false
  const late = one.transaction(async () => {
    ran = true
  })
  await expect(late).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  release.resolve()
  await holder
  await one.query((orm) => orm.execute(sql`select 1`))
  expect(ran).toBe(false)
  await one.close()
})

test('a deadlock is resolved by running the losing transaction again', async () => {
  await db.database.query((orm) => orm.execute(sql`create table deadlock (id int primary key, n int not null)`))
  await db.database.query((orm) => orm.execute(sql`insert into deadlock values (1, 0), (2, 0)`))
  const bump = (first: number, second: number, meet: () => Promise<void>) =>
    db.database.transaction(async (tx) => {
      await tx.execute(sql`update deadlock set n = n + 1 where id = ${first}`)
      await meet()
      await tx.execute(sql`update deadlock set n = n + 1 where id = ${second}`)
    })
  let waiting = 0
  const both = deferred()
  const meet = async () => {
    waiting += 1
    if (waiting === 2) both.resolve()
    await both.promise
  }
  await Promise.all([bump(1, 2, meet), bump(2, 1, meet)])
  const rows = await db.database.query((orm) => orm.execute<{ n: number }>(sql`select n from deadlock order by id`))
  expect(rows.map((row) => row.n)).toEqual([2, 2])
})

test('servers that start together migrate once and none of them fails', async () => {
  const fresh = await createTestDatabase()
  await fresh.database.query((orm) => orm.execute(sql`drop schema public cascade`))
  await fresh.database.query((orm) => orm.execute(sql`drop schema drizzle cascade`))
  await fresh.database.query((orm) => orm.execute(sql`create schema public`))
  await Promise.all(Array.from({ length: 5 }, () => migrate(fresh.target)))
  const tables = await fresh.database.query((orm) => orm.execute(sql`select 1 from users limit 1`))
  expect(tables).toHaveLength(0)
  await fresh.drop()
})
