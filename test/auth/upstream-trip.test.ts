import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createSealer, open } from '../../src/auth/crypto.ts'
import { users } from '../../src/modules/tenancy/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { listenOnLoopback } from '../support/loopback.ts'
import { formTo, type Visitor } from '../support/oauth.ts'
import { type OidcUpstream, startOidcUpstream, throughUpstream, upstreamBrowser } from '../support/oidc-upstream.ts'
import { authorizePath, createHarness, type Harness, SECRET } from './harness.ts'
import { callbacks, cookieOf, enterByOidc, expectRefused, leave, start, whoIs } from './upstream.ts'

let db: TestDatabase
let upstream: OidcUpstream
let harness: Harness
const server = (env: Record<string, string> = {}) =>
  createHarness(db.database, { env: { ...upstream.env, PASSWORDS: 'on', ...env } })
beforeAll(async () => {
  db = await createTestDatabase()
  upstream = await startOidcUpstream(callbacks('oidc'))
  // The first account has rules of its own, which have tests of their own.
  await server().signedIn()
})
beforeEach(() => {
  harness = server()
})
afterAll(async () => {
  await upstream.close()
  await db.drop()
})

const countUsers = async () => (await db.database.query((orm) => orm.select({ id: users.id }).from(users))).length

describe('the way there and back (S-34, MCP confused deputy)', () => {
  test('is sealed into a cookie of ten minutes that only our server and no script sees', async () => {
    const [header = ''] = (await start(harness)).headers.getSetCookie()
    expect(header).toMatch(/^ork_trip=[\w.-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/)
    const open = server({ PUBLIC_URL: 'https://ork.example' })
    const [secure = ''] = (await start(open)).headers.getSetCookie()
    expect(secure).toMatch(/^__Host-ork_trip=[\w.-]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  })

  test('asks for a code with PKCE, state and nonce, each of its own, and never names the cookie', async () => {
    const urls = await Promise.all(
      [1, 2].map(async () => new URL((await start(harness)).headers.get('location') ?? '')),
    )
    for (const { searchParams } of urls) {
      expect(Object.fromEntries(searchParams)).toEqual({
        client_id: 'orkestrate',
        response_type: 'code',
        redirect_uri: 'http://localhost:7300/auth/callback/oidc',
        scope: 'openid email profile',
        code_challenge_method: 'S256',
        code_challenge: expect.stringMatching(/^[\w-]{43}$/),
        state: expect.stringMatching(/^[\w-]{43}$/),
        nonce: expect.stringMatching(/^[\w-]{43}$/),
      })
    }
    const values = urls.flatMap(({ searchParams }) =>
      ['code_challenge', 'state', 'nonce'].map((n) => searchParams.get(n)),
    )
    expect(new Set(values).size).toBe(6)
  })

  test('starts from our own page only: no other site signs anybody in (login CSRF)', async () => {
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]) {
      const answer = await start(harness, headers)
      expect(answer.status).toBe(403)
      expect(answer.headers.get('set-cookie')).toBeNull()
    }
    expect((await harness.fetch('/auth/start')).status).toBe(404)
    expect((await start(harness, {}, { upstream: 'github' })).status).toBe(400)
  })

  test('does not end in a browser that did not begin it, with another one’s state, or without any', async () => {
    const [victim, thief, blank] = [harness.browser(), harness.browser(), harness.browser()]
    const back = await throughUpstream(upstreamBrowser(), await leave(thief, 'oidc'), 'thief')
    await leave(victim, 'oidc')
    for (const browser of [victim, blank]) await expectRefused(harness, browser, await browser.open(back))
    for (const change of ['state=another', 'state=', `state=${new URL(back).searchParams.get('state')}&state=x`]) {
      const url = back.replace(/state=[\w-]+/, change)
      await expectRefused(harness, thief, await thief.open(url))
    }
    // None of that used up what the browser that began it holds.
    expect((await thief.open(back)).status).toBe(404)
    expect(await whoIs(harness, thief)).toMatchObject({ email: 'thief@upstream.example' })
  })

  test('ends once: not again in that browser, and not with the cookie kept by hand', async () => {
    const begun = await start(harness)
    const cookie = cookieOf(begun).join('; ')
    const back = await throughUpstream(upstreamBrowser(), begun.headers.get('location') ?? '', 'once')
    const first = await harness.fetch(back, { headers: { cookie } })
    expect(first.status).toBe(303)
    expect(first.headers.getSetCookie()).toContain('ork_trip=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax')
    const again = await harness.fetch(back, { headers: { cookie } })
    expect(again.status).toBe(400)
    expect(cookieOf(again).filter((pair) => pair.startsWith('ork_session'))).toEqual([])
    expect(await again.text()).toContain('Nobody was signed in by it')
  })

  test('ends in time, at the upstream that it was for, under our own key', async () => {
    const begun = await start(harness)
    const back = await throughUpstream(upstreamBrowser(), begun.headers.get('location') ?? '', 'late')
    const state = new URL(back).searchParams.get('state') ?? ''
    const trip = { upstream: 'oidc', state, nonce: 'n', codeVerifier: 'v', next: '/', knowsSetUpCode: true }
    const own = createSealer([SECRET], 'sign-in at an upstream')
    const forged = [
      await own.seal(trip, -1),
      await own.seal({ ...trip, upstream: 'supabase' }, 60),
      await createSealer(['another key, also of thirty-two characters'], 'sign-in at an upstream').seal(trip, 60),
      await createSealer([SECRET], 'authorization request in the consent form').seal(trip, 60),
      'garbage',
    ]
    for (const sealed of forged) {
      const answer = await harness.fetch(back, { headers: { cookie: `ork_trip=${sealed}` } })
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain('Nobody was signed in by it')
    }
  })

  test('never leads to another site (S-39, ASVS 3.7.2)', async () => {
    for (const next of ['//evil.example', '/\\evil.example', 'https:evil.example', '/.//evil.example']) {
      const begun = await start(harness, {}, { next })
      const back = await throughUpstream(upstreamBrowser(), begun.headers.get('location') ?? '', 'led')
      const answer = await harness.fetch(back, { headers: { cookie: cookieOf(begun).join('; ') } })
      expect(answer.headers.get('location')).toBe('/')
    }
  })

  test('takes a request of a client along as far as a cookie holds it, and says so where it does not', async () => {
    const long = async (characters: number) =>
      start(harness, {}, { next: `/oauth/authorize?state=${'s'.repeat(characters)}` })
    const fits = await long(2_048)
    expect(fits.status).toBe(303)
    expect(fits.headers.getSetCookie()[0]?.length).toBeLessThan(4_096)
    const refused = await long(3_000)
    expect(refused.status).toBe(400)
    expect(await refused.text()).toContain('too long to be kept meanwhile')
  })

  test('holds under a browser’s own rules for cookies between sites, over real ports', async () => {
    const us = await listenOnLoopback()
    const publicUrl = us.origin.replace('127.0.0.1', 'localhost')
    const issuer = await startOidcUpstream([`${publicUrl}/auth/callback/oidc`])
    const local = createHarness(db.database, { env: { ...issuer.env, PUBLIC_URL: publicUrl } })
    const listener = getRequestListener(new Hono().route('/', local.auth.routes).fetch)
    us.answer((request, response) => void listener(request, response))
    const browser = upstreamBrowser()
    let page = await browser.open(`${publicUrl}/login?next=%2Faccount%2Fpassword`)
    const form = page.forms.find(({ action }) => action.endsWith('/auth/start'))
    if (form === undefined) throw new Error(page.text)
    page = await browser.submit(form)
    for (let count = 0; count < 5 && new URL(page.url).origin === issuer.issuer; count += 1) {
      const [first] = page.forms
      if (first === undefined) throw new Error(page.text)
      const asksWho = first.controls.some(({ name }) => name === 'login')
      page = await browser.submit(first, asksWho ? { login: 'real', password: 'any' } : {})
    }
    expect(page.url).toBe(`${publicUrl}/account/password`)
    expect(page.text).toContain('real@upstream.example')
    await us.close()
    await issuer.close()
  })
})

