import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signInAttempts } from '../../src/auth/schema.ts'
import {
  type Attempts,
  countForAccount,
  countForAddress,
  createSignInThrottle,
  turnSeconds,
} from '../../src/auth/sign-in-throttle.ts'
import { connect } from '../../src/db/client.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { postForm } from '../support/oauth.ts'
import { ADA, createHarness, type Harness } from './harness.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

const NOW = new Date('2026-01-01T12:00:00Z')
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000)
const NEVER = new Date(0)
const none: Attempts = { failures: 0, windowEndsAt: NEVER, lastAt: NEVER, provenUntil: NEVER }

describe('one account from one address', () => {
  test('has ten attempts in a quarter of an hour, then waits for its end', () => {
    let attempts = none
    for (let count = 0; count < 10; count += 1) {
      const counted = countForAddress(attempts, later(count))
      if (typeof counted === 'number') throw new Error(`refused at ${count}`)
      attempts = counted
    }
    expect(attempts.failures).toBe(10)
    expect(countForAddress(attempts, later(60))).toBe(840)
    expect(countForAddress(attempts, later(899.5))).toBe(1)
    expect(countForAddress(attempts, later(900))).toMatchObject({ failures: 1, windowEndsAt: later(1_800) })
  })
})

describe('one account from everywhere', () => {
  test('has a hundred attempts a day, then turns that grow from a second to a minute', () => {
    expect([0, 99, 100, 149, 150, 200, 250, 300, 350, 400, 10_000].map(turnSeconds)).toEqual([
      0, 0, 1, 1, 2, 4, 8, 16, 32, 60, 60,
    ])
    const many: Attempts = { ...none, failures: 200, windowEndsAt: later(3_600), lastAt: NOW }
    expect(countForAccount(many, later(1))).toBe(3)
    expect(countForAccount(many, later(4))).toMatchObject({ failures: 201, lastAt: later(4) })
    expect(countForAccount(many, later(3_600))).toMatchObject({ failures: 1 })
  })
})

const throttleOf = () => createSignInThrottle(db.database, quiet)
const lines: string[] = []
const note = (_facts: object, message: string) => void lines.push(message)
const quiet = { debug: note, info: note, warn: note, error: note }

const fails = async (throttle: ReturnType<typeof throttleOf>, email: string, address: string) =>
  'succeeded' in (await throttle.take(email, address))

describe('counted in the database', () => {
  test('ten attempts hold for all replicas together, at once too; a success starts over (S-38, ASVS 6.3.1)', async () => {
    const replicas = [throttleOf(), throttleOf(), throttleOf()]
    const through = await Promise.all(
      Array.from({ length: 30 }, (_, index) => fails(replicas[index % 3]!, 'ada@example.org', '192.0.2.1')),
    )
    expect(through.filter(Boolean)).toHaveLength(10)
    const fresh = throttleOf()
    expect(await fresh.take('ada@example.org', '192.0.2.1')).toEqual({ waitSeconds: expect.any(Number) })
    expect(await fails(fresh, 'ada@example.org', '192.0.2.2')).toBe(true)
    expect(await fails(fresh, 'bob@example.org', '192.0.2.1')).toBe(true)

    const one = throttleOf()
    for (let count = 0; count < 9; count += 1) expect(await fails(one, 'eve@example.org', '192.0.2.1')).toBe(true)
    const attempt = await throttleOf().take('eve@example.org', '192.0.2.1')
    if ('waitSeconds' in attempt) throw new Error('refused')
    await attempt.succeeded()
    for (let count = 0; count < 10; count += 1) {
      expect(await fails(throttleOf(), 'eve@example.org', '192.0.2.1')).toBe(true)
    }
    expect(await fails(throttleOf(), 'eve@example.org', '192.0.2.1')).toBe(false)
  })

  test('of a crowd at once as many are counted as can wait, the rest is told to come back, and none slips through', async () => {
    const throttle = throttleOf()
    const before = lines.length
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => throttle.take('crowd@example.org', `192.0.2.${index}`)),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(62)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ status: 503, retryAfterSeconds: 2 })
    }
    expect(lines.length).toBe(before)
    expect(await fails(throttle, 'crowd@example.org', '198.51.100.1')).toBe(true)
  })

  test('an attempt that was withdrawn was none', async () => {
    for (let count = 0; count < 25; count += 1) {
      const attempt = await throttleOf().take('busy@example.org', '192.0.2.1')
      expect(attempt).not.toHaveProperty('waitSeconds')
      if ('withdrawn' in attempt) await attempt.withdrawn()
    }
  })

  test('a crowd of addresses makes the next new one wait its turn, and never the person where they were before', async () => {
    const owner = await throttleOf().take('owner@example.org', '198.51.100.1')
    if ('waitSeconds' in owner) throw new Error('refused')
    await owner.succeeded()
    const crowd = throttleOf()
    let refused = 0
    for (let index = 0; index < 120; index += 1) {
      if (!(await fails(crowd, 'owner@example.org', `2001:db8:${index}::/64`))) refused += 1
    }
    // A hundred, and whoever came when a second had passed since the last one.
    expect(refused).toBeGreaterThan(10)
    const stranger = await throttleOf().take('owner@example.org', '203.0.113.9')
    expect(stranger).toEqual({ waitSeconds: 1 })
    for (let count = 0; count < 10; count += 1) {
      expect(await fails(throttleOf(), 'owner@example.org', '198.51.100.1')).toBe(true)
    }
    // A refused turn is no failure of that address.
    await db.database.query((orm) => orm.update(signInAttempts).set({ lastAt: NEVER }))
    expect(await fails(throttleOf(), 'owner@example.org', '203.0.113.9')).toBe(true)
  })

  test('an address is forgotten after thirty days', async () => {
    const first = await throttleOf().take('old@example.org', '198.51.100.1')
    if ('waitSeconds' in first) throw new Error('refused')
    await first.succeeded()
    await db.database.query((orm) => orm.update(signInAttempts).set({ provenUntil: new Date(Date.now() - 1_000) }))
    for (let index = 0; index < 100; index += 1) await throttleOf().take('old@example.org', `192.0.2.${index}`)
    expect(await fails(throttleOf(), 'old@example.org', '198.51.100.1')).toBe(false)
  })

  test('what is over is cleared away, a bounded number at a time', async () => {
    const stale = sql`${signInAttempts.keyHash} like 'stale %'`
    const left = async () => (await db.database.query((orm) => orm.select().from(signInAttempts).where(stale))).length
    // Nothing else may be over, or it would be among the hundred.
    await db.database.query((orm) => orm.delete(signInAttempts))
    const rows = Array.from({ length: 150 }, (_, index) => ({ keyHash: `stale ${index}`, ...none, expiresAt: NEVER }))
    await db.database.query((orm) => orm.insert(signInAttempts).values(rows))
    await throttleOf().take('any@example.org', '192.0.2.1')
    expect(await left()).toBe(50)
    await throttleOf().take('any@example.org', '192.0.2.1')
    expect(await left()).toBe(0)
  })
})

