import { setTimeout as delay } from 'node:timers/promises'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { AppError } from '../kernel/errors.ts'
import { fromDatabaseError, isSerializationFailure } from './errors.ts'

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

export type Orm = PostgresJsDatabase
/** A transaction: the same query builder, bound to one connection. */
export type Tx = Parameters<Parameters<Orm['transaction']>[0]>[0]

/**
 * The only way to the database. Every call is bounded in time, and every error that means "not now" comes out as
 * AppError UNAVAILABLE; nothing above this file sees a driver's error of that kind.
 */
export interface Database {
  /** Independent statements, each its own transaction, bounded in all by the time to acquire a connection. */
  query<T>(work: (orm: Orm) => Promise<T>): Promise<T>
  /**
   * One transaction, READ COMMITTED. Rolled back when `work` throws; run again, whole, on a serialization failure or
   * deadlock (at most 4 times), so `work` must have no effect outside the transaction.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Resolves when the database answers and can be written to. */
  ping(): Promise<void>
  /** The driver itself, for connections held longer than a call. */
  readonly sql: postgres.Sql
  /** One connection more, outside the pool, with these settings. Opened when first used; whoever asked for it ends it. */
  dedicated(settings: Readonly<Record<string, string>>): postgres.Sql
  close(): Promise<void>
}

export interface DatabaseLimits {
  /** Connections in the pool. */
  readonly poolSize: number
  /** How long a call may wait for a connection before it is UNAVAILABLE. 1.5 s keeps a 503 under 2 s. */
  readonly acquireTimeoutMs: number
  /** How long a call may take in all; a hung network is noticed by nothing else. */
  readonly totalTimeoutMs: number
}

const DEFAULT_LIMITS: DatabaseLimits = { poolSize: 20, acquireTimeoutMs: 1_500, totalTimeoutMs: 8_000 }

const MAX_ATTEMPTS = 4

/** Opens a pool. No connection is made before the first call, and a lost one is made again by itself. */
export function connect(target: ConnectionTarget, overrides: Partial<DatabaseLimits> = {}): Database {
  const limits = { ...DEFAULT_LIMITS, ...overrides }
  const options = {
    max: limits.poolSize,
    connect_timeout: 2,
    // The default backs off for up to 20 s, in which a database that is up again would still be refused to callers.
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 0.5),
    onnotice: () => undefined,
    connection: {
      application_name: 'orkestrate',
      statement_timeout: 5_000,
      lock_timeout: 4_000,
      idle_in_transaction_session_timeout: 10_000,
    },
  }
  const open = (own: typeof options) => ('url' in target ? postgres(target.url, own) : postgres({ ...target, ...own }))
  const sql = open(options)
  const orm = drizzle(sql)

  return {
    sql,
    dedicated: (settings) => open({ ...options, max: 1, connection: { ...options.connection, ...settings } }),
    query: (work) => bounded(limits, () => work(orm)),
    ping: () =>
      bounded(limits, async () => {
        const rows = await sql<{ readOnly: boolean }[]>`select pg_is_in_recovery() as "readOnly"`
        if (rows[0]?.readOnly !== false) throw new AppError('UNAVAILABLE')
      }),
    transaction: (work) => retrying(() => bounded(limits, (progress) => runTransaction(orm, progress, work))),
    close: () => sql.end({ timeout: 5 }),
  }
}

interface Progress {
  /** Called once a connection is there: from here on only the total time counts. */
  acquired(): void
  /** True once the caller has been told UNAVAILABLE: the work must not start any more. */
  abandoned(): boolean
}

async function runTransaction<T>(orm: Orm, progress: Progress, work: (tx: Tx) => Promise<T>): Promise<T> {
  return orm.transaction(async (tx) => {
    if (progress.abandoned()) throw new AppError('UNAVAILABLE')
    progress.acquired()
    const result = await work(tx)
    // Past the total time the caller has already been told that it failed: make that true.
    if (progress.abandoned()) throw new AppError('UNAVAILABLE')
    return result
  })
}

async function bounded<T>(limits: DatabaseLimits, run: (progress: Progress) => Promise<T>): Promise<T> {
  let abandoned = false
  return new Promise<T>((resolve, reject) => {
    const abandon = () => {
      abandoned = true
      reject(new AppError('UNAVAILABLE', undefined, { retryAfterMs: 1_000 }))
    }
    const total = setTimeout(abandon, limits.totalTimeoutMs)
    const acquire = setTimeout(abandon, limits.acquireTimeoutMs)
    run({ acquired: () => clearTimeout(acquire), abandoned: () => abandoned })
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
