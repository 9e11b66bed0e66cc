import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RateDecision, RateLimiter } from '../../src/kernel/rate-limit.ts'
import { createRateLimiter } from '../../src/rates/limiter.ts'
import { shareInDatabase, type TakeShare } from '../../src/rates/store.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

// One rate for all replicas: nobody gets more by spreading calls, and a database that is away stops nobody.

const RATE = { name: 'test', limit: 1_000, windowSeconds: 60 }
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

/** As long as a busy machine may take. */
const PATIENT_MS = 20_000

function limiter(
  take: TakeShare = shareInDatabase(db.database),
  nowMs: () => number = () => performance.now(),
  waitMs = PATIENT_MS,
) {
  return createRateLimiter({ take, log: quiet, nowMs, waitMs })
}

async function calls(limit: RateLimiter, key: string, count: number, rate = RATE): Promise<RateDecision[]> {
  return Promise.all(Array.from({ length: count }, () => limit(rate, key)))
}

const allowed = (decisions: readonly RateDecision[]) => decisions.filter((decision) => decision.allowed).length

describe('shared through the database', () => {
  test('one replica lets exactly the limit through, and says when there is more', async () => {
    const decisions = await calls(limiter(), 'alone', 1_100)
    expect(allowed(decisions)).toBe(1_000)
    const refused = decisions.find((decision) => !decision.allowed)
    expect(refused).toMatchObject({ limit: 1_000, remaining: 0 })
    expect(refused?.resetMs).toBeGreaterThan(50_000)
    expect(refused?.resetMs).toBeLessThanOrEqual(60_000)
  })

  test('three replicas together let no more than the limit through, and no less than 97 % of it', async () => {
    const replicas = [limiter(), limiter(), limiter()]
    const decisions = await Promise.all(replicas.map((replica) => calls(replica, 'spread', 500)))
    const total = decisions.reduce((sum, some) => sum + allowed(some), 0)
    expect(total).toBeLessThanOrEqual(1_000)
    expect(total).toBeGreaterThanOrEqual(970)
  })

  test('keys and rates do not disturb each other, and a small limit is exact across replicas', async () => {
    const small = { name: 'small', limit: 10, windowSeconds: 60 }
    const [one, two] = [limiter(), limiter()]
    const counts = await Promise.all([calls(one, 'a', 8, small), calls(two, 'a', 8, small), calls(one, 'b', 8, small)])
    expect(allowed(counts[0]) + allowed(counts[1])).toBe(10)
    expect(allowed(counts[2])).toBe(8)
    expect(allowed(await calls(one, 'a', 5))).toBe(5)
  })

  test('what remains goes down with every call', async () => {
    const limit = limiter()
    const first = await limit(RATE, 'left')
    const second = await limit(RATE, 'left')
    expect([first.remaining, second.remaining]).toEqual([999, 998])
  })

  test('a new window starts where the old one is over', async () => {
    const short = { name: 'short', limit: 5, windowSeconds: 1 }
    let now = 0
    const limit = limiter(undefined, () => now)
    expect(allowed(await calls(limit, 'a', 6, short))).toBe(5)
    await db.database.query((orm) => orm.execute(`update rate_windows set ends_at = starts_at`))
    now += 1_000
    expect(allowed(await calls(limit, 'a', 6, short))).toBe(5)
  })
})

describe('without the database', () => {
  test('a replica counts by itself, and asks nobody for a while', async () => {
    let asked = 0
    const limit = limiter(async () => {
      asked += 1
      throw new Error('away')
    })
    expect(allowed(await calls(limit, 'a', 1_200))).toBe(1_000)
    expect(allowed(await calls(limit, 'b', 10))).toBe(10)
    expect(asked).toBe(1)
  })

  test('a database that does not answer holds nobody up', async () => {
    const limit = limiter(() => new Promise(() => undefined), undefined, 20)
    expect((await limit(RATE, 'a')).allowed).toBe(true)
    expect((await limit(RATE, 'a')).allowed).toBe(true)
  })
})

test('what is over is cleaned away beside what is new', async () => {
  const count = async () =>
    Number(
      (await db.database.query((orm) => orm.execute<{ n: string }>(`select count(*) as n from rate_windows`)))[0]?.n,
    )
  await db.database.query((orm) =>
    orm.execute(`update rate_windows set ends_at = clock_timestamp() - interval '1 second'`),
  )
  expect(await count()).toBeGreaterThan(1)
  await limiter()(RATE, 'somebody new')
  await expect.poll(count).toBe(1)
})
