import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Tx } from '../../src/db/client.ts'
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

describe('a backend that dies', () => {
  const pidOf = async (tx: Pick<Tx, 'execute'>) =>
    (await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`))[0]?.pid ?? 0
  const kill = (pid: number) =>
    db.database.query((orm) => orm.execute(sql`select pg_terminate_backend(${pid}), pg_sleep(0.1)`))

  const moments: Record<string, (tx: Tx) => Promise<unknown>> = {
    'between two statements': async (tx) => {
      await kill(await pidOf(tx))
      return tx.execute(sql`select 1`)
    },
    'before the commit': async (tx) => kill(await pidOf(tx)),
    'before the rollback': async (tx) => {
      await kill(await pidOf(tx))
      throw new Error('refused for another reason')
    },
    'during a statement': async (tx) => {
      const pid = await pidOf(tx)
      await Promise.all([tx.execute(sql`select pg_sleep(20)`), kill(pid)])
    },
    'and whose transaction goes on all the same': async (tx) => {
      await kill(await pidOf(tx))
      for (let count = 0; count < 3; count += 1) await tx.execute(sql`select 1`).catch(() => undefined)
    },
  }

  // What used to happen: a write to a socket that is gone, outside of any promise, and the end of the process.
  test.each(Object.keys(moments))(
    '%s fails that call alone, and the next one gets a connection that works',
    async (moment) => {
      const uncaught: unknown[] = []
      const listener = (error: unknown) => uncaught.push(error)
      process.on('uncaughtException', listener)
      const one = connect(db.target, { poolSize: 1 })
      await expect(one.transaction((tx) => moments[moment]?.(tx) ?? Promise.resolve())).rejects.toBeInstanceOf(Error)
      for (let count = 0; count < 3; count += 1) {
        expect(await one.transaction((tx) => pidOf(tx))).toBeGreaterThan(0)
      }
      await one.close()
      process.off('uncaughtException', listener)
      expect(uncaught).toEqual([])
    },
  )
})

test('a transaction that takes too long is cut, rolled back, and its connection replaced', async () => {
  const one = connect(db.target, { poolSize: 1, totalTimeoutMs: 300 })
  await db.database.query((orm) => orm.execute(sql`create table late (n int)`))
  await expect(
    one.transaction(async (tx) => {
      await tx.execute(sql`insert into late values (1)`)
      await tx.execute(sql`select pg_sleep(20)`)
    }),
  ).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  const rows = await one.query((orm) => orm.execute(sql`select n from late`))
  expect(rows).toHaveLength(0)
  await one.close()
})

test('a pool lends no more connections than it has, and everybody gets one in turn', async () => {
  const two = connect(db.target, { poolSize: 2, acquireTimeoutMs: 20_000, totalTimeoutMs: 20_000 })
  let busy = 0
  let most = 0
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      two.transaction(async (tx) => {
        busy += 1
        most = Math.max(most, busy)
        await tx.execute(sql`select 1`)
        busy -= 1
        return index
      }),
    ),
  )
  expect(results).toEqual(Array.from({ length: 50 }, (_, index) => index))
  expect(most).toBe(2)
  await two.close()
})