describe('a throttle that does not work lets people in', () => {
  const ask = (at: Harness, password: string) =>
    postForm(at.fetch, `${at.publicUrl}/login`, { email: ADA.email, password })

  test('when its table is gone: right passwords sign in, and each process still counts for itself', async () => {
    const own = await createTestDatabase()
    const harness = createHarness(own.database)
    await harness.signedIn()
    await own.database.query((orm) => orm.execute(sql`drop table sign_in_attempts`))
    expect((await ask(harness, ADA.password)).status).toBe(303)
    for (let count = 0; count < 10; count += 1) expect((await ask(harness, `wrong ${count}`)).status).toBe(400)
    expect((await ask(harness, ADA.password)).status).toBe(429)
    expect(harness.lines.map(({ message }) => message)).toContain(
      'the sign-in throttle does not work, and lets through',
    )
    await own.drop()
  })

  test('when its table is locked: one waits for it, the next ones do not, and no connection stays behind', async () => {
    const own = await createTestDatabase()
    const harness = createHarness(own.database)
    await harness.signedIn()
    await ask(harness, 'wrong password')
    const holder = connect(own.target)
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    let locked: () => void = () => undefined
    const isLocked = new Promise<void>((resolve) => (locked = resolve))
    const holding = holder.transaction(async (tx) => {
      await tx.execute(sql`lock table sign_in_attempts in access exclusive mode`)
      locked()
      await released
    })
    await isLocked
    expect((await ask(harness, ADA.password)).status).toBe(303)
    const began = performance.now()
    for (let count = 0; count < 5; count += 1) expect((await ask(harness, ADA.password)).status).toBe(303)
    // Five hashes, and not five times what is waited for a lock.
    expect(performance.now() - began).toBeLessThan(5 * 1_500)
    const waiting = await holder.query((orm) =>
      orm.execute(
        sql`select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      ),
    )
    expect(waiting).toHaveLength(0)
    release()
    await holding
    await holder.close()
    await own.drop()
  })
})

test('a throttle that was broken counts again after a pause', async () => {
  const own = await createTestDatabase()
  let clock = 0
  const throttle = createSignInThrottle(own.database, quiet, () => clock)
  await own.database.query((orm) => orm.execute(sql`alter table sign_in_attempts rename to away`))
  expect(await fails(throttle, 'ada@example.org', '192.0.2.1')).toBe(true)
  await own.database.query((orm) => orm.execute(sql`alter table away rename to sign_in_attempts`))
  const rows = async () => own.database.query((orm) => orm.select().from(signInAttempts))
  clock = 4_999
  expect(await fails(throttle, 'ada@example.org', '192.0.2.1')).toBe(true)
  expect(await rows()).toHaveLength(0)
  clock = 5_000
  expect(await fails(throttle, 'ada@example.org', '192.0.2.1')).toBe(true)
  expect(await rows()).toHaveLength(2)
  await own.drop()
})

test('nothing in the table is an address or a person in clear', async () => {
  await throttleOf().take('clear@example.org', '192.0.2.77')
  const rows = await db.database.query((orm) => orm.select().from(signInAttempts))
  expect(rows.filter(({ keyHash }) => !/^([0-9a-f]{64}|stale \d+)$/.test(keyHash))).toEqual([])
  expect(
    await db.database.query((orm) => orm.select().from(signInAttempts).where(eq(signInAttempts.keyHash, 'clear'))),
  ).toEqual([])
})
