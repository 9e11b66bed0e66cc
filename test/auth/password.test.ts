import { hash } from '@node-rs/argon2'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { accounts } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { formTo, postForm, type VisitedPage, type Visitor } from '../support/oauth.ts'
import { ADA, createHarness, type Harness } from './harness.ts'
import { whoIs } from './upstream.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
})
beforeEach(() => {
  harness = createHarness(db.database, { hashesFully: true })
})
afterAll(() => db.drop())

const PAGE = '/account/password'
const NEXT = 'a new long password'
let count = 0
/** Somebody with an account of their own, so that no test depends on another. */
const somebody = () => ({ ...ADA, email: `person${(count += 1)}@example.org` })

const signIn = (email: string, password: string) =>
  postForm(harness.fetch, `${harness.publicUrl}/login`, { email, password })

async function change(browser: Visitor, fields: { current?: string; next?: string } = {}): Promise<VisitedPage> {
  const page = await browser.open(PAGE)
  return browser.submit(page, formTo(page, PAGE), { current: ADA.password, next: NEXT, ...fields })
}

const userOf = (cookie: string) => harness.auth.browserUser(new Request(harness.publicUrl, { headers: { cookie } }))

describe('changing the password', () => {
  test('ends the person’s other browsers and gives this one a new session; the new password alone signs in (S-36, ASVS 7.4.3)', async () => {
    const person = somebody()
    const [browser, other] = [await harness.signedIn(person), await harness.signedIn(person)]
    const stranger = await harness.signedIn(somebody())
    const [before, elsewhere] = [browser.cookie(), other.cookie()]
    const page = await change(browser)
    expect({ status: page.status, title: page.title }).toEqual({ status: 200, title: 'Password changed · Orkestrate' })
    expect(browser.cookie()).not.toBe(before)
    expect(await whoIs(harness, browser)).toMatchObject({ email: person.email })
    expect(await userOf(before)).toBeNull()
    expect(await userOf(elsewhere)).toBeNull()
    expect(await whoIs(harness, stranger)).not.toBeNull()
    expect((await signIn(person.email, ADA.password)).status).toBe(400)
    expect((await signIn(person.email, NEXT)).status).toBe(303)
  })

  test('leaves the person’s agents connected, and leads to where they can be ended', async () => {
    const browser = await harness.signedIn(somebody())
    const { accessToken } = await harness.login(browser)
    const page = await change(browser)
    expect(page.links.map(({ href }) => href)).toContain(`${harness.publicUrl}/account/connections`)
    expect(await harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp')).not.toBeNull()
    expect(harness.revoked).toEqual([])
  })

  test.each([
    ['a wrong current password', { current: 'not the password' }, 'The current password is not right.'],
    ['one that is too short', { next: 'short' }, 'at least 8 characters'],
    ['one that everybody tries first', { next: 'Password1' }, 'first that anybody would try'],
    ['the same one', { next: ADA.password }, 'This is the password that you have.'],
  ])('is refused with %s, and changes nothing', async (_name, fields, told) => {
    const person = somebody()
    const browser = await harness.signedIn(person)
    const page = await browser.open(PAGE)
    const form = formTo(page, PAGE)
    const answer = await browser.submit(
      page,
      { ...form, novalidate: true },
      { current: ADA.password, next: NEXT, ...fields },
    )
    expect(answer.status).toBe(400)
    expect(answer.text).toContain(told)
    expect(answer.body).not.toContain(NEXT)
    expect(await whoIs(harness, browser)).not.toBeNull()
    expect((await signIn(person.email, ADA.password)).status).toBe(303)
  })

  test('is for the person’s own page alone, and nobody who is not signed in', async () => {
    const person = somebody()
    const browser = await harness.signedIn(person)
    const fields = { current: ADA.password, next: NEXT }
    const post = (more: Record<string, string>, headers: Record<string, string>) =>
      postForm(harness.fetch, `${harness.publicUrl}${PAGE}`, { ...fields, ...more }, headers)
    expect((await post({}, { cookie: browser.cookie() })).status).toBe(403)
    expect((await post({}, { cookie: browser.cookie(), 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await post({}, {})).headers.get('location')).toBe('/login?next=%2Faccount%2Fpassword')
    expect((await harness.fetch(PAGE)).headers.get('location')).toBe('/login?next=%2Faccount%2Fpassword')
    expect((await signIn(person.email, ADA.password)).status).toBe(303)
  })

  test('lets nobody guess the current one with a stolen session: tries count like sign-ins', async () => {
    const person = somebody()
    const browser = await harness.signedIn(person)
    for (let attempt = 0; attempt < 10; attempt += 1) {
      expect((await change(browser, { current: `wrong ${attempt}` })).status).toBe(400)
    }
    const refused = await change(browser)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('leaves no session of the old password, however many sign in with it at that moment', async () => {
    const person = somebody()
    const browser = await harness.signedIn(person)
    const page = await browser.open(PAGE)
    const form = formTo(page, PAGE)
    const [changed, ...answers] = await Promise.all([
      browser.submit(page, form, { current: ADA.password, next: NEXT }),
      ...Array.from({ length: 6 }, () => signIn(person.email, ADA.password)),
    ])
    expect(changed.title).toBe('Password changed · Orkestrate')
    for (const answer of answers) {
      const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
      expect(await userOf(cookie)).toBeNull()
    }
    expect(await whoIs(harness, browser)).not.toBeNull()
  })

  test('twice at the same time happens once', async () => {
    const person = somebody()
    const browsers = [await harness.signedIn(person), await harness.signedIn(person)]
    const pages = await Promise.all(
      browsers.map(async (browser, index) => {
        const page = await browser.open(PAGE)
        return { browser, page, next: `${NEXT} ${index}` }
      }),
    )
    const answers = await Promise.all(
      pages.map(({ browser, page, next }) => browser.submit(page, formTo(page, PAGE), { current: ADA.password, next })),
    )
    const won = answers.findIndex(({ title }) => title.startsWith('Password changed'))
    expect(answers.filter(({ title }) => title.startsWith('Password changed'))).toHaveLength(1)
    expect((await signIn(person.email, `${NEXT} ${won}`)).status).toBe(303)
  })
})

test('password managers find the page where it is said to be', async () => {
  const answer = await harness.fetch('/.well-known/change-password')
  expect(answer.status).toBe(303)
  expect(answer.headers.get('location')).toBe(PAGE)
  // What they ask for to find out whether the answer means anything.
  expect(
    (await harness.fetch('/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200')).status,
  ).toBe(404)
})

describe('a password that was hashed with other parameters', () => {
  const store = async (email: string, passwordHash: string) =>
    db.database.query((orm) => orm.update(accounts).set({ passwordHash }).where(eq(accounts.email, email)))
  const stored = async (email: string) =>
    (await db.database.query((orm) => orm.select().from(accounts).where(eq(accounts.email, email))))[0]?.passwordHash

  test('still signs in, and is hashed anew when it does; a wrong one changes nothing', async () => {
    const person = somebody()
    await harness.signedIn(person)
    const old = await hash(ADA.password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 })
    await store(person.email, old)
    expect((await signIn(person.email, 'wrong password')).status).toBe(400)
    expect(await stored(person.email)).toBe(old)
    expect((await signIn(person.email, ADA.password)).status).toBe(303)
    expect(await stored(person.email)).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    const renewed = await stored(person.email)
    expect((await signIn(person.email, ADA.password)).status).toBe(303)
    expect(await stored(person.email)).toBe(renewed)
  })

  test('signs in everybody who shows it at that moment', async () => {
    const person = somebody()
    await harness.signedIn(person)
    await store(person.email, await hash(ADA.password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 }))
    const answers = await Promise.all([1, 2, 3].map(() => signIn(person.email, ADA.password)))
    expect(answers.map(({ status }) => status)).toEqual([303, 303, 303])
  })
})

describe('PASSWORDS', () => {
  const env = { OIDC_ISSUER: 'http://127.0.0.1:1', OIDC_CLIENT_ID: 'id', OIDC_CLIENT_SECRET: 'secret' }

  test('with an upstream, those who have one sign in, and nobody new gets one', async () => {
    const person = somebody()
    await harness.signedIn(person)
    harness = createHarness(db.database, { env })
    const page = await harness.browser().open('/login')
    expect(formTo(page, '/login').buttons).toHaveLength(1)
    expect(page.body).not.toContain('/signup')
    expect((await signIn(person.email, ADA.password)).status).toBe(303)
    const url = `${harness.publicUrl}/signup`
    expect((await postForm(harness.fetch, url, { ...somebody() })).status).toBe(403)
    expect((await harness.fetch('/signup?next=%2Fx')).headers.get('location')).toBe('/login?next=%2Fx')
  })

  test('where nobody has one, the form is not there', async () => {
    const empty = await createTestDatabase()
    const page = await createHarness(empty.database, { env }).browser().open('/login')
    expect(page.forms.map(({ action }) => new URL(action).pathname)).toEqual(['/auth/start'])
    expect(page.text).toContain('Sign in to make yours the first.')
    await empty.drop()
  })

  test('=off lets nobody in with one, nor change it', async () => {
    const person = somebody()
    const cookie = (await harness.signedIn(person)).cookie()
    harness = createHarness(db.database, { env: { ...env, PASSWORDS: 'off' } })
    expect((await harness.browser().open('/login')).body).not.toContain('type="password"')
    expect((await signIn(person.email, ADA.password)).status).toBe(403)
    const page = await (await harness.fetch(PAGE, { headers: { cookie } })).text()
    expect(page).toContain('You have no password here')
    const csrf = /name="csrf" value="(\w+)"/.exec(page)?.[1] ?? ''
    const fields = { csrf, current: ADA.password, next: NEXT }
    const refused = await postForm(harness.fetch, `${harness.publicUrl}${PAGE}`, fields, { cookie })
    expect(refused.status).toBe(400)
    harness = createHarness(db.database, { hashesFully: true })
    expect((await signIn(person.email, ADA.password)).status).toBe(303)
  })
})
