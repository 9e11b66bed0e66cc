import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import { migrate } from '../../src/db/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A server to clone databases on, with the migrated template `templateDatabase`. */
    adminUrl: string
    templateDatabase: string
  }
}

/**
 * One PostgreSQL for the whole run, and one migrated template database that every test file clones (30 ms against
 * 400 ms for migrating). TEST_DATABASE_URL names another server, whose role must be allowed to create databases.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const adminUrl = process.env['TEST_DATABASE_URL']
  if (adminUrl === undefined) throw new Error('set TEST_DATABASE_URL')
  const templateDatabase = `ork_template_${process.pid}`
  const sql = postgres(adminUrl, { max: 1, onnotice: () => undefined })
  await sql.unsafe(`drop database if exists ${templateDatabase}`)
  await sql.unsafe(`create database ${templateDatabase}`)
  await migrate({ url: withDatabase(adminUrl, templateDatabase) })
  project.provide('adminUrl', adminUrl)
  project.provide('templateDatabase', templateDatabase)
  return async () => {
    await sql.unsafe(`drop database if exists ${templateDatabase} with (force)`)
    await sql.end()
  }
}

/** The same server and role, another database. */
export function withDatabase(url: string, database: string): string {
  const result = new URL(url)
  result.pathname = `/${database}`
  return result.href
}
