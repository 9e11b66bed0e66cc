/** Where row-level security would not hold the server does not start, and says what to do. With real roles. */
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as drizzleMigrate } from 'drizzle-orm/postgres-js/migrator'
import type postgres from 'postgres'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { connect, type ConnectionTarget } from '../../src/db/client.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { migrate } from '../../src/db/migrate.ts'
import { journals } from '../../src/journal/schema.ts'
import { values } from '../../src/modules/values/schema.ts'
import { createTestDatabase } from '../support/database.ts'
import { openSql } from '../support/global-setup.ts'
import { FAST, quiet } from './embedded-harness.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A PostgreSQL of this file's own, for its superuser. */
let dataDir: string
let cluster: EmbeddedPostgres
let superuser: { host: string; port: number; database: string; username: string; password: string }
let sql: postgres.Sql
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'ork-db-'))
  // As root PostgreSQL runs as another user, who must be able to get here.
  await chmod(dataDir, 0o755)
  cluster = await startEmbeddedPostgres({ dataDir, log: quiet, settings: FAST })
  const { superuser: password } = JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8'))
  superuser = { ...cluster.connection, username: 'postgres', password }
  sql = openSql(superuser)
})
afterAll(async () => {
  await sql.end()
  await cluster.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** A role with a database of its own of the same name. */
async function createRole(name: string, attributes = ''): Promise<ConnectionTarget> {
  await sql.unsafe(`create role ${name} login password 'x' ${attributes}`)
  await sql.unsafe(`create database ${name} owner ${name}`)
  return { ...cluster.connection, database: name, username: name, password: 'x' }
}

/** What a person reads who starts the server with it; undefined when it starts. */
async function refusal(target: ConnectionTarget): Promise<string | undefined> {
  return migrate(target).then(
    () => undefined,
    (error: Error) => {
      expect(error.name).toBe('RowSecurityError')
      return error.message
    },
  )
}

async function schemas(target: ConnectionTarget): Promise<string[]> {
  const own = openSql(target)
  const rows = await own<{ name: string }[]>`select nspname as name from pg_namespace where nspname = 'drizzle'`
  await own.end()
  return rows.map(({ name }) => name)
}

test('as a superuser the server does not start, and has changed nothing', async () => {
  const message = await refusal(superuser)
  expect(message).toContain('"postgres" is a superuser')
  expect(message).toContain('docker/create-role.sh')
  expect(message).toContain('DATABASE_URL')
  expect(await schemas(superuser)).toEqual([])
})

test('with BYPASSRLS it does not either, until the role is altered as the message says', async () => {
  const target = await createRole('loose', 'bypassrls')
  const message = await refusal(target)
  expect(message).toContain('"loose" has BYPASSRLS')
  expect(await schemas(target)).toEqual([])
  await sql.unsafe(/ALTER ROLE "loose"[^.]*/u.exec(message ?? '')?.[0] ?? '')
  expect(await refusal(target)).toBeUndefined()
  expect(await schemas(target)).toEqual(['drizzle'])
})

test.each(['role', 'database'])(
  'with row_security off for its %s it does not, until it is taken away',
  async (what) => {
    const name = `off_for_${what}`
    const target = await createRole(name)
    await sql.unsafe(`alter ${what} ${name} set row_security = off`)
    const message = await refusal(target)
    expect(message).toContain(`row_security is off for the database role "${name}"`)
    await sql.unsafe([...(message ?? '').matchAll(/ALTER [^;]*;/gu)].join(''))
    expect(await refusal(target)).toBeUndefined()
  },
)

test('a role that docker/create-role.sh makes is bound, and the server starts with it', async () => {
  const script = await readFile(join(ROOT, 'docker/create-role.sh'), 'utf8')
  const statements = /<<'SQL'\n(.*)^SQL$/msu.exec(script)?.[1] ?? ''
  for (const statement of statements.split(';').slice(0, -1)) {
    await sql.unsafe(statement.replaceAll(`:'password'`, `'x'`).replaceAll('orkestrate', 'compose'))
  }
  const target = { ...cluster.connection, database: 'compose', username: 'compose', password: 'x' }
  expect(await refusal(target)).toBeUndefined()
})

test('with a table on which somebody switched it off it does not start, until it is switched on again', async () => {
  const db = await createTestDatabase()
  const sql = openSql(db.target)
  const tables = await sql<{ name: string }[]>`
    select quote_ident(relname) as name from pg_class join pg_attribute on attrelid = pg_class.oid
    where relkind = 'r' and relnamespace = 'public'::regnamespace and attname = 'workspace_id' union select 'workspaces'`
  expect(tables.length).toBeGreaterThan(9)
  for (const { name } of tables) {
    for (const drift of ['no force', 'disable']) {
      await sql.unsafe(`alter table ${name} ${drift} row level security`)
      const message = await refusal(db.target)
      expect(message).toContain(`not under forced row-level security: "${name.replaceAll('"', '')}".`)
      await sql.unsafe(/ALTER TABLE [^;]*/u.exec(message ?? '')?.[0] ?? '')
      expect(await refusal(db.target)).toBeUndefined()
    }
  }
  await sql`create table notes (workspace_id text not null, note text)`
  expect(await refusal(db.target)).toContain('"notes"')
  await sql.end()
  await db.drop()
})

/** The database as it was before row-level security. */
async function migrateBefore(sql: postgres.Sql): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ork-migrations-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await cp(join(ROOT, 'migrations'), folder, { recursive: true })
  const file = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(await readFile(file, 'utf8'))
  const entries = journal.entries.filter(({ tag }: { tag: string }) => tag < '0002')
  await writeFile(file, JSON.stringify({ ...journal, entries }))
  await drizzleMigrate(drizzle(sql), { migrationsFolder: folder })
}

test('a database that has rows gets it with them in place, waits for a change under way, and misses none', async () => {
  const db = await createTestDatabase()
  const sql = openSql(db.target)
  for (const schema of ['public', 'drizzle']) await sql.unsafe(`drop schema ${schema} cascade`)
  await sql`create schema public`
  await migrateBefore(sql)
  for (const workspace of ['ws_a', 'ws_b']) {
    await sql`insert into journals values (${workspace}, 0, '', 0, '', clock_timestamp())`
    await sql`insert into workspaces (id, name, created_by, created_at) values (${workspace}, 'W', 'usr', clock_timestamp())`
    await sql`insert into "values" values (${workspace}, 'key', '1', 1, 1, clock_timestamp(), 'agent')`
  }
  // A change as the old version makes it: the lock, then what it writes.
  const old = openSql(db.target)
  let migrated = Promise.resolve()
  await old.begin(async (tx) => {
    await tx`select 1 from journals where workspace_id = 'ws_a' for update`
    migrated = migrate(db.target)
    await expect
      .poll(
        async () =>
          (await sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
            .length,
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0)
    await tx`insert into "values" values ('ws_a', 'late', '2', 1, 2, clock_timestamp(), 'agent')`
  })
  await migrated
  expect(await old`select 1 from "values"`).toHaveLength(0)
  const database = connect(db.target)
  const inA = await database.read({ workspace: 'ws_a' }, (orm) => orm.select({ key: values.key }).from(values))
  expect(inA.map(({ key }) => key).toSorted()).toEqual(['key', 'late'])
  expect(await database.read({ workspace: 'ws_b' }, (orm) => orm.select().from(values))).toHaveLength(1)
  expect(await database.read({ system: true }, (orm) => orm.select().from(journals))).toHaveLength(2)
  await Promise.all([database.close(), old.end(), sql.end()])
  await db.drop()
})
