import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { accounts, browserSessions } from '../../src/auth/schema.ts'
import { sha256 } from '../../src/auth/crypto.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { enter, formTo, postForm, type VisitedPage, type Visitor } from '../support/oauth.ts'
import { ADA, BOB, createHarness, type Harness } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
})
// The throttle is the server's own: each test has a server, all on one database.
beforeEach(() => {
  harness = createHarness(db.database)
})
afterAll(() => db.drop())

/** A server of its own: nobody has an account there. */
async function withFreshServer(
  options: Parameters<typeof createHarness>[1],
  work: (harness: Harness, database: TestDatabase) => Promise<void>,
): Promise<void> {
  const fresh = await createTestDatabase()
  try {
    await work(createHarness(fresh.database, options), fresh)
  } finally {
    await fresh.drop()
  }
}

const signUp = (at: Harness, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  postForm(at.fetch, `${at.publicUrl}/signup`, { ...ADA, ...fields }, headers)

const signIn = (at: Harness, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  postForm(at.fetch, `${at.publicUrl}/login`, { email: ADA.email, password: ADA.password, ...fields }, headers)

const userOf = (at: Harness, cookie: string) =>
  at.auth.browserUser(new Request(`${at.publicUrl}/`, { headers: { cookie } }))

const alertIn = (page: VisitedPage) => /role="alert">([^<]+)</.exec(page.body)?.[1]

const sessionToken = (browser: Visitor) => browser.cookie().split('=')[1] ?? ''

test('the sign-in page leads to the sign-up page while nobody has an account', async () => {
  await withFreshServer({}, async (fresh) => {
    const page = await fresh.browser().open('/login?next=%2Faccount%2Fconnections')
    const link = page.links.find(({ text }) => text.includes('Create the first account'))
    expect(link?.href).toBe('http://localhost:7300/signup?next=%2Faccount%2Fconnections')
    await fresh.signedIn()
    const later = await fresh.browser().open('/login')
    expect(later.text).not.toContain('first account')
  })
})

test('after signing up a person is signed in and goes on where they were going', async () => {
  const browser = harness.browser()
  const page = await enter(browser, { ...ADA, email: 'ADA@Example.org' }, '/account/connections')
  expect(new URL(page.url).pathname).toBe('/account/connections')
  const user = await userOf(harness, browser.cookie())
  expect(user).toEqual({
    userId: expect.stringMatching(/^usr_/),
    name: 'Ada Lovelace',
    email: 'ada@example.org',
    csrfToken: expect.stringMatching(/^[0-9a-f]{64}$/),
    sessionHash: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test('an address has one account, however it is spelled, and it is never taken over (S-37, ASVS 10.3.3)', async () => {
  for (const email of [ADA.email, ' ADA@EXAMPLE.ORG ']) {
    const answer = await signUp(harness, { email, password: 'another long password' })
    expect(answer.status).toBe(400)
    expect(answer.headers.get('set-cookie')).toBeNull()
  }
  expect((await signIn(harness, {})).status).toBe(303)
  expect((await signIn(harness, { password: 'another long password' })).status).toBe(400)
})

test('what does not make an account is told on the page, in words, and creates nothing', async () => {
  const browser = harness.browser()
  const cases: [Partial<Record<'email' | 'name' | 'password', string>>, RegExp][] = [
    [{ email: 'nobody' }, /e-mail/],
    [{ email: `${'x'.repeat(250)}@example.org` }, /e-mail/],
    [{ name: '\u200B' }, /name/],
    [{ password: 'short12' }, /8 characters/],
    [{ password: 'x'.repeat(257) }, /256 characters/],
    [{ password: 'Password1' }, /first that anybody would try/],
    [{ password: 'eve@example.org' }, /first that anybody would try/],
  ]
  for (const [fields, problem] of cases) {
    const body = new URLSearchParams({ email: 'eve@example.org', name: 'Eve', password: 'long enough 12', ...fields })
    const answer = await harness.fetch('/signup', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: body.toString(),
    })
    expect(answer.status).toBe(400)
    expect(/role="alert">([^<]+)</.exec(await answer.text())?.[1]).toMatch(problem)
  }
  const rows = await db.database.query((orm) =>
    orm.select().from(accounts).where(eq(accounts.email, 'eve@example.org')),
  )
  expect(rows).toHaveLength(0)
  expect(browser.cookie()).toBe('')
})

test('an unknown address and a wrong password get the same answer (S-38, ASVS 6.3.8)', async () => {
  const seen = await Promise.all(
    [{ password: 'wrong password' }, { email: 'who@example.org' }].map(async (fields) => {
      const answer = await signIn(harness, fields)
      const text = (await answer.text()).replaceAll('who@example.org', ADA.email)
      return { status: answer.status, text, cookie: answer.headers.get('set-cookie') }
    }),
  )
  expect(seen[0]).toEqual(seen[1])
  expect(seen[0]?.status).toBe(400)
  expect(seen[0]?.cookie).toBeNull()
})

test('ten failures on an account from an address, then it waits, right password or not; other accounts go on (S-38, ASVS 6.3.1)', async () => {
  await withFreshServer({}, async (fresh) => {
    for (const person of [ADA, BOB]) await signUp(fresh, { ...person })
    for (let count = 0; count < 10; count += 1) {
      expect((await signIn(fresh, { password: `wrong ${count}` })).status).toBe(400)
    }
    const refused = await signIn(fresh, { email: ' ADA@example.org' })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await signIn(fresh, { email: 'never@example.org' })).status).toBe(400)
    expect((await signIn(fresh, { email: BOB.email, password: BOB.password })).status).toBe(303)
  })
})

describe('who may create an account', () => {
  test('on a public server the first one needs the code that the server printed, later ones do not', async () => {
    const options = { env: { PUBLIC_URL: 'https://ork.example' }, bootstrapCode: 'kiwi-4711' }
    await withFreshServer(options, async (fresh) => {
      const page = await fresh.browser().open('/signup')
      expect(formTo(page, '/signup').controls.map(({ name }) => name)).toContain('code')
      for (const code of ['', 'kiwi-4712', 'KIWI-4711']) expect((await signUp(fresh, { code })).status).toBe(400)
      expect((await signUp(fresh, { code: ' kiwi-4711 ' })).status).toBe(303)
      const later = await fresh.browser().open('/signup')
      expect(formTo(later, '/signup').controls.map(({ name }) => name)).not.toContain('code')
      expect((await signUp(fresh, { ...BOB })).status).toBe(303)
    })
  })

  test('a public server without a code lets nobody be the first', async () => {
    await withFreshServer({ env: { PUBLIC_URL: 'https://ork.example' } }, async (fresh) => {
      for (const code of ['', 'undefined']) expect((await signUp(fresh, { code })).status).toBe(400)
    })
  })

  test('of many first accounts at once exactly one is created where only the first is allowed', async () => {
    await withFreshServer({ env: { SIGNUP: 'invite' } }, async (fresh, database) => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) => signUp(fresh, { email: `first${index}@example.org` })),
      )
      expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
      expect(await database.database.query((orm) => orm.select().from(accounts))).toHaveLength(1)
    })
  })

  test('with SIGNUP=closed nobody, with SIGNUP=invite the first alone, and the pages say so', async () => {
    await withFreshServer({ env: { SIGNUP: 'closed' } }, async (fresh) => {
      expect((await signUp(fresh, {})).status).toBe(403)
      expect((await fresh.browser().open('/signup')).status).toBe(403)
      expect((await fresh.browser().open('/login')).body).not.toContain('/signup')
    })
    await withFreshServer({ env: { SIGNUP: 'invite' } }, async (fresh) => {
      expect((await signUp(fresh, {})).status).toBe(303)
      expect((await signUp(fresh, { ...BOB })).status).toBe(403)
    })
  })
})

