import { setTimeout as delay } from 'node:timers/promises'
import { eq, sql } from 'drizzle-orm'
import type { Database, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import type { Log } from '../kernel/log.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { createLine } from './line.ts'
import { after, purge } from './purge.ts'
import { signInAttempts } from './schema.ts'
import { createThrottle } from './throttle.ts'

/**
 * How often somebody may try passwords, on all replicas together (S-38).
 *
 * Ten failures in a quarter of an hour, counted for an account and an address together, so that nobody locks somebody
 * else out. Against guesses from many addresses there is a count of the account's own: beyond a hundred failures a day,
 * addresses take turns that grow longer, up to a minute. Addresses from which the person has signed in before need no
 * turn: they are let in however many others try.
 *
 * What is counted must not depend on whether there is such an account.
 */
export interface SignInThrottle {
  /**
   * Counts an attempt, before the password is looked at: of many at once no more get through than one by one.
   *
   * @throws OAuthError temporarily_unavailable when too many people try at once.
   */
  take(email: string, address: string): Promise<Attempt>
}

export type Attempt = { readonly waitSeconds: number } | CountedAttempt

/** An attempt that may go on, and counts as a failure until one of these is called. */
export interface CountedAttempt {
  /** Starts over for this address, which is from now on one that the person uses. */
  readonly succeeded: () => Promise<void>
  /** The password was not looked at after all. */
  readonly withdrawn: () => Promise<void>
}

/** What is counted under one key. */
export interface Attempts {
  readonly failures: number
  readonly windowEndsAt: Date
  readonly lastAt: Date
  readonly provenUntil: Date
}

/** One more attempt of an account from an address, or the seconds to wait. */
export function countForAddress(before: Attempts, now: Date): Attempts | number {
  const current = inWindow(before, now, QUARTER_HOUR_SECONDS)
  if (current.failures >= AUTH_LIMITS.failedSignInsPer15Min) return secondsBetween(now, current.windowEndsAt)
  return { ...current, failures: current.failures + 1, lastAt: now }
}

/** One more attempt of an account from anywhere, or the seconds until the next turn. */
export function countForAccount(before: Attempts, now: Date): Attempts | number {
  const current = inWindow(before, now, AUTH_LIMITS.failedSignInsWindowSeconds)
  const nextTurn = after(current.lastAt, turnSeconds(current.failures))
  if (nextTurn > now) return secondsBetween(now, nextTurn)
  return { ...current, failures: current.failures + 1, lastAt: now }
}

/** How far apart attempts must be after so many failures. */
export function turnSeconds(failures: number): number {
  const beyond = failures - AUTH_LIMITS.failedSignInsPerAccount
  if (beyond < 0) return 0
  return Math.min(2 ** Math.floor(beyond / AUTH_LIMITS.turnGrowsEvery), AUTH_LIMITS.turnSecondsMax)
}

const QUARTER_HOUR_SECONDS = 900

function inWindow(before: Attempts, now: Date, windowSeconds: number): Attempts {
  return before.windowEndsAt > now ? before : { ...before, failures: 0, windowEndsAt: after(now, windowSeconds) }
}

function secondsBetween(now: Date, then: Date): number {
  return Math.ceil((then.getTime() - now.getTime()) / 1_000)
}

/** What an attempt answers when the throttle is no help. */
const LET_THROUGH: CountedAttempt = { succeeded: () => Promise.resolve(), withdrawn: () => Promise.resolve() }

/**
 * The counts are kept in the database. A count in memory stands before it: it keeps refused attempts away from the
 * database, and is what remains where the database does not answer: then everybody is let through there.
 *
 * @param now milliseconds of a clock that never steps back; it decides about the memory alone.
 */
export function createSignInThrottle(
  database: Database,
  log: Log,
  now: () => number = () => performance.now(),
): SignInThrottle {
  const inMemory = createThrottle(AUTH_LIMITS.failedSignInsPer15Min, QUARTER_HOUR_SECONDS, now)
  // Few at once: else a crowd that waits for one row, or for connections, would look like a throttle that is broken.
  const inTurn = createLine(AUTH_LIMITS.attemptsCountedAtOnce, AUTH_LIMITS.attemptsWaiting)
  let brokenUntil = -Infinity

  /** What `work` gives, or `fallback` where it fails: a broken throttle is no reason to keep people out. */
  async function orElse<T>(fallback: T, work: () => Promise<T>): Promise<T> {
    if (now() < brokenUntil) return fallback
    try {
      return await within(AUTH_LIMITS.throttleTimeoutMs, work())
    } catch (thrown) {
      brokenUntil = now() + AUTH_LIMITS.throttlePauseMs
      log.warn({ err: thrown }, 'the sign-in throttle does not work, and lets through')
      return fallback
    }
  }

  return {
    async take(email, address) {
      // Hashed, so that all keys have one size.
      const keys = { address: sha256(`${email} from ${address}`), account: sha256(email) }
      const waitSeconds = inMemory.take(keys.address)
      if (waitSeconds !== null) return { waitSeconds }
      const attempt = await inTurn(() => orElse(LET_THROUGH, () => count(database, keys)))
      if ('waitSeconds' in attempt) return attempt
      const over = (end: () => Promise<void>) => async () => {
        inMemory.forget(keys.address)
        await orElse(undefined, end)
      }
      return { succeeded: over(attempt.succeeded), withdrawn: over(attempt.withdrawn) }
    },
  }
}

/** @throws Error when it takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new AbortController()
  try {
    const tooLong = delay(ms, undefined, { signal: late.signal }).then(() => {
      throw new Error('it takes too long')
    })
    return await Promise.race([work, tooLong])
  } finally {
    late.abort()
  }
}

/** `address`: of the account and the address together. */
interface Keys {
  readonly address: string
  readonly account: string
}

/** A transaction that does not wait long for what somebody else holds. */
function shortTransaction<T>(database: Database, work: (tx: Tx) => Promise<T>): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.execute(sql`select set_config('lock_timeout', ${String(AUTH_LIMITS.throttleLockMs)}, true)`)
    return work(tx)
  })
}

