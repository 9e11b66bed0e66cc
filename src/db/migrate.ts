import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import type { Log } from '../kernel/log.ts'
import type { ConnectionTarget } from './client.ts'
import { databaseErrorCode } from './errors.ts'
import { assertLogsAreAppendOnly, assertRoleIsBound, assertTablesAreWalled } from './row-security.ts'
import {
  judgeSchema,
  knownMigrations,
  MIGRATIONS_FOLDER,
  READ_SCHEMA,
  type Migration,
  type SchemaState,
} from './schema-state.ts'

/** 'orkestra' as a 64-bit number: any constant will do, as long as every version of this program uses the same. */
const LOCK_KEY = '8030606865440305761'

/** How often it is looked whether another server has finished migrating. */
const TURN_MS = 200

/**
 * A statement of a migration waits this long for a lock, then lets everybody through before it tries again. A table's
 * lock is granted in order: behind a statement that waits for a long transaction everybody else waits too. Calls have
 * 1.5 s (db/client.ts), so this is what they do not notice.
 */
const LOCK_TIMEOUT_MS = 800

/** Between two attempts; half of it and half random, so that it does not keep step with what it waits for. */
const RETRY_MS = 1_000

/** After this whoever holds the lock is a person's to deal with. */
const GIVE_UP_MS = 5 * 60_000

/** https://www.postgresql.org/docs/18/errcodes-appendix.html: lock_not_available, deadlock_detected. */
const LOCK_ERRORS = new Set(['55P03', '40P01'])

/** For the operator: what stands in the way of a migration, and what to do about it. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

export interface MigrateOptions {
  readonly log?: Pick<Log, 'info' | 'warn'>
  readonly folder?: string
  readonly lockTimeoutMs?: number
  readonly giveUpMs?: number
}

/**
 * Brings the schema up to date, while servers of the version before serve. Several servers may call this at once: an
 * advisory lock lets one work while the others look, and then find nothing to do. Each migration is a transaction of its
 * own, so that it holds its locks as short as it can; one that begins with `-- outside a transaction` is none, and its
 * statements must be harmless to repeat.
 *
 * @throws RowSecurityError where row-level security would not hold: for the role, before anything is changed; for a table,
 *   after. MigrationError where the database is too new for this version, or a lock is not to be had.
 */
export async function migrate(target: ConnectionTarget, options: MigrateOptions = {}): Promise<void> {
  const settings = { max: 1, onnotice: () => undefined, connect_timeout: 5 }
  const sql = 'url' in target ? postgres(target.url, settings) : postgres({ ...target, ...settings })
  try {
    await assertRoleIsBound(sql)
    await takeTurn(sql)
    await sql.unsafe(CREATE_TABLE)
    const known = knownMigrations(options.folder ?? MIGRATIONS_FOLDER)
    const [state] = await sql.unsafe<SchemaState[]>(READ_SCHEMA)
    const verdict = judgeSchema(known, state ?? { applied: '', oldest: null })
    if (verdict.kind === 'too new') throw new MigrationError(TOO_NEW)
    for (const migration of verdict.missing) await apply(sql, migration, options)
    await assertTablesAreWalled(sql)
    // Those of an earlier version did not switch them on.
    if (options.folder === undefined) await assertLogsAreAppendOnly(sql)
  } finally {
    // Ending the session also ends the lock, whatever happened above.
    await sql.end({ timeout: 5 })
  }
}

/** As drizzle's own migrator has it, which made it in databases that are there. */
const CREATE_TABLE = `create schema if not exists drizzle;
  create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`

const TOO_NEW =
  'This database was migrated by a newer version of the server, and this version does not understand it any more. ' +
  'Nothing was changed. Start the newer version.'

/**
 * Asked again and again, never waited for: a statement that waits has a snapshot, and CREATE INDEX CONCURRENTLY of the
 * server whose turn it is would wait for that, and both of them for ever.
 */
async function takeTurn(sql: postgres.Sql): Promise<void> {
  for (;;) {
    const [row] = await sql<{ mine: boolean }[]>`select pg_try_advisory_lock(${LOCK_KEY}::bigint) as mine`
    if (row?.mine === true) return
    await delay(TURN_MS)
  }
}

async function apply(sql: postgres.Sql, migration: Migration, options: MigrateOptions): Promise<void> {
  const { log, lockTimeoutMs = LOCK_TIMEOUT_MS, giveUpMs = GIVE_UP_MS } = options
  const { name } = migration
  const giveUpAt = performance.now() + giveUpMs
  const record = (tx: postgres.ISql) =>
    tx`insert into drizzle.__drizzle_migrations (hash, created_at) values (${migration.hash}, ${migration.madeAt})`
  if (migration.outsideTransaction) {
    for (const statement of migration.statements) await sql.unsafe(statement)
    await record(sql)
    return
  }
  for (;;) {
    try {
      await sql.begin(async (tx) => {
        await tx.unsafe(`set local lock_timeout = ${lockTimeoutMs}`)
        for (const statement of migration.statements) await tx.unsafe(statement)
        await record(tx)
      })
      log?.info({ migration: name }, 'migrated')
      return
    } catch (thrown) {
      if (!LOCK_ERRORS.has(databaseErrorCode(thrown) ?? '')) throw thrown
      if (performance.now() > giveUpAt) throw new MigrationError(blocked(name), { cause: thrown })
      log?.warn(
        { migration: name },
        'a migration did not get its lock in time; it lets the others through and tries again',
      )
      await delay(RETRY_MS * (0.5 + Math.random() / 2))
    }
  }
}

function blocked(name: string): string {
  return (
    `The migration ${name} waited for a lock for minutes and gave up; nothing of it was done. Something holds a ` +
    'transaction open: SELECT pid, xact_start, state, query FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY ' +
    'xact_start; shows what. End it (SELECT pg_terminate_backend(pid)), then start the server again.'
  )
}
