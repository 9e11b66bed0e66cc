import { describe, expect, test } from 'vitest'
import { OAuthError } from '../../src/auth/oauth-error.ts'
import { createPasswords, faultOfPassword } from '../../src/auth/passwords.ts'
import { createAccounts } from '../../src/auth/accounts.ts'
import type { Passwords } from '../../src/auth/passwords.ts'
import { createAdmission } from '../../src/auth/admission.ts'
import { createTestDatabase } from '../support/database.ts'

describe('hashing is bounded', () => {
  test('a flood: as many as may wait are served, the rest is told to come back, and nothing is left behind', async () => {
    const passwords = createPasswords({ hashesAtOnce: 2, hashesWaiting: 5 })
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => passwords.hash('a long password')))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(7)
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(refusals).toHaveLength(23)
    for (const reason of refusals) {
      expect(reason).toBeInstanceOf(OAuthError)
      expect(reason).toMatchObject({ code: 'temporarily_unavailable', status: 503, retryAfterSeconds: 2 })
    }
    // All places are free again, after failures too.
    const broken = await Promise.allSettled([passwords.verify('no hash at all', 'x')])
    expect(broken[0].status).toBe('rejected')
    const later = await Promise.allSettled(Array.from({ length: 7 }, () => passwords.hash('a long password')))
    expect(later.filter(({ status }) => status === 'fulfilled')).toHaveLength(7)
  })

  test('what is hashed is verified, and nobody’s password is not', async () => {
    const passwords = createPasswords()
    const hashed = await passwords.hash('a long password')
    expect(await passwords.verify(hashed, 'a long password')).toBe(true)
    expect(await passwords.verify(hashed, 'another password')).toBe(false)
    expect(await passwords.verify(null, 'nobody')).toBe(false)
    expect(passwords.isOutdated(hashed)).toBe(false)
    expect(passwords.isOutdated(hashed.replace('m=19456', 'm=8192'))).toBe(true)
    expect(passwords.isOutdated(hashed.replace('argon2id', 'argon2i'))).toBe(true)
  })
})

test('a known and an unknown address cost the same work, signing in and signing up (S-38, ASVS 6.3.8)', async () => {
  const db = await createTestDatabase()
  const work: string[] = []
  const passwords: Passwords = {
    hash: async (password) => {
      work.push('hash')
      return `hash of ${password}`
    },
    verify: async (passwordHash, password) => {
      work.push('verify')
      return passwordHash === `hash of ${password}`
    },
    isOutdated: () => false,
  }
  const admission = createAdmission(db.database, { signup: 'open', loopbackOnly: true }, undefined)
  const accounts = createAccounts(db.database, admission, passwords)
  const begin = () => Promise.resolve('cookie')
  const ada = { email: 'ada@example.org', name: 'Ada', password: 'analytical engine', knowsSetUpCode: false, next: '/' }
  const workOf = async (doing: () => Promise<unknown>) => {
    work.length = 0
    return { outcome: await doing(), work: [...work] }
  }
  expect(await workOf(() => accounts.signUp(ada, begin))).toEqual({ outcome: { cookie: 'cookie' }, work: ['hash'] })
  expect(await workOf(() => accounts.signUp(ada, begin))).toMatchObject({
    outcome: { problem: expect.any(String) },
    work: ['hash'],
  })
  expect(await workOf(() => accounts.signIn({ email: ada.email, password: 'wrong' }, begin))).toEqual({
    outcome: null,
    work: ['verify'],
  })
  expect(await workOf(() => accounts.signIn({ email: 'who@example.org', password: 'wrong' }, begin))).toEqual({
    outcome: null,
    work: ['verify'],
  })
  await db.drop()
})

test('what is too short, too long, or the first that anybody tries is no password', () => {
  expect(faultOfPassword('1234567', 'a@example.org')).toContain('8 characters')
  expect(faultOfPassword('x'.repeat(257), 'a@example.org')).toContain('256')
  expect(faultOfPassword('a@example.org', 'a@example.org')).toContain('first')
  expect(faultOfPassword('correct horse battery', 'a@example.org')).toBeNull()
})