test('the sealed trip is opened by nobody without the key', async () => {
  const [pair = ''] = cookieOf(await start(harness))
  const sealed = pair.slice('ork_trip='.length)
  expect(await open(new Uint8Array(32), sealed)).toBeNull()
  expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('codeVerifier')
})

describe('our own consent comes after every sign-in, whatever the upstream remembers (S-31, MCP confused deputy)', () => {
  test('a second client is asked about, in a signed-in browser and through an upstream that shows nothing', async () => {
    const at = upstreamBrowser()
    const first = harness.browser()
    await enterByOidc(first, at, 'ada')
    const { clientId } = await harness.login(first)
    expect(clientId).toMatch(/^cl_/)
    const other = await harness.register({ client_name: 'Another client', redirect_uris: ['http://127.0.0.1:1/cb'] })
    const path = authorizePath({
      client_id: other,
      redirect_uri: 'http://127.0.0.1:1/cb',
      code_challenge: 'a'.repeat(43),
    })
    expect((await first.open(path)).text).toContain('Another client')

    const fresh: Visitor = harness.browser()
    const pagesBefore = at.pages.length
    const back = await throughUpstream(at, await leave(fresh, 'oidc', { next: path }), 'ada')
    expect(at.pages.length - pagesBefore).toBe(1)
    const page = await fresh.open(back)
    expect(page.leftTo).toBeUndefined()
    expect(formTo(page, '/oauth/authorize').buttons.map(({ value }) => value)).toContain('allow')
    expect(page.text).toContain('Another client')
  })
})