describe('the browser session (S-36, ASVS 7.2.4)', () => {
  test('is a cookie that only our server and no script sees, by its strictest name where there is https', async () => {
    const loopback = (await signIn(harness, {})).headers.get('set-cookie') ?? ''
    expect(loopback).toMatch(/^ork_session=ork_bs_[a-z0-9]+; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/)
    const options = { env: { PUBLIC_URL: 'https://ork.example' }, bootstrapCode: 'c' }
    await withFreshServer(options, async (fresh) => {
      const secure = (await signUp(fresh, { code: 'c' })).headers.get('set-cookie') ?? ''
      expect(secure).toMatch(
        /^__Host-ork_session=ork_bs_\w+; Max-Age=2592000; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      )
    })
  })

  test('gets a new id at every sign-in; the one the browser had before is dead, whoever planted it', async () => {
    const browser = await harness.signedIn()
    const planted = browser.cookie()
    const answer = await signIn(harness, {}, { cookie: planted })
    const [renewed = ''] = (answer.headers.get('set-cookie') ?? '').split(';')
    expect(renewed).not.toBe(planted)
    expect(await userOf(harness, planted)).toBeNull()
    expect(await userOf(harness, renewed)).toMatchObject({ email: ADA.email })
    const invented = 'ork_session=ork_bs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000000'
    await signIn(harness, {}, { cookie: invented })
    expect(await userOf(harness, invented)).toBeNull()
  })

  test('ends with signing out, which only our own page of this very session can do', async () => {
    const browser = await harness.signedIn()
    const cookie = browser.cookie()
    const bare = await postForm(harness.fetch, `${harness.publicUrl}/logout`, {}, { cookie })
    expect(bare.status).toBe(403)
    const crossSite = { cookie, 'sec-fetch-site': 'cross-site' }
    expect((await postForm(harness.fetch, `${harness.publicUrl}/logout`, {}, crossSite)).status).toBe(403)
    expect(await userOf(harness, cookie)).not.toBeNull()
    const page = await browser.open('/logout')
    await browser.submit(page, formTo(page, '/logout'))
    expect(browser.cookie()).toBe('')
    expect(await userOf(harness, cookie)).toBeNull()
  })

  test('ends after 14 days without use and after 30 days in any case', async () => {
    const day = 86_400_000
    const cases = [
      [{ lastSeenAt: new Date(Date.now() - 13 * day) }, true],
      [{ lastSeenAt: new Date(Date.now() - 15 * day) }, false],
      [{ expiresAt: new Date(Date.now() - 1_000) }, false],
    ] as const
    for (const [change, alive] of cases) {
      const browser = await harness.signedIn()
      const row = eq(browserSessions.tokenHash, sha256(sessionToken(browser)))
      const [stored] = await db.database.query((orm) => orm.select().from(browserSessions).where(row))
      expect((stored?.expiresAt.getTime() ?? 0) - (stored?.createdAt.getTime() ?? 0)).toBe(30 * day)
      await db.database.query((orm) => orm.update(browserSessions).set(change).where(row))
      expect((await userOf(harness, browser.cookie())) !== null).toBe(alive)
    }
  })
})

