import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type postgres from 'postgres'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { migrate, MigrationError } from '../../src/db/migrate.ts'
import { knownMigrations, MIGRATIONS_FOLDER } from '../../src/db/schema-state.ts'
import { createTestDatabase } from '../support/database.ts'
import { dropDatabase, openSql, withDatabase } from '../support/global-setup.ts'

/** The last migration that no version before had to serve beside. */
const LAST_ALONE = '0004'

interface Extra {
  readonly name: string
  readonly sql: string
}

/** A folder with our migrations, or some of them, and others after them. */
function folderWith(extra: readonly Extra[], keep: (name: string) => boolean = () => true): string {
  const folder = mkdtempSync(join(tmpdir(), 'ork-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(MIGRATIONS_FOLDER, 'meta', '_journal.json')
  const journal = JSON.parse(readFileSync(path, 'utf8')) as { entries: { tag: string; when: number }[] }
  const kept = journal.entries.filter(({ tag }) => keep(tag))
  for (const { tag } of kept) copyFileSync(join(MIGRATIONS_FOLDER, `${tag}.sql`), join(folder, `${tag}.sql`))
  for (const { name, sql } of extra) writeFileSync(join(folder, `${name}.sql`), sql)
  const added = extra.map(({ name }, n) => ({ tag: name, when: 9_000_000_000_000 + n }))
  mkdirSync(join(folder, 'meta'))
  writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify({ entries: [...kept, ...added] }))
  return folder
}

async function freshDatabase() {
  const db = await createTestDatabase()
  const sql = (): postgres.Sql => {
    const opened = openSql(db.target)
    onTestFinished(() => opened.end())
    return opened
  }
  onTestFinished(() => db.drop())
  return { ...db, sql }
}

const ADD: Extra = { name: '9000_add', sql: 'ALTER TABLE "journals" ADD COLUMN "probe" text' }

async function hasColumn(sql: postgres.Sql, column: string): Promise<boolean> {
  const rows =
    await sql`select from information_schema.columns where table_name = 'journals' and column_name = ${column}`
  return rows.length > 0
}

describe('a migration behind a long transaction', () => {
  test('lets everybody through again and again, and is done once that is over', async () => {
    const { target, sql } = await freshDatabase()
    const [long, other] = [sql(), sql()]
    const log = { info: vi.fn<() => void>(), warn: vi.fn<() => void>() }
    await long`begin`
    await long`select from journals`
    const migrating = migrate(target, { folder: folderWith([ADD]), lockTimeoutMs: 50, log })
    for (const attempt of [1, 2]) {
      await vi.waitFor(() => expect(log.warn).toHaveBeenCalledTimes(attempt), 10_000)
      // Behind a statement that waited for good this would wait too.
      await other`select from journals`
    }
    expect(await hasColumn(other, 'probe')).toBe(false)
    await long`commit`
    await migrating
    expect(await hasColumn(other, 'probe')).toBe(true)
  })

  test('gives up in the end, has done nothing, and says how to find what holds the lock', async () => {
    const { target, sql } = await freshDatabase()
    const long = sql()
    await long`begin`
    await long`select from journals`
    const migrating = migrate(target, { folder: folderWith([ADD]), lockTimeoutMs: 20, giveUpMs: 0 })
    await expect(migrating).rejects.toThrow(MigrationError)
    await expect(migrating).rejects.toThrow('pg_stat_activity')
    expect(await hasColumn(long, 'probe')).toBe(false)
    await long`rollback`
  })
})

test('each migration is a transaction of its own: what a failed one did is undone, and what was before it stays', async () => {
  const { target, sql } = await freshDatabase()
  const broken = {
    name: '9001_broken',
    sql: 'ALTER TABLE "journals" ADD COLUMN "b" text;\n--> statement-breakpoint\nNONSENSE',
  }
  await expect(migrate(target, { folder: folderWith([ADD, broken]) })).rejects.toThrow('syntax error')
  const look = sql()
  expect([await hasColumn(look, 'probe'), await hasColumn(look, 'b')]).toEqual([true, false])
  await migrate(target, { folder: folderWith([ADD, { ...broken, sql: broken.sql.replace('NONSENSE', 'SELECT 1') }]) })
  expect(await hasColumn(look, 'b')).toBe(true)
})

test('an index is built beside everybody, also while other servers wait for their turn', async () => {
  const { target, sql } = await freshDatabase()
  const index = {
    name: '9000_index',
    sql: '-- outside a transaction\nDROP INDEX CONCURRENTLY IF EXISTS "probe";\n--> statement-breakpoint\nCREATE INDEX CONCURRENTLY "probe" ON "events" ("type");',
  }
  const folder = folderWith([index])
  await Promise.all([1, 2, 3].map(() => migrate(target, { folder })))
  expect(await sql()`select indisvalid as valid from pg_index where indexrelid = 'probe'::regclass`).toEqual([
    { valid: true },
  ])
})

test('a database that a newer version has changed for good is left alone', async () => {
  const { target, sql } = await freshDatabase()
  await sql()`comment on table drizzle.__drizzle_migrations is 'oldest server: 9999999999999'`
  await expect(migrate(target, { folder: folderWith([ADD]) })).rejects.toThrow('newer version')
  expect(await hasColumn(sql(), 'probe')).toBe(false)
})

/**
 * What the version before does all day, in its own columns and with the application's own bounds.
 *
 * @param done is told of each transaction
 */
async function workload(
  sql: postgres.Sql,
  { workspaceId, done, stop }: { workspaceId: string; done: () => void; stop: AbortSignal },
): Promise<void> {
  await sql`set lock_timeout = 1500`
  await sql`select set_config('orkestrate.workspace_id', ${workspaceId}, false)`
  const hash = Buffer.alloc(32)
  await sql`insert into journals (workspace_id, seq, hash, state_seq, state_hash, clock) values (${workspaceId}, 0, ${hash}, 0, ${hash}, clock_timestamp())`
  while (!stop.aborted) {
    await sql.begin(async (tx) => {
      const [head] = await tx`select seq from journals where workspace_id = ${workspaceId} for update`
      const seq = Number(head?.['seq']) + 1
      await tx`insert into events (workspace_id, seq, type, at, actor, payload, team_state, hash)
        values (${workspaceId}, ${seq}, 'value.written', clock_timestamp(), '{"kind":"system"}', '{}', true, ${hash})`
      await tx`update journals set seq = ${seq}, state_seq = ${seq}, clock = clock_timestamp() where workspace_id = ${workspaceId}`
      await tx`insert into "values" (workspace_id, key, value, bytes, version, updated_at, updated_by)
        values (${workspaceId}, 'k', '1', 1, ${seq}, clock_timestamp(), 'a')
        on conflict (workspace_id, key) do update set version = excluded.version`
    })
    done()
  }
}

const beside = knownMigrations()
  .map(({ name }) => name)
  .filter((name) => name.slice(0, 4) > LAST_ALONE)

test.each(beside)('%s runs while the version before works, and loses none of its transactions', async (name) => {
  const admin = openSql(inject('postgres'))
  const database = `ork_before_${process.pid}_${Date.now()}`
  await admin.unsafe(`create database ${database}`)
  onTestFinished(async () => {
    await dropDatabase(admin, database)
    await admin.end()
  })
  const target = withDatabase(inject('postgres'), database)
  await migrate(target, { folder: folderWith([], (tag) => tag < name) })
  const stop = new AbortController()
  const clients = [1, 2, 3, 4].map(() => openSql(target))
  const done = clients.map(() => 0)
  const working = Promise.all(
    clients.map((sql, n) =>
      workload(sql, { workspaceId: `ws_${n}`, done: () => (done[n] = (done[n] ?? 0) + 1), stop: stop.signal }),
    ),
  )
  /** Each is at work, and has got through once more since this was asked. */
  const allGoOn = () => {
    const before = [...done]
    const goesOn = () => expect(done.every((n, client) => n > (before[client] ?? 0))).toBe(true)
    return Promise.race([working, vi.waitFor(goesOn, { timeout: 20_000 })])
  }
  await allGoOn()
  await migrate(target, { folder: folderWith([], (tag) => tag <= name) })
  await allGoOn()
  stop.abort()
  await working
  await Promise.all(clients.map((sql) => sql.end()))
})
