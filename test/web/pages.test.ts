import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHarness, authorizePath, CALLBACK, type Harness } from '../auth/harness.ts'
import { scriptedBrowser } from '../support/browser.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database, { env: { PUBLIC_URL: 'https://ork.example' }, bootstrapCode: 'c' })
})
afterAll(() => db.drop())

const BASE_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
]

test('every page, errors too, lets nothing in and is kept by nobody (S-35, RFC 6749 §10.13)', async () => {
  const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  const cases: [string, RequestInit | undefined, number, boolean][] = [
    ['/login', undefined, 200, false],
    ['/signup', undefined, 200, false],
    ['/login', { ...form, body: 'email=a&password=b' }, 400, false],
    ['/login', { ...form, body: 'email=a&email=b' }, 400, false],
    ['/login', { ...form, body: 'x'.repeat(40_000) }, 413, false],
    ['/login', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } }, 403, false],
    ['/oauth/authorize', undefined, 400, false],
    ['/oauth/authorize', { ...form, body: 'decision=allow' }, 403, false],
    ['/logout', undefined, 303, true],
    ['/account/connections', undefined, 303, true],
    ['/account/password', undefined, 303, false],
    ['/account/password/add', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } }, 403, false],
    ['/auth/start', { ...form, body: 'upstream=none' }, 400, false],
    ['/auth/callback/oidc', undefined, 404, true],
    ['/account/connections/end', undefined, 303, true],
    ['/account/browsers', { ...form, body: 'csrf=x' }, 303, true],
    ['/account/tokens/new', undefined, 303, true],
    ['/account/tokens/new', { ...form, body: 'csrf=x' }, 303, true],
    ['/account/tokens/made', undefined, 303, true],
    ['/oauth/done', undefined, 200, true],
  ]
  for (const [path, init, status, staying] of cases) {
    const answer = await harness.fetch(path, init)
    const { headers } = answer
    expect({ path, status: answer.status }).toEqual({ path, status })
    const policy = staying ? [...BASE_POLICY, "form-action 'self'"] : BASE_POLICY
    expect(headers.get('content-security-policy')?.split('; ').sort()).toEqual(policy.sort())
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-store',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
    })
    for (const name of ['x-powered-by', 'access-control-allow-origin']) expect(headers.get(name)).toBeNull()
    expect(await answer.text()).not.toMatch(/<script|<style| on\w+=| style=|javascript:/i)
  }
})

test('over plain http on loopback there is no HSTS, which would lock out everything else on localhost', async () => {
  const local = createHarness(db.database)
  expect((await local.fetch('/login')).headers.get('strict-transport-security')).toBeNull()
})

test('what the pages load is there, and may be kept forever', async () => {
  const body = await (await harness.fetch('/login')).text()
  const assets = [...body.matchAll(/(?:href)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '')
  expect(assets).toHaveLength(2)
  for (const path of assets) {
    const answer = await harness.fetch(path)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toContain('immutable')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  }
})

test('every input is labelled, and says what it is for to password managers', async () => {
  const local = createHarness(db.database)
  const cookie = (await local.signedIn()).cookie()
  const bodies = await Promise.all(
    [harness.fetch('/login'), harness.fetch('/signup'), local.fetch('/account/password', { headers: { cookie } })].map(
      async (answer) => (await answer).text(),
    ),
  )
  for (const body of bodies) {
    const inputs = [...body.matchAll(/<input (?!type="hidden")[^>]*>/g)].map(([input]) => input)
    expect(inputs.length).toBeGreaterThanOrEqual(2)
    for (const input of inputs) {
      const id = /id="([^"]+)"/.exec(input)?.[1] ?? 'none'
      if (!input.includes('aria-label=')) expect(body).toContain(`<label for="${id}">`)
      expect(input).toMatch(/autocomplete="(username|name|current-password|new-password|one-time-code)"/)
    }
    const ids = [...body.matchAll(/ id="([^"]+)"/g)].map((match) => match[1])
    expect(new Set(ids).size).toBe(ids.length)
  }
})

test('under a browser’s own rules a person signs up, allows, signs in again, denies: over a real port', async () => {
  const app = new Hono()
  const server = serve({ fetch: (request, env) => app.fetch(request, env), port: 0, hostname: '127.0.0.1' })
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const publicUrl = `http://127.0.0.1:${address.port}`
  const fresh = await createTestDatabase()
  const local = createHarness(fresh.database, { env: { PUBLIC_URL: publicUrl } })
  app.route('/', local.auth.routes)

  const person = { email: 'eve@example.org', name: 'Eve', password: 'a long enough one' }
  const clientId = await local.register()
  const resource = `${publicUrl}/api/mcp`
  const url = publicUrl + authorizePath({ client_id: clientId, code_challenge: 'a'.repeat(43), resource })
  const allowed = new URL(await scriptedBrowser({ person }).authorize(url))
  expect(allowed.origin + allowed.pathname).toBe(CALLBACK)
  expect(allowed.searchParams.get('code')).toMatch(/^ork_ac_/)
  const denied = new URL(await scriptedBrowser({ person, hasAccount: true }).authorize(url, 'deny'))
  expect(denied.searchParams.get('error')).toBe('access_denied')
  server.close()
  await fresh.drop()
})