test('what cannot be stored is a fault of the request, not of the server', async () => {
  expect((await signIn(harness, { email: 'a\0@example.org' })).status).toBe(400)
  expect((await signUp(harness, { name: 'a\0b' })).status).toBe(400)
  expect(harness.lines).toEqual([])
})

test('a form of another site neither signs in nor up (login CSRF)', async () => {
  const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  for (const answer of [
    await signIn(harness, {}, headers),
    await signUp(harness, { email: 'x@example.org' }, headers),
  ]) {
    expect(answer.status).toBe(403)
    expect(answer.headers.get('set-cookie')).toBeNull()
  }
})

test('signing in never leads to another site (S-39, ASVS 3.7.2)', async () => {
  for (const next of [
    '//evil.example',
    '/\\evil.example',
    'https:evil.example',
    '/\t/evil.example',
    '/.//evil.example',
  ]) {
    expect((await signIn(harness, { next })).headers.get('location')).toBe('/')
    const browser = await harness.signedIn(BOB)
    const page = await browser.open(`/login?next=${encodeURIComponent(next)}`)
    expect(page.url).toBe('http://localhost:7300/')
  }
})

test('a refused sign-in shows the address again, never the password, and says what is wrong', async () => {
  const browser = harness.browser()
  const page = await browser.open('/login')
  const refused = await browser.submit(page, formTo(page, '/login'), { email: ADA.email, password: 'hunter2 hunter2' })
  expect(alertIn(refused)).toBe('The e-mail address or the password is not right.')
  expect(refused.body).toContain('value="ada@example.org"')
  expect(refused.body).not.toContain('hunter2')
})
