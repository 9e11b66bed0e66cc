import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import { AppError } from '../kernel/errors.ts'
import { fromDatabaseError, isSerializationFailure } from './errors.ts'
import { createPool, type Connection, type Orm, type Pool } from './pool.ts'

export type { Orm } from './pool.ts'

/** Where PostgreSQL is: a URL, or the parts (a `host` starting with `/` is the directory of a unix socket). */
export type ConnectionTarget =
  | { readonly url: string }
  | {
      readonly host: string
      readonly port: number
      readonly database: string
      readonly username: string
      readonly password?: string
    }

declare const IN_TRANSACTION: unique symbol

/** The query builder of a transaction. A type of its own, so that what needs a transaction cannot be called without. */
export type Tx = Orm & { readonly [IN_TRANSACTION]: true }

/**
 * The only way to the database. Every call is bounded in time, and every error that means "not now" comes out as
 * AppError UNAVAILABLE; nothing above this file sees a driver's error of that kind.
 */
export interface Database {
  /** Independent statements, each its own transaction. */
  query<T>(work: (orm: Orm) => Promise<T>): Promise<T>
  /**
   * One transaction, READ COMMITTED. Rolled back when `work` throws; run again, whole, on a serialization failure or
   * deadlock (at most 4 times), so `work` must have no effect outside the transaction.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Resolves when the database answers and can be written to. */
  ping(): Promise<void>
  /** One connection more, outside the pool, with these settings. Opened when first used; whoever asked for it ends it. */
  dedicated(settings: Readonly<Record<string, string>>): postgres.Sql
  close(): Promise<void>
}

export interface DatabaseLimits {
  /** Connections in the pool. */
  readonly poolSize: number
  /** How long a call may wait for a connection that works before it is UNAVAILABLE. 1.5 s keeps a 503 under 2 s. */
  readonly acquireTimeoutMs: number
  /** How long a call may take in all; a hung network is noticed by nothing else. */
  readonly totalTimeoutMs: number
}

const DEFAULT_LIMITS: DatabaseLimits = { poolSize: 20, acquireTimeoutMs: 1_500, totalTimeoutMs: 8_000 }

const MAX_ATTEMPTS = 4

/** Opens a pool. No connection is made before the first call, and a lost one is replaced by itself. */
export function connect(target: ConnectionTarget, overrides: Partial<DatabaseLimits> = {}): Database {
  const limits = { ...DEFAULT_LIMITS, ...overrides }
  const pool = createPool((onclose) => openClient(target, onclose), limits.poolSize)
  return {
    // Never told `acquired`: all of it has the time that acquiring a connection has.
    query: (work) => bounded(pool, limits, (connection) => work(connection.orm)),
    transaction: (work) =>
      retrying(() => bounded(pool, limits, (connection, progress) => runTransaction(connection, progress, work))),
    ping: () =>
      bounded(pool, limits, async ({ orm }) => {
        const rows = await orm.execute<{ readOnly: boolean }>(sql`select pg_is_in_recovery() as "readOnly"`)
        if (rows[0]?.readOnly !== false) throw new AppError('UNAVAILABLE')
      }),
    dedicated: (settings) => openClient(target, () => undefined, settings),
    close: () => pool.close(),
  }
}

function openClient(
  target: ConnectionTarget,
  onclose: () => void,
  settings: Readonly<Record<string, string>> = {},
): postgres.Sql {
  const options = {
    max: 1,
    onclose,
    // A dedicated connection that is lost is made again; the default would wait up to 20 s between attempts.
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 0.5),
    connect_timeout: 2,
    // The driver asks for array types in a promise of its own: a database that goes away just then would end the process
    // with an unhandled rejection (seen under kill -9). Arrays are drizzle's, which needs no types for them.
    fetch_types: false,
    // The driver would end a connection that is between two statements of our transaction.
    max_lifetime: null,
    onnotice: () => undefined,
    connection: {
      application_name: 'orkestrate',
      // Whatever the database's default is: what is read after a lock must be what was committed during the wait.
      default_transaction_isolation: 'read committed' as const,
      statement_timeout: 5_000,
      lock_timeout: 4_000,
      idle_in_transaction_session_timeout: 10_000,
      ...settings,
    },
  }
  return 'url' in target ? postgres(target.url, options) : postgres({ ...target, ...options })
}

interface Progress {
  /** Called once a connection is there that answers: from here on only the total time counts. */
  acquired(): void
  /** True once the caller has been told UNAVAILABLE. */
  abandoned(): boolean
}

async function runTransaction<T>(connection: Connection, progress: Progress, work: (tx: Tx) => Promise<T>): Promise<T> {
  await connection.run('begin')
  progress.acquired()
  try {
    if (progress.abandoned()) throw new AppError('UNAVAILABLE')
    // BEGIN has just succeeded on this connection.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const result = await work(connection.orm as Tx)
    // Past its time the caller has been told that it failed: make that true.
    if (progress.abandoned()) throw new AppError('UNAVAILABLE')
    await connection.run('commit')
    return result
  } catch (thrown) {
    // A connection that cannot even do this is thrown away with its transaction.
    await connection.run('rollback').catch(() => connection.discard())
    throw thrown
  }
}

/**
 * Runs `work` on a connection. Rejects with UNAVAILABLE when none that answers is there within the time to acquire one,
 * or when all of it takes too long; the connection is then cut, which ends whatever still waits on it.
 */
async function bounded<T>(
  pool: Pool,
  limits: DatabaseLimits,
  work: (connection: Connection, progress: Progress) => Promise<T>,
): Promise<T> {
  let over = false
  let lent: Connection | null = null
  return new Promise<T>((resolve, reject) => {
    const abandon = () => {
      over = true
      lent?.discard()
      reject(new AppError('UNAVAILABLE', undefined, { retryAfterMs: 1_000 }))
    }
    const total = setTimeout(abandon, limits.totalTimeoutMs)
    const acquire = setTimeout(abandon, limits.acquireTimeoutMs)
    const progress = { acquired: () => clearTimeout(acquire), abandoned: () => over }
    pool
      .lend(progress.abandoned, (connection) => {
        lent = connection
        return work(connection, progress)
      })
      .then(resolve, (thrown: unknown) => reject(fromDatabaseErrorKeepingRetries(thrown)))
      .finally(() => {
        clearTimeout(total)
        clearTimeout(acquire)
      })
  })
}

/** Serialization failures stay as they are for `retrying`; everything else is translated here. */
function fromDatabaseErrorKeepingRetries(thrown: unknown): Error {
  const error = isSerializationFailure(thrown) ? thrown : fromDatabaseError(thrown)
  return error instanceof Error ? error : new Error('a non-error was thrown', { cause: error })
}

async function retrying<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt()
    } catch (thrown) {
      if (!isSerializationFailure(thrown)) throw thrown
      if (count === MAX_ATTEMPTS) throw fromDatabaseError(thrown)
      await delay(Math.random() * 10 * 2 ** count)
    }
  }
}
