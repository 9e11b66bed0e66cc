/** The second step of an end, taken again where it failed. What it does in workspaces: test/auth/revocation.test.ts. */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createFinisher } from '../../src/auth/unfinished.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())
beforeEach(() =>
  db.database.transaction((tx) => tx.execute(sql`truncate oauth_grants, personal_tokens`)).then(() => undefined),
)

const errors: unknown[] = []
const nothing = () => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: (facts: unknown) => void errors.push(facts) }

/** A token that was ended so long ago; null: it was not. */
const token = (id: string, ago: string | null) =>
  db.database.transaction((tx) =>
    tx.execute(sql`insert into personal_tokens
        (id, user_id, name, token_hash, prefix, last_four, scopes, created_at, revoked_at)
      values (${id}, 'usr_1', ${id}, ${id}, 'p', 'four', '[]', now(), clock_timestamp() - ${ago}::interval)`),
  )

/** What is ended by one call after the other, and what fails. */
function finisher() {
  const ended: string[] = []
  const failures = new Map<string, Error>()
  const finish = createFinisher(db.database, log, async (id) => {
    const failure = failures.get(id)
    if (failure !== undefined) throw failure
    ended.push(id)
  })
  const next = async (stopping?: AbortSignal) => {
    await finish(stopping)
    return ended.splice(0).toSorted()
  }
  return { next, ended, failures }
}

test('at first it takes all ends of the days that a session can last, and then only new ones', async () => {
  await token('live', null)
  await token('long ago', '9 days')
  await token('before', '7 days')
  await token('just now', '0 seconds')
  const { next } = finisher()
  expect(await next()).toEqual(['before', 'just now'])
  await token('new', '0 seconds')
  // What was dated in the last minute may have been committed since.
  expect(await next()).toEqual(['just now', 'new'])
})

test('one that fails is taken again, and does not keep the others', async () => {
  await token('bad', '2 hours')
  await token('good', '1 hour')
  const { next, failures } = finisher()
  failures.set('bad', new Error('no'))
  expect(await next()).toEqual(['good'])
  expect(errors).toHaveLength(1)
  failures.clear()
  expect(await next()).toEqual(['bad', 'good'])
  expect(await next()).toEqual([])
})

test('when the database goes away, or the process ends, it stops and has done nothing yet', async () => {
  await token('one', '1 hour')
  const { next, failures } = finisher()
  failures.set('one', new AppError('UNAVAILABLE'))
  await expect(next()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  failures.clear()
  expect(await next(AbortSignal.abort())).toEqual([])
  expect(await next()).toEqual(['one'])
})
