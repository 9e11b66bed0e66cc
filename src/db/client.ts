import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import { AppError } from '../kernel/errors.ts'
import { NO_METRICS, type Metrics } from '../kernel/metrics.ts'
import { traced } from '../kernel/trace.ts'
import { fromDatabaseError, isSerializationFailure } from './errors.ts'
import { createPool, type Connection, type Orm, type Pool } from './pool.ts'
import { judgeSchema, knownMigrations, READ_SCHEMA, type Migration, type SchemaVerdict } from './schema-state.ts'
import type { InWorkspace, Scope } from './scope.ts'

export type { Orm, Parameter } from './pool.ts'
export type { InWorkspace, OfSystem, OfUser } from './scope.ts'

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

declare const SCOPE: unique symbol

/**
 * For reading tenants' tables, in a scope. What reads or writes them asks for one of these two, and names the scope that it
 * needs: so nobody calls it without. A scope of a workspace and a person serves where either is asked for.
 */
export type Scoped<S extends Scope = InWorkspace> = Pick<Orm, 'select' | 'selectDistinct' | 'execute' | 'fixed'> & {
  readonly [SCOPE]: S
}

/** The same in a transaction that may write. */
export type ScopedTx<S extends Scope = InWorkspace> = Tx & Scoped<S>

/** Takes statements that were sent, and that nothing but the COMMIT comes after. */
export type Last = (sent: Promise<unknown>) => void

/**
 * The only way to the database. Every call is bounded in time, and every error that means "not now" comes out as
 * AppError UNAVAILABLE; nothing above this file sees a driver's error of that kind.
 *
 * `read` and `write` are for tenants' tables, in a scope; `query` and `transaction` for those that belong to no workspace
 * (people and their sign-ins), and find nothing in the others.
 */
export interface Database {
  /** One transaction that only reads, in a scope, and all of it at one moment. In round trips it costs what its statements cost. */
  read<S extends Scope, T>(scope: S, work: (orm: Scoped<S>) => Promise<T>): Promise<T>
  /**
   * `transaction`, in a scope.
   *
   * @param work may leave its last statements to `last`, not waiting for their answers: COMMIT goes right behind them, in
   *   the same round trip. If one of them fails, nothing is committed, and `write` rejects with it.
   */
  write<S extends Scope, T>(scope: S, work: (tx: ScopedTx<S>, last: Last) => Promise<T>): Promise<T>
  /** Independent statements, each its own transaction. */
  query<T>(work: (orm: Orm) => Promise<T>): Promise<T>
  /**
   * One transaction, READ COMMITTED. Rolled back when `work` throws; run again, whole, on a serialization failure or
   * deadlock (at most 4 times), so `work` must have no effect outside the transaction.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** What the database is like for a server of this version. Rejects when it does not answer. */
  condition(): Promise<DatabaseCondition>
  /** One connection more, outside the pool, with these settings. Opened when first used; whoever asked for it ends it. */
  dedicated(settings: Readonly<Record<string, string>>): postgres.Sql
  close(): Promise<void>
}

export interface DatabaseCondition {
  readonly writable: boolean
  readonly schema: SchemaVerdict['kind']
}

/** A standby, or a server or role that was set to read only. */
const READ_ONLY = `select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as "readOnly"`

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

/** What every span of a call says. */
const POSTGRESQL = { 'db.system.name': 'postgresql' }

