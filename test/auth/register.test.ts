import { eq, isNull } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAuth } from '../../src/auth/index.ts'
import { loadConfig } from '../../src/config.ts'
import { clients } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addressLimiterOn, answerOf, CALLBACK, createHarness, type Harness, refusal, SECRET } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
})
afterAll(() => db.drop())

const post = (body: string, headers: Record<string, string> = {}) =>
  Promise.resolve(
    harness.fetch('/api/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    }),
  )

test('the answer is what was registered: a public client, whatever was asked for (RFC 7591 §3.2.1)', async () => {
  const answer = await answerOf(
    post(
      JSON.stringify({
        client_name: 'Claude Code (stub)',
        redirect_uris: ['http://localhost:51234/callback'],
        grant_types: ['authorization_code', 'refresh_token', 'password'],
        token_endpoint_auth_method: 'client_secret_basic',
        application_type: 'web',
        scope: 'admin',
        software_statement: 'x',
        client_id: 'https://claude.ai/mine',
        is_admin: true,
        __proto__: { admin: true },
      }),
    ),
  )
  expect(answer).toEqual({
    status: 201,
    body: {
      client_id: expect.stringMatching(/^cl_[a-z2-7]{26}$/),
      client_id_issued_at: expect.any(Number),
      client_name: 'Claude Code (stub)',
      redirect_uris: ['http://localhost:51234/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      scope: 'mcp:read mcp:write',
    },
  })
})

test('one redirect URI that we do not take does not refuse the others; none that we take is refused (S-20, OAuth 2.1 §2.3.1)', async () => {
  const cursor = [
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'http://evil.example/cb',
    'http://localhost:8787/callback',
  ]
  const { body } = await answerOf(post(JSON.stringify({ redirect_uris: cursor, application_type: 'web' })))
  expect(body).toMatchObject({ redirect_uris: [cursor[0], cursor[2]] })
  for (const redirect_uris of [
    [],
    ['javascript:alert(1)'],
    ['http://evil.example/cb', 'data:text/html,x'],
    [`${CALLBACK}#f`],
    Array.from({ length: 11 }, (_, index) => `https://app.example/${index}`),
    'https://app.example',
    [1],
    undefined,
  ]) {
    expect(await answerOf(post(JSON.stringify({ redirect_uris })))).toEqual(refusal(400, 'invalid_redirect_uri'))
  }
})

test('what is no registration at all is invalid_client_metadata, and more than 8 KB is 413 (S-41, RFC 7591 §5)', async () => {
  for (const body of ['', '[', 'null', '[]', '"x"', JSON.stringify({ redirect_uris: [CALLBACK], client_name: 7 })]) {
    expect({ sent: body, ...(await answerOf(post(body))) }).toEqual({
      sent: body,
      ...refusal(400, 'invalid_client_metadata'),
    })
  }
  const large = JSON.stringify({ redirect_uris: [CALLBACK], client_name: 'x'.repeat(9_000) })
  expect((await post(large)).status).toBe(413)
})

test('an address registers 100 clients an hour, then is told how long to wait (S-41, RFC 7591 §5)', async () => {
  const own = await createTestDatabase()
  const fresh = createHarness(own.database)
  for (let count = 0; count < 100; count += 1) await fresh.register()
  const refused = await fresh.fetch('/api/oauth/register', {
    method: 'POST',
    headers: { 'x-forwarded-for': '203.0.113.9' },
    body: JSON.stringify({ redirect_uris: [CALLBACK] }),
  })
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_500)
  await own.drop()
})

test('behind a trusted proxy the limit counts by the address that the proxy saw, IPv6 by network', async () => {
  const config = loadConfig({ PUBLIC_URL: 'http://localhost:7300', TRUST_PROXY: '1' })
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const { routes } = createAuth({
    database: db.database,
    config,
    secretKeys: [SECRET],
    log: quiet,
    addressLimiter: addressLimiterOn(db.database),
    limitedWork: async () => null,
    onAccessEnded: () => undefined,
    onAccessProven: () => undefined,
    people: { list: async () => [], agentsOf: async () => new Map(), agentsBy: async () => [] },
    onGrantRevoked: async () => {},
  })
  const from = async (forwarded: string) => {
    const headers = { 'x-forwarded-for': forwarded }
    return (await routes.request('/api/oauth/register', { method: 'POST', headers, body: '{}' })).status
  }
  for (let count = 0; count < 100; count += 1) expect(await from(`198.51.100.${count}, 203.0.113.7`)).toBe(400)
  expect(await from('203.0.113.7')).toBe(429)
  expect(await from('203.0.113.8')).toBe(400)
  for (let count = 0; count < 100; count += 1) expect(await from(`2001:db8:1:2::${count.toString(16)}`)).toBe(400)
  expect(await from('2001:db8:1:2:ffff::1')).toBe(429)
  expect(await from('2001:db8:1:3::1')).toBe(400)
})

test('a client that nobody consented to is gone after a day; one in use stays (S-41, RFC 7591 §5)', async () => {
  const fresh = createHarness(db.database)
  const [used, unused] = [await fresh.register(), await fresh.register()]
  const browser = await fresh.signedIn()
  await fresh.consent(browser, used)
  const yesterday = new Date(Date.now() - 25 * 3_600_000)
  await db.database.query((orm) => orm.update(clients).set({ createdAt: yesterday }))
  for (let count = 0; count < 10; count += 1) await fresh.register()
  const left = await db.database.query((orm) => orm.select({ id: clients.id }).from(clients))
  expect(left.map(({ id }) => id)).toContain(used)
  expect(left.map(({ id }) => id)).not.toContain(unused)
  const unusedLeft = await db.database.query((orm) => orm.select().from(clients).where(isNull(clients.usedAt)))
  expect(unusedLeft).toHaveLength(10)
  const [row] = await db.database.query((orm) => orm.select().from(clients).where(eq(clients.id, used)))
  expect(row?.usedAt).not.toBeNull()
})