function count(database: Database, keys: Keys): Promise<Attempt> {
  return shortTransaction(database, async (tx): Promise<Attempt> => {
    // What is over says nothing more, and may go before it is looked at.
    const columns = { key: signInAttempts.keyHash, time: signInAttempts.expiresAt }
    await purge(tx, signInAttempts, columns, await databaseNow(tx))
    const ofAddress = await lockAttempts(tx, keys.address)
    const now = await databaseNow(tx)
    const counted = countForAddress(ofAddress, now)
    if (typeof counted === 'number') return { waitSeconds: counted }
    const isProven = ofAddress.provenUntil > now
    if (!isProven) {
      const ofAccount = await lockAttempts(tx, keys.account)
      const countedForAccount = countForAccount(ofAccount, await databaseNow(tx))
      if (typeof countedForAccount === 'number') return { waitSeconds: countedForAccount }
      await store(tx, keys.account, countedForAccount)
    }
    await store(tx, keys.address, counted)
    return {
      succeeded: () => takeBack(database, keys, !isProven, true),
      withdrawn: () => takeBack(database, keys, !isProven, false),
    }
  })
}

async function takeBack(database: Database, keys: Keys, fromAccount: boolean, succeeded: boolean): Promise<void> {
  await shortTransaction(database, async (tx) => {
    const ofAddress = await lockAttempts(tx, keys.address)
    const provenUntil = after(await databaseNow(tx), AUTH_LIMITS.provenAddressSeconds)
    await store(tx, keys.address, succeeded ? { ...ofAddress, failures: 0, provenUntil } : lessOne(ofAddress))
    if (fromAccount) await store(tx, keys.account, lessOne(await lockAttempts(tx, keys.account)))
  })
}

function lessOne(attempts: Attempts): Attempts {
  return { ...attempts, failures: Math.max(attempts.failures - 1, 0) }
}

const NEVER = new Date(0)

/** What is counted under a key, locked until the transaction ends. An address is locked before its account. */
async function lockAttempts(tx: Tx, keyHash: string): Promise<Attempts> {
  const none = { failures: 0, windowEndsAt: NEVER, lastAt: NEVER, provenUntil: NEVER }
  const rows = await tx
    .insert(signInAttempts)
    .values({ keyHash, ...none, expiresAt: NEVER })
    // Changes nothing, but locks and returns the row that is there.
    .onConflictDoUpdate({ target: signInAttempts.keyHash, set: { keyHash } })
    .returning()
  return rows[0] ?? none
}

async function store(tx: Tx, keyHash: string, attempts: Attempts): Promise<void> {
  const { failures, windowEndsAt, lastAt, provenUntil } = attempts
  const expiresAt = windowEndsAt > provenUntil ? windowEndsAt : provenUntil
  await tx
    .update(signInAttempts)
    .set({ failures, windowEndsAt, lastAt, provenUntil, expiresAt })
    .where(eq(signInAttempts.keyHash, keyHash))
}
