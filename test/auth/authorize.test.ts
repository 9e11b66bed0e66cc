import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authorizationCodes, clients } from '../../src/auth/schema.ts'
import { createSealer } from '../../src/auth/crypto.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { enter, formTo, postForm, type VisitedPage, type Visitor } from '../support/oauth.ts'
import { ADA, authorizePath, BOB, CALLBACK, createHarness, type Harness, SECRET } from './harness.ts'

const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

let db: TestDatabase
let harness: Harness
let ada: Visitor
let clientId: string
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
  ada = await harness.signedIn(ADA)
  clientId = await harness.register()
})
afterAll(() => db.drop())

const path = (overrides: Record<string, string> = {}) =>
  authorizePath({ client_id: clientId, code_challenge: CHALLENGE, ...overrides })

const codesIssued = async () => (await db.database.query((orm) => orm.select().from(authorizationCodes))).length

const sealedIn = (page: VisitedPage) =>
  formTo(page, '/oauth/authorize').controls.find(({ name }) => name === 'request')?.value ?? ''

const decide = (cookie: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  postForm(harness.fetch, `${harness.publicUrl}/oauth/authorize`, fields, { cookie, ...headers })

/** The parameters that a redirect to the client carries. */
function errorIn(page: VisitedPage): Record<string, string> {
  const url = new URL(page.leftTo ?? 'none:')
  expect(url.origin + url.pathname).toBe(CALLBACK)
  return Object.fromEntries(url.searchParams)
}

describe('a request whose client or redirect URI is wrong stays here, signed in or not (S-18, RFC 6749 §4.1.2.1)', () => {
  test.each([
    ['unknown client', { client_id: 'cl_unknown' }],
    ['no client', { client_id: '' }],
    ['a client with NUL', { client_id: 'cl_\0' }],
    ['unregistered redirect URI', { redirect_uri: 'https://evil.example/cb' }],
    ['no redirect URI', { redirect_uri: '' }],
    ['markup as redirect URI', { redirect_uri: 'https://evil.example/"><script>alert(1)</script>' }],
  ])('%s', async (_, overrides) => {
    for (const browser of [ada, harness.browser()]) {
      const page = await browser.open(path(overrides))
      expect(page.status).toBe(400)
      expect(page.leftTo).toBeUndefined()
      expect(page.body).not.toContain('<script')
      expect(page.links.some(({ href }) => href.includes('evil'))).toBe(false)
    }
  })

  test.each(['client_id', 'redirect_uri'])('%s twice', async (name) => {
    const page = await ada.open(`${path()}&${name}=${encodeURIComponent(CALLBACK)}`)
    expect(page.status).toBe(400)
    expect(page.leftTo).toBeUndefined()
  })
})

describe('every other error goes to the client, with state and iss, once somebody is signed in (S-05, S-21, S-22, RFC 9207 §2)', () => {
  test.each([
    ['no response_type', { response_type: '' }, 'invalid_request'],
    ['implicit', { response_type: 'token' }, 'unsupported_response_type'],
    ['another response_mode', { response_mode: 'fragment' }, 'invalid_request'],
    ['no PKCE', { code_challenge: '', code_challenge_method: '' }, 'invalid_request'],
    ['no PKCE method, which would mean plain', { code_challenge_method: '' }, 'invalid_request'],
    ['PKCE plain', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['a challenge that is no SHA-256', { code_challenge: 'short' }, 'invalid_request'],
    ['a foreign resource', { resource: 'https://other.example' }, 'invalid_target'],
    ['our origin instead of the resource', { resource: 'http://localhost:7300' }, 'invalid_target'],
  ])('%s', async (_, overrides, error) => {
    const refused = errorIn(await ada.open(path(overrides)))
    expect(refused).toEqual({
      error,
      error_description: expect.any(String),
      state: 'the-state',
      iss: 'http://localhost:7300',
    })
    const stranger = await harness.browser().open(path(overrides))
    expect(stranger.leftTo).toBeUndefined()
    expect(new URL(stranger.url).pathname).toBe('/login')
  })

  test('a parameter that is there twice; a doubled state is not given back (S-30, RFC 6749 §3.1)', async () => {
    expect(errorIn(await ada.open(`${path()}&scope=mcp:read`))).toMatchObject({
      error: 'invalid_request',
      state: 'the-state',
    })
    const doubled = errorIn(await ada.open(`${path()}&state=other`))
    expect(doubled).toMatchObject({ error: 'invalid_request' })
    expect(doubled).not.toHaveProperty('state')
  })
})

describe('nobody is sent to an address that they have not seen', () => {
  const elsewhere = ['https://evil.example/cb', 'evil-app://evil.example/cb']

  test.each(elsewhere)(
    'an error for %s waits on a page that names it (S-19, RFC 9700 §4.11.2)',
    async (redirect_uri) => {
      const client_id = await harness.register({ client_name: 'Claude Code', redirect_uris: elsewhere })
      const page = await ada.open(path({ client_id, redirect_uri, response_type: 'token', prompt: 'none' }))
      expect([page.status, page.leftTo]).toEqual([400, undefined])
      expect(page.text).toContain('evil.example')
      const onward = new URL(page.links.find(({ text }) => text.includes('go back there'))?.href ?? 'none:')
      expect(onward.href.startsWith(`${redirect_uri}?`)).toBe(true)
      expect(Object.fromEntries(onward.searchParams)).toMatchObject({
        error: 'unsupported_response_type',
        state: 'the-state',
        iss: 'http://localhost:7300',
      })
    },
  )

  test('prompt=none is no way around sign-in or consent (S-19, RFC 9700 §4.11.2)', async () => {
    const client_id = await harness.register({ redirect_uris: elsewhere })
    const silent = path({ client_id, redirect_uri: 'https://evil.example/cb', prompt: 'none' })
    const stranger = await harness.browser().open(silent)
    expect([new URL(stranger.url).pathname, stranger.leftTo]).toEqual(['/login', undefined])
    const shown = await ada.open(silent)
    expect([shown.status, shown.leftTo]).toEqual([200, undefined])
    expect(shown.text).toContain('evil.example')
  })
})

test('consent is asked for every client and every time, whatever the person allowed before (S-31, MCP confused deputy)', async () => {
  const before = await codesIssued()
  await harness.consent(ada, clientId)
  const other = await harness.register({ client_name: 'Claude Code', redirect_uris: [CALLBACK] })
  for (const client_id of [clientId, other]) {
    const page = await ada.open(path({ client_id }))
    expect([page.status, page.leftTo]).toEqual([200, undefined])
    expect(formTo(page, '/oauth/authorize').buttons).toHaveLength(2)
  }
  expect(await codesIssued()).toBe(before + 1)
})

test('the consent page says who asks, where access goes, what for, as whom and how long, and warns (S-32, RFC 7591 §5)', async () => {
  const page = await ada.open(path({ redirect_uri: 'http://127.0.0.1:51234/callback' }))
  expect(page.status).toBe(200)
  for (const part of [
    'Claude Code',
    '127.0.0.1:51234',
    'ada@example.org',
    'See your workspaces',
    'Act in your name',
    '90 days',
    'registered itself',
    'your own computer',
  ]) {
    expect(page.text).toContain(part)
  }
  const { buttons } = formTo(page, '/oauth/authorize')
  expect(buttons.map(({ name, value }) => `${name}=${value}`)).toEqual(['decision=allow', 'decision=deny'])
})

test('a hostile client name is shown as text: escaped, without bidi and control characters, cut (S-32, RFC 7591 §5)', async () => {
  const client_name = `<img src=x onerror=alert(1)>\u202Egnp${'x'.repeat(10_000)}`.slice(0, 6_000)
  const hostile = await harness.register({ client_name, redirect_uris: [CALLBACK] })
  const page = await ada.open(path({ client_id: hostile }))
  expect(page.body).not.toContain('<img')
  expect(page.body).not.toContain('\u202E')
  expect(page.text).toContain('<img src=x onerror=alert(1)>gnpxxx')
  expect(page.body.length).toBeLessThan(8_000)
})

test('looking approves nothing, and a decision without a word is none (S-33, RFC 6749 §10.12)', async () => {
  const before = await codesIssued()
  const page = await ada.open(path())
  for (const decision of ['allow', 'deny']) {
    const again = await ada.open(`${path()}&decision=${decision}&request=${sealedIn(page)}`)
    expect(again.status).toBe(200)
  }
  const undecided = await decide(ada.cookie(), { request: sealedIn(page) })
  expect(undecided.status).toBe(400)
  expect(await codesIssued()).toBe(before)
})

test('a consent counts only for the session and the request that it was shown for, and only as it was shown (S-33, RFC 6749 §10.12)', async () => {
  const before = await codesIssued()
  const request = sealedIn(await ada.open(path()))
  const bob = harness.browser()
  await enter(bob, BOB)
  const adasOther = harness.browser()
  await enter(adasOther, ADA)
  const changed = request.slice(0, -6) + (request.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA')
  const forged = await createSealer(['x'.repeat(40)], 'authorization request in the consent form').seal({}, 60)
  const otherPurpose = await createSealer([SECRET], 'something else').seal({}, 60)
  const attempts: [string, Record<string, string>][] = [
    ['', { request }],
    [bob.cookie(), { request }],
    [adasOther.cookie(), { request }],
    [ada.cookie(), {}],
    [ada.cookie(), { request: changed }],
    [ada.cookie(), { request: forged }],
    [ada.cookie(), { request: otherPurpose }],
  ]
  for (const [cookie, fields] of attempts) {
    const answer = await decide(cookie, { ...fields, decision: 'allow' })
    expect(answer.status).toBe(403)
    expect(answer.headers.get('location')).toBeNull()
  }
  expect(await codesIssued()).toBe(before)
  const allowed = await decide(ada.cookie(), { request, decision: 'allow' })
  expect(allowed.status).toBe(303)
})

test('a consent page that lay open for too long approves nothing', async () => {
  const sealer = createSealer([SECRET], 'authorization request in the consent form')
  const request = sealedIn(await ada.open(path()))
  const claims = (await sealer.open(request)) ?? {}
  const expired = await sealer.seal(claims, -1)
  expect((await decide(ada.cookie(), { request: expired, decision: 'allow' })).status).toBe(403)
})

test('a form that another site posts is refused, whatever it holds (S-33, RFC 6749 §10.12)', async () => {
  const before = await codesIssued()
  const request = sealedIn(await ada.open(path()))
  const fields = { request, decision: 'allow' }
  const foreign: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://localhost:7300' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ]
  for (const headers of foreign) expect((await decide(ada.cookie(), fields, headers)).status).toBe(403)
  expect(await codesIssued()).toBe(before)
})

test('a client that was removed while the person read gets nothing', async () => {
  const doomed = await harness.register()
  const request = sealedIn(await ada.open(path({ client_id: doomed })))
  await db.database.query((orm) => orm.delete(clients).where(eq(clients.id, doomed)))
  const answer = await decide(ada.cookie(), { request, decision: 'allow' })
  expect(answer.status).toBe(403)
})

test('scopes are narrowed without an error; without any, and without a resource, it is the MCP endpoint’s (S-11, RFC 6749 §3.3)', async () => {
  const read = await harness.login(ada, { scope: 'mcp:read offline_access openid' })
  expect(read.scope).toBe('mcp:read')
  const none = await harness.login(ada, { scope: '', resource: '' })
  expect(none.scope).toBe('mcp:read mcp:write')
  expect(await harness.auth.authenticate(`Bearer ${none.accessToken}`, 'mcp')).not.toBeNull()
})

test('a token asked for REST alone does not open MCP (S-05, RFC 8707 §2)', async () => {
  const rest = await harness.login(ada, { resource: 'http://localhost:7300/api' })
  expect(await harness.auth.authenticate(`Bearer ${rest.accessToken}`, 'mcp')).toBeNull()
  expect(await harness.auth.authenticate(`Bearer ${rest.accessToken}`, 'rest')).not.toBeNull()
})

test('an application’s own scheme and an https callback work like loopback', async () => {
  const redirect_uris = ['cursor://anysphere.cursor-mcp/oauth/callback', 'https://vscode.dev/redirect']
  const id = await harness.register({ client_name: 'Cursor', redirect_uris })
  for (const redirect_uri of redirect_uris) {
    const { location, page } = await harness.consent(ada, id, { redirect_uri })
    expect(location.href.startsWith(`${redirect_uri}?code=`)).toBe(true)
    expect(page.text).not.toContain('your own computer')
  }
})

test('after the decision it is 303, uncached, without referrer and without CORS (S-28, S-29, RFC 9700 §4.12)', async () => {
  const request = sealedIn(await ada.open(path()))
  const headers = { origin: 'http://localhost:7300' }
  const answer = await decide(ada.cookie(), { request, decision: 'allow' }, headers)
  expect(answer.status).toBe(303)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  expect(answer.headers.get('access-control-allow-origin')).toBeNull()
})

test('somebody who is not signed in comes back to the same request after signing in', async () => {
  const browser = harness.browser()
  const login = await browser.open(path({ state: 'a b&c=d' }))
  expect(new URL(login.url).pathname).toBe('/login')
  const { email, password } = ADA
  const consent = await browser.submit(login, formTo(login, '/login'), { email, password })
  expect(new URL(consent.url).pathname).toBe('/oauth/authorize')
  const done = await browser.submit(consent, formTo(consent, '/oauth/authorize'), {}, 'decision=allow')
  expect(new URL(done.leftTo ?? '').searchParams.get('state')).toBe('a b&c=d')
})
