import { sql, type SQL } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { connect, type Database, type Tx } from '../../src/db/client.ts'
import { migrate } from '../../src/db/migrate.ts'
import { deferred } from '../support/deferred.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { openGateway } from '../support/tcp-gateway.ts'

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

test('a full disk is told apart from an outage: what cannot be written, that reading goes on, and that nothing is lost', async () => {
  const full = sql`do $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$`
  await expect(db.database.transaction((tx) => tx.execute(full))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    status: 503,
    retryable: true,
    message: expect.stringContaining('disk is full') as string,
    details: { reason: 'storage_full' },
    retryAfterMs: 5_000,
  })
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

// What is sent between the error of a socket and its close, as a ROLLBACK is just then, the driver never answers: calls
// ended at their whole time. Seen as refusals after 8 s when PostgreSQL was killed under load.
test.each(['transaction', 'read', 'query'] as const)(
  'a %s whose connection is reset ends at once, whatever was sent at that moment, and the next one works',
  async (kind) => {
    const gateway = await openGateway(db.target)
    // Far longer than a test may take: nothing else ends the call.
    const through = connect({ url: gateway.url }, { poolSize: 1, totalTimeoutMs: 600_000 })
    onTestFinished(async () => {
      await through.close()
      await gateway.close()
    })
    const sleeping = async (orm: Pick<Tx, 'execute'>) => {
      const lost = orm.execute(sql`select pg_sleep(30)`).catch((error: unknown) => error)
      await expect.poll(sleepers, { timeout: 20_000 }).toBe(1)
      gateway.reset()
      await lost
      // At the moment in which the driver says that the first is lost.
      return orm.execute(sql`select 1`)
    }
    const call = kind === 'read' ? through.read({ workspace: 'ws_none' }, sleeping) : through[kind](sleeping)
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await through.query((orm) => orm.execute(sql`select 1 as one`))).toMatchObject([{ one: 1 }])
    await expect.poll(sleepers, { timeout: 40_000 }).toBe(0)
  },
)

const sleepers = async (): Promise<number> => {
  const found = sql`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and state = 'active' and query like 'select pg_sleep(30)%'`
  const [row] = await db.database.query((orm) => orm.execute<{ n: number }>(found))
  return row?.n ?? 0
}

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

describe('what is sent together is one round trip', () => {
  const scope = { workspace: 'ws_some' }
  const one = (tx: Pick<Tx, 'execute'>) => tx.execute(sql`select ${'a'}::text`)
  const both = (tx: Pick<Tx, 'execute'>) => Promise.all([one(tx), tx.execute(sql`select ${'b'}::text`)])
  const work: Record<string, [trips: number, call: (on: Database) => Promise<unknown>]> = {
    'a statement with parameters': [1, (on) => on.query(one)],
    'two of them': [1, (on) => on.query(both)],
    'BEGIN, a scope and what is read in it': [1, (on) => on.read(scope, both)],
    'BEGIN, a scope and the first statements; the rest; COMMIT': [
      3,
      (on) => on.write(scope, (tx) => both(tx).then(() => both(tx))),
    ],
    'BEGIN, a scope and the first statements; the last and COMMIT': [
      2,
      (on) =>
        on.write(scope, async (tx, last) => {
          await both(tx)
          last(both(tx))
        }),
    ],
    'BEGIN; the statements; COMMIT': [3, (on) => on.transaction(both)],
  }

  test.each(Object.entries(work))('%s', async (_, [trips, call]) => {
    const gateway = await openGateway(db.target)
    const through = connect({ url: gateway.url }, { poolSize: 1 })
    // The first time on a connection the driver asks what the parameters are.
    await call(through)
    await through.condition()
    const before = gateway.roundTrips()
    await call(through)
    expect(gateway.roundTrips() - before).toBe(trips)
    await through.close()
    await gateway.close()
  })
})

describe('statements that nobody waits for before the commit', () => {
  const scope = { workspace: 'ws_some' }
  const rows = async () =>
    (await db.database.query((orm) => orm.execute<{ n: number }>(sql`select n from lasts order by n`))).map(
      ({ n }) => n,
    )
  beforeAll(() => db.database.query((orm) => orm.execute(sql`create table lasts (n int primary key)`)))

  test('are committed with the others', async () => {
    await db.database.write(scope, async (tx, last) => {
      await tx.execute(sql`insert into lasts values (1)`)
      last(tx.execute(sql`insert into lasts values (2)`))
    })
    expect(await rows()).toEqual([1, 2])
  })

  test('take the others back when one of them fails, which is told', async () => {
    const one = connect(db.target, { poolSize: 1 })
    const failing = one.write(scope, async (tx, last) => {
      await tx.execute(sql`insert into lasts values (3)`)
      last(tx.execute(sql`insert into lasts values (1)`))
      last(tx.execute(sql`insert into lasts values (4)`))
    })
    await expect(failing).rejects.toMatchObject({ code: '23505' })
    expect(await rows()).toEqual([1, 2])
    // And the connection goes on with the next transaction.
    await one.write(scope, (tx) => tx.execute(sql`insert into lasts values (5)`))
    expect(await rows()).toEqual([1, 2, 5])
    await one.close()
  })

  test('end with the transaction where something else fails', async () => {
    const failing = db.database.write(scope, async (tx, last) => {
      last(tx.execute(sql`insert into lasts values (6)`))
      last(tx.execute(sql`insert into lasts values (1)`))
      await Promise.resolve()
      throw new TypeError('a bug')
    })
    await expect(failing).rejects.toThrow('a bug')
    expect(await rows()).not.toContain(6)
  })
})

test('a connection that has prepared many statements is replaced, and none of its callers notices', async () => {
  const one = connect(db.target, { poolSize: 1 })
  const used = new Set<number>()
  for (let length = 0; length < 600; length += 1) {
    const rows = await one.query((orm) =>
      orm.execute<{ pid: number; n: number; stored: number }>(sql`
        select pg_backend_pid() as pid, ${length}::int as n, (select count(*)::int from pg_prepared_statements) as stored
        where ${sql.raw(String(length))} = ${length}`),
    )
    expect(rows[0]?.n).toBe(length)
    expect(rows[0]?.stored).toBeLessThan(260)
    used.add(rows[0]?.pid ?? 0)
  }
  expect(used.size).toBe(3)
  await one.close()
})

test('a plan that was made while its table was small is not kept for long', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const one = connect(db.target, { poolSize: 1 })
  const run = (statement: SQL) => one.query((orm) => orm.execute(statement))
  const scans = async () => {
    await run(sql`select pg_stat_force_next_flush()`)
    const [row] = await one.query((orm) =>
      orm.execute<{ all: string; index: string }>(
        sql`select seq_scan as all, idx_scan as index from pg_stat_user_tables where relname = 'growing'`,
      ),
    )
    return { all: Number(row?.all), index: Number(row?.index) }
  }
  const look = async () => {
    const before = await scans()
    for (let n = 0; n < 10; n += 1) await run(sql`select n from growing where id = ${n}::int`)
    const after = await scans()
    return { all: after.all - before.all, index: after.index - before.index }
  }
  await run(sql`create table growing (id int primary key, n int) with (autovacuum_enabled = off)`)
  await run(sql`insert into growing values (1, 1)`)
  await run(sql`analyze growing`)
  expect(await look()).toEqual({ all: 10, index: 0 })
  await run(sql`insert into growing select n, n from generate_series(2, 20000) as n`)
  expect(await look()).toEqual({ all: 10, index: 0 })
  vi.advanceTimersByTime(11_000)
  expect(await look()).toEqual({ all: 0, index: 10 })
  await one.close()
})
