import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject } from 'vitest'
import { connect, type Database } from '../../src/db/client.ts'
import { withDatabase } from './global-setup.ts'

export interface TestDatabase {
  readonly database: Database
  readonly url: string
  drop(): Promise<void>
}

/** A fresh clone of the migrated template, for one test file. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `ork_test_${randomBytes(6).toString('hex')}`
  const admin = postgres(inject('adminUrl'), { max: 1, onnotice: () => undefined })
  await admin.unsafe(`create database ${name} template ${inject('templateDatabase')}`)
  const url = withDatabase(inject('adminUrl'), name)
  const database = connect({ url })
  return {
    database,
    url,
    async drop() {
      await database.close()
      await admin.unsafe(`drop database if exists ${name} with (force)`)
      await admin.end()
    },
  }
}