describe('who is new', () => {
  test.each(['closed', 'invite'])(
    'has no account where SIGNUP=%s, and is told; who has one comes in',
    async (signup) => {
      const known = harness.browser()
      await enterByOidc(known, upstreamBrowser(), 'known')
      const before = await countUsers()
      const shut = server({ SIGNUP: signup })
      const stranger = shut.browser()
      const page = await enterByOidc(stranger, upstreamBrowser(), `new-${signup}`)
      await expectRefused(shut, stranger, page, 403)
      expect(page.text).toContain('You have no account here yet.')
      expect(await countUsers()).toBe(before)
      const again = shut.browser()
      await enterByOidc(again, upstreamBrowser(), 'known')
      expect(await whoIs(shut, again)).toMatchObject({ email: 'known@upstream.example' })
    },
  )

  test('and the first on a public server needs the code that the server printed, before leaving and at the end', async () => {
    const fresh = await createTestDatabase()
    const env = { ...upstream.env, PUBLIC_URL: 'https://ork.example' }
    const open = createHarness(fresh.database, { env, bootstrapCode: 'kiwi-4711' })
    const page = await open.browser().open('/login')
    expect(formTo(page, '/auth/start').controls.find(({ name }) => name === 'code')?.required).toBe(true)
    for (const code of ['', 'kiwi-4712']) {
      const answer = await start(open, {}, { code })
      expect(answer.status).toBe(400)
      expect(answer.headers.get('set-cookie')).toBeNull()
      expect(await answer.text()).toContain('The set-up code is not right')
    }
    // A trip that began where no code was needed does not end where one is.
    const elsewhere = server({ PUBLIC_URL: 'https://ork.example' })
    const begun = await start(elsewhere)
    const back = await throughUpstream(upstreamBrowser(), begun.headers.get('location') ?? '', 'stranger')
    const refused = await open.fetch(back, { headers: { cookie: cookieOf(begun).join('; ') } })
    expect(refused.status).toBe(403)
    const first = open.browser()
    await enterByOidc(first, upstreamBrowser(), 'owner', { code: 'kiwi-4711', next: '/account/password' })
    expect(await whoIs(open, first)).toMatchObject({ email: 'owner@upstream.example' })
    const second = open.browser()
    await enterByOidc(second, upstreamBrowser(), 'colleague')
    expect(await whoIs(open, second)).toMatchObject({ email: 'colleague@upstream.example' })
    await fresh.drop()
  })
})
