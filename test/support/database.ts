import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { connect, type ConnectionTarget, type Database } from '../../src/db/client.ts'
import { dropDatabase, openSql, withDatabase } from './global-setup.ts'

export interface TestDatabase {
  readonly database: Database
  readonly target: ConnectionTarget
  drop(): Promise<void>
}

/** A fresh clone of the migrated template, for one test file. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `ork_test_${randomBytes(6).toString('hex')}`
  const admin = openSql(inject('postgres'))
  await admin.unsafe(`create database ${name} template ${inject('templateDatabase')}`)
  const target = withDatabase(inject('postgres'), name)
  const database = connect(target)
  return {
    database,
    target,
    async drop() {
      await database.close()
      await dropDatabase(admin, name)
      await admin.end()
    },
  }
}
