import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import type { ConnectionTarget } from '../../src/db/client.ts'
import { startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { migrate } from '../../src/db/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A server to clone databases on, with the migrated database `templateDatabase`. */
    postgres: ConnectionTarget
    templateDatabase: string
  }
}

/**
 * One PostgreSQL for the whole run, and one migrated template database that every test file clones (30 ms against
 * 400 ms for migrating). It is the embedded one, without fsync; TEST_DATABASE_URL names another, whose role must be
 * allowed to create databases.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env['TEST_DATABASE_URL']
  const { target, stop } = url === undefined ? await throwAwayPostgres() : { target: { url }, stop: undefined }
  const templateDatabase = `ork_template_${process.pid}`
  const sql = openSql(target)
  await sql.unsafe(`drop database if exists ${templateDatabase}`)
  await sql.unsafe(`create database ${templateDatabase}`)
  await migrate(withDatabase(target, templateDatabase))
  project.provide('postgres', target)
  project.provide('templateDatabase', templateDatabase)
  return async () => {
    await dropDatabase(sql, templateDatabase)
    await sql.end()
    await stop?.()
  }
}

async function throwAwayPostgres(): Promise<{ target: ConnectionTarget; stop: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ork-test-'))
  // As root PostgreSQL runs as another user, who must be able to get here; the cluster itself is closed.
  await chmod(dataDir, 0o755)
  const quiet = () => undefined
  const embedded = await startEmbeddedPostgres({
    dataDir,
    log: { info: quiet, warn: quiet, error: quiet },
    settings: { fsync: 'off', max_connections: '300' },
  })
  const { host, port, database, username, password } = embedded.connection
  return {
    target: { host, port, database, username, password },
    async stop() {
      await embedded.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** One connection, for creating and dropping databases. */
export function openSql(target: ConnectionTarget): postgres.Sql {
  const options = { max: 1, onnotice: () => undefined }
  return 'url' in target ? postgres(target.url, options) : postgres({ ...target, ...options })
}

/**
 * Drops a database, if there is one, and ends who is still connected. Not `with (force)`: that is refused to anybody but a
 * superuser while an autovacuum worker is there (42501), which a plain `drop database` sends away and waits for.
 */
export async function dropDatabase(sql: postgres.Sql, name: string): Promise<void> {
  const found = await sql`select from pg_database where datname = ${name}`
  if (found.length === 0) return
  await sql.unsafe(`alter database ${name} with allow_connections false`)
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${name} and backend_type = 'client backend'`
  await sql.unsafe(`drop database ${name}`)
}

/** The same server and role, another database. */
export function withDatabase(target: ConnectionTarget, database: string): ConnectionTarget {
  if (!('url' in target)) return { ...target, database }
  const url = new URL(target.url)
  url.pathname = `/${database}`
  return { url: url.href }
}