/** Opens a pool. No connection is made before the first call, and a lost one is replaced by itself. */
export function connect(
  target: ConnectionTarget,
  overrides: Partial<DatabaseLimits> = {},
  metrics: Metrics = NO_METRICS,
): Database {
  const limits = { ...DEFAULT_LIMITS, ...overrides }
  let migrations: readonly Migration[] | null = null
  const known = () => (migrations ??= knownMigrations())
  const pool = createPool((onclose) => openClient(target, onclose), limits.poolSize, metrics)
  metrics.read('orkestrate_db_connections_max', {}, () => limits.poolSize)
  const call = async <T>(kind: string, work: Work<T>) => {
    try {
      return await traced(`database ${kind}`, POSTGRESQL, () => bounded(pool, limits, work))
    } catch (thrown) {
      const away = thrown instanceof AppError && thrown.code === 'UNAVAILABLE'
      if (away) metrics.count('orkestrate_db_unavailable_total', {})
      throw thrown
    }
  }
  return {
    read: (scope, work) => call('read', (connection, progress) => runRead(connection, progress, scope, work)),
    write: (scope, work) =>
      retrying(metrics, () => call('write', (connection, progress) => runWrite(connection, progress, scope, work))),
    query: (work) => call('query', (connection) => work(connection.orm)),
    transaction: (work) =>
      retrying(metrics, () =>
        call('transaction', (connection, progress) => runTransaction(connection, progress, work)),
      ),
    condition: () =>
      call('condition', async ({ orm }) => {
        const [[row], [state]] = await Promise.all([
          orm.execute<{ readOnly: boolean }>(READ_ONLY),
          orm.execute<{ applied: string; oldest: string | null }>(READ_SCHEMA),
        ])
        const schema = state === undefined ? 'behind' : judgeSchema(known(), state).kind
        return { writable: row?.readOnly === false, schema }
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

type Work<T> = (connection: Connection, progress: Progress) => Promise<T>

async function runTransaction<T>(connection: Connection, progress: Progress, work: (tx: Tx) => Promise<T>): Promise<T> {
  await connection.run('begin')
  progress.acquired()
  // BEGIN has just succeeded on this connection.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return concluding(connection, progress, () => work(connection.orm as Tx))
}

async function runWrite<S extends Scope, T>(
  connection: Connection,
  progress: Progress,
  scope: S,
  work: (tx: ScopedTx<S>, last: Last) => Promise<T>,
): Promise<T> {
  return concluding(connection, progress, (last) => {
    const opening = connection.begin('begin', scope).then(() => progress.acquired())
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `behind` says what the statements of `work` run in
    return behind(opening, () => work(connection.orm as ScopedTx<S>, last))
  })
}

async function runRead<S extends Scope, T>(
  connection: Connection,
  progress: Progress,
  scope: S,
  work: (orm: Scoped<S>) => Promise<T>,
): Promise<T> {
  try {
    const opening = connection.begin('begin isolation level repeatable read read only', scope)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
    const reading = () => work(connection.orm as Orm & Scoped<S>)
    return await behind(
      opening.then(() => progress.acquired()),
      reading,
    )
  } finally {
    // Nobody has to wait for it: there is nothing to lose, and what the connection is told next comes after it.
    connection.run('commit').catch(() => connection.discard())
  }
}

/**
 * Runs `work` without waiting for the answer to `opening`, so that its first statements are in the same round trip. This
 * is safe where there is a scope: behind a BEGIN that failed those statements are transactions of their own, without the
 * scope, and so find no rows and write none. Behind a scope that failed the transaction is broken, and refuses them.
 *
 * @throws what `opening` says, whatever `work` made of it.
 */
async function behind<T>(opening: Promise<void>, work: () => Promise<T>): Promise<T> {
  const [opened, worked] = await Promise.allSettled([opening, Promise.resolve().then(work)])
  if (opened.status === 'rejected') throw opened.reason
  if (worked.status === 'rejected') throw worked.reason
  return worked.value
}

/**
 * Commits after `work`, or rolls back. The commit may go out before the answers to the last statements are in: PostgreSQL
 * makes a rollback of it when one of them failed.
 */
async function concluding<T>(connection: Connection, progress: Progress, work: (last: Last) => Promise<T>): Promise<T> {
  const unanswered: Promise<unknown>[] = []
  try {
    if (progress.abandoned()) throw new AppError('UNAVAILABLE')
    const result = await work((sent) => {
      // Asked once, and now: a statement of drizzle's is sent when it is asked for its answer, and again each time.
      const answer = sent.then(() => undefined)
      // Heard in any case, also where `work` throws before the end.
      answer.catch(() => undefined)
      unanswered.push(answer)
    })
    // Past its time the caller has been told that it failed: make that true.
    if (progress.abandoned()) throw new AppError('UNAVAILABLE')
    await Promise.all([...unanswered, connection.run('commit')])
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
async function bounded<T>(pool: Pool, limits: DatabaseLimits, work: Work<T>): Promise<T> {
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

async function retrying<T>(metrics: Metrics, attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt()
    } catch (thrown) {
      if (!isSerializationFailure(thrown)) throw thrown
      if (count === MAX_ATTEMPTS) throw fromDatabaseError(thrown)
      metrics.count('orkestrate_db_retries_total', {})
      await delay(Math.random() * 10 * 2 ** count)
    }
  }
}
