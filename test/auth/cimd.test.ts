import { eq } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createGuardedFetch, type GuardedAnswer } from '../../src/auth/guarded-fetch.ts'
import { clients } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { pretendInternet, type PretendInternet } from '../support/internet.ts'
import { enter, formTo, tokensOf, type Visitor, visitor } from '../support/oauth.ts'
import { ADA, answerOf, authorizePath, createHarness, type Harness, refreshing, refusal } from './harness.ts'

// The flow with a client whose id is the URL of a metadata document (draft-ietf-oauth-client-id-metadata-document-02).

const CLAUDE = 'https://claude.ai/oauth/claude-code-client-metadata'
const CODEX = 'https://chatgpt.com/oauth/codex/client.json'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

/** What is published where, as the two clients do; a test may change it. */
const published = new Map<string, object | 'unreachable'>()
let fetched: string[]
async function fetchDocument(url: URL): Promise<GuardedAnswer> {
  fetched.push(url.href)
  const document = published.get(url.href)
  if (document === 'unreachable') throw new Error('connect ECONNREFUSED 10.9.8.7:443')
  const headers = { 'content-type': 'application/json' }
  if (document === undefined) return { status: 404, headers, body: Buffer.from('{"secret":"inside"}') }
  return { status: 200, headers, body: Buffer.from(JSON.stringify(document)) }
}

const describing = (client_id: string, more: object = {}) => ({
  client_id,
  client_name: 'Claude Code',
  redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  ...more,
})

let db: TestDatabase
let harness: Harness
let ada: Visitor
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
  // One browser for all tests, on whichever replica is running.
  ada = visitor((url, init) => harness.fetch(url, init), harness.publicUrl)
  await enter(ada, ADA)
})
afterAll(() => db.drop())
beforeEach(() => {
  fetched = []
  published.clear()
  published.set(CLAUDE, describing(CLAUDE))
  published.set(CODEX, describing(CODEX, { client_name: 'Codex', redirect_uris: ['http://127.0.0.1/callback'] }))
  restart()
})

/** From now on another replica answers, which remembers nothing. */
function restart(env: Record<string, string> = { CIMD: 'on' }): void {
  harness = createHarness(db.database, { env, fetchDocument })
}

const path = (client_id: string, overrides: Record<string, string> = {}) =>
  authorizePath({ client_id, code_challenge: CHALLENGE, ...overrides })

const rowOf = async (id: string) =>
  (await db.database.query((orm) => orm.select().from(clients).where(eq(clients.id, id))))[0]

describe('a whole life with a URL client id', () => {
  test('sign-in, refresh, revocation: one fetch, and none for tokens', async () => {
    const login = await harness.login(ada, { client_id: CLAUDE, redirect_uri: 'http://127.0.0.1:19876/callback' })
    const principal = await harness.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp')
    expect(principal).toMatchObject({ clientId: CLAUDE, clientName: 'Claude Code', userName: ADA.name })

    // From here on the document is gone, and nobody needs it.
    published.set(CLAUDE, 'unreachable')
    restart()
    const next = await tokensOf(await harness.token(refreshing(login)))
    expect(await harness.auth.authenticate(`Bearer ${next.accessToken}`, 'mcp')).not.toBeNull()
    const introspected = await harness.fetch('/api/oauth/introspect', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${next.accessToken}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ token: login.accessToken }).toString(),
    })
    expect(await introspected.json()).toMatchObject({ active: true, client_id: CLAUDE })

    const revoke = (client_id: string) =>
      Promise.resolve(
        harness.fetch('/api/oauth/revoke', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({ client_id, token: next.refreshToken }).toString(),
        }),
      )
    expect(await answerOf(revoke('https://claude.ai/other'))).toEqual(refusal(401, 'invalid_client'))
    expect((await revoke(CLAUDE)).status).toBe(200)
    expect(await answerOf(harness.token(refreshing({ ...login, ...next })))).toEqual(refusal(400, 'invalid_grant'))
    expect(fetched).toEqual([CLAUDE])
  })

  test('the connections page lists it, with CIMD off too, and ends it (S-40, ASVS 7.5.2)', async () => {
    const login = await harness.login(ada, { client_id: CODEX })
    restart({ CIMD: 'off' })
    const page = await ada.open('/account/connections')
    expect(page.text).toContain('Codex')
    expect((await harness.token(refreshing(login))).status).toBe(200)
    const grantId = (await harness.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp'))?.grantId ?? ''
    const form = page.forms.find(({ controls }) => controls.some(({ value }) => value === grantId))
    if (form === undefined) throw new Error('the grant is not listed')
    await ada.submit(page, form)
    expect(await harness.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp')).toBeNull()
  })

  test('a code is for the client that it was given to, and two documents of one host are two clients (S-23, RFC 6749 §4.1.3)', async () => {
    const second = 'https://claude.ai/oauth/second'
    published.set(second, describing(second))
    await harness.login(ada, { client_id: second })
    const { code, pkce } = await harness.consent(ada, CLAUDE)
    const fields = { grant_type: 'authorization_code', code, code_verifier: pkce.verifier }
    expect(await answerOf(harness.token({ ...fields, client_id: second }))).toEqual(refusal(400, 'invalid_grant'))
    expect((await harness.token({ ...fields, client_id: CLAUDE })).status).toBe(200)
  })

  test('a client that nobody consented to gets nothing from the token endpoint, and no fetch', async () => {
    const client_id = 'https://claude.ai/oauth/never-consented'
    published.set(client_id, describing(client_id))
    const fields = { grant_type: 'refresh_token', refresh_token: 'x', client_id }
    expect(await answerOf(harness.token(fields))).toEqual(refusal(401, 'invalid_client'))
    expect(fetched).toEqual([])
  })

  test('with a document of the full size, and the longest state', async () => {
    const redirect_uris = ['http://127.0.0.1/callback']
    const document = describing(CLAUDE, { redirect_uris })
    while (JSON.stringify(document).length < 4_900) redirect_uris.push(`https://claude.ai/${redirect_uris.length}/cb`)
    published.set(CLAUDE, document)
    // Six characters each in JSON.
    const state = '\u0001'.repeat(2_048)
    const { location } = await harness.consent(ada, CLAUDE, { state })
    expect(location.searchParams.get('state')).toBe(state)
    expect((await rowOf(CLAUDE))?.redirectUris).toEqual(redirect_uris)
  })
})

describe('the redirect URI is one of the document’s, with any port on loopback (S-17, RFC 8252 §7.3)', () => {
  beforeEach(() => {
    const redirect_uris = [
      'http://localhost/callback',
      'http://127.0.0.1/callback',
      'http://[::1]/callback',
      'http://localhost:3118/with-port',
      'https://claude.ai/cb',
    ]
    published.set(CLAUDE, describing(CLAUDE, { redirect_uris }))
  })
  test.each([
    'http://localhost:51234/callback',
    'http://127.0.0.1:51234/callback',
    'http://[::1]:51234/callback',
    'http://localhost/callback',
    'http://localhost:1/with-port',
    'http://localhost/with-port',
    'https://claude.ai/cb',
  ])('takes %s', async (redirect_uri) => {
    const { location } = await harness.consent(ada, CLAUDE, { redirect_uri })
    expect(location.href.startsWith(`${redirect_uri}?code=`)).toBe(true)
  })
  test.each([
    'http://localhost:51234/mcp/oauth/callback',
    'http://localhost:51234/callback/',
    'http://127.0.0.1:51234/with-port',
    'http://evil.example:51234/callback',
    'http://localhost.evil.example/callback',
    'https://localhost:51234/callback',
    'https://claude.ai:8443/cb',
    'https://claude.ai/cb?x',
  ])('refuses %s, on a page of its own (S-18, RFC 6749 §4.1.2.1)', async (redirect_uri) => {
    const page = await ada.open(path(CLAUDE, { redirect_uri }))
    expect(page.status).toBe(400)
    expect(page.leftTo).toBeUndefined()
  })
})

describe('the consent page tells what is known of the client (S-32, CIMD §6)', () => {
  test('the host of a document, whatever the client calls itself', async () => {
    const evil = 'https://evil.example/c.json'
    published.set(evil, describing(evil, { client_name: '<b>Claude Code</b>\u202E' }))
    const page = await ada.open(path(evil))
    expect(page.text).toContain('<b>Claude Code</b>')
    expect(page.body).not.toContain('<b>')
    expect(page.text).toContain('evil.example')
    expect(page.text).not.toContain('registered itself')
    expect(page.text).toContain('your own computer')
    // And so does the list of what the person has connected.
    await harness.login(ada, { client_id: evil })
    const { text } = await ada.open('/account/connections')
    expect(text).toMatch(/“<b>Claude Code<\/b>” Verified: its description is published at evil\.example\./)
  })

  test('of one that registered itself, that nobody has verified it', async () => {
    const page = await ada.open(path(await harness.register()))
    expect(page.text).toContain('registered itself')
  })

  test('the ids that registration gives are no URLs, whatever was asked for (CIMD §7.1)', async () => {
    const redirect_uris = ['https://claude.ai/cb']
    expect(await harness.register({ client_id: CLAUDE, redirect_uris })).toMatch(/^cl_/)
  })
})

describe('nobody anonymous makes this server fetch anything', () => {
  test('who asks signs in first, and comes back to the same request', async () => {
    const browser = harness.browser()
    const login = await browser.open(path(CLAUDE))
    expect(new URL(login.url).pathname).toBe('/login')
    expect(fetched).toEqual([])
    const { email, password } = ADA
    const consent = await browser.submit(login, formTo(login, '/login'), { email, password })
    expect(new URL(consent.url).pathname).toBe('/oauth/authorize')
    expect(fetched).toEqual([CLAUDE])
    const done = await browser.submit(consent, formTo(consent, '/oauth/authorize'), {}, 'decision=allow')
    expect(done.leftTo).toContain('code=')
  })

  test('whether or not the document exists', async () => {
    const browser = harness.browser()
    expect((await browser.open(path('https://claude.ai/oauth/nothing'))).url).toContain('/login')
    expect(fetched).toEqual([])
  })
})

describe('whatever is wrong with a document, the answer is the same, and the log has the reason (S-45, CIMD §6)', () => {
  const bodies = new Set<string>()
  test.each([
    ['not found', 'https://client.example/404', /status 404/],
    ['unreachable', 'https://unreachable.example/c', /ECONNREFUSED/],
    ['about another client', 'https://client.example/other', /not the URL/],
    ['with a secret', 'https://client.example/secret', /client_secret/],
    ['without a usable redirect URI', 'https://client.example/redirects', /redirect_uris/],
    ['at a URL that is none', 'https://client.example/a/../b', null],
    ['at a port', 'https://client.example:8443/c', null],
  ])('%s', async (_, id, reason) => {
    published.set('https://unreachable.example/c', 'unreachable')
    published.set('https://client.example/other', describing(CLAUDE))
    published.set('https://client.example/secret', describing(id, { client_secret: 'x' }))
    published.set('https://client.example/redirects', describing(id, { redirect_uris: ['http://evil.example'] }))
    const page = await ada.open(path(id))
    expect(page.status).toBe(400)
    expect(page.leftTo).toBeUndefined()
    bodies.add(page.body)
    expect(bodies.size).toBe(1)
    expect(page.body).not.toMatch(/404|ECONNREFUSED|10\.9|inside|client_secret|client\.example/)
    const warnings = harness.lines.filter(({ level }) => level === 'warn')
    expect(warnings.map(({ facts }) => facts)).toEqual(
      reason === null ? [] : [{ clientId: id, reason: expect.stringMatching(reason) }],
    )
  })

  test('also while a host is left alone', async () => {
    for (const id of ['https://client.example/404', 'https://client.example/405']) {
      bodies.add((await ada.open(path(id))).body)
    }
    expect(fetched).toEqual(['https://client.example/404'])
    expect(bodies.size).toBe(1)
  })
})

describe('nothing remembers a consent (S-31, S-46, CIMD §6.3)', () => {
  test('an unchanged document is asked about again, and so is a changed one, as it is now', async () => {
    await harness.login(ada, { client_id: CLAUDE })
    expect(formTo(await ada.open(path(CLAUDE)), '/oauth/authorize')).toBeDefined()
    const redirect_uris = ['https://evil.example/cb']
    published.set(CLAUDE, describing(CLAUDE, { client_name: 'Changed', redirect_uris, jwks: { keys: [] } }))
    restart()
    const consent = await ada.open(path(CLAUDE, { redirect_uri: 'https://evil.example/cb' }))
    expect(consent.leftTo).toBeUndefined()
    expect(consent.text).toContain('Changed')
    expect(consent.text).toContain('evil.example')
    // And what the document no longer lists is no longer taken.
    expect((await ada.open(path(CLAUDE))).status).toBe(400)
  })

  test('prompt=none gets no code either', async () => {
    await harness.login(ada, { client_id: CLAUDE })
    const page = await ada.open(path(CLAUDE, { prompt: 'none' }))
    expect(page.leftTo).toBeUndefined()
    expect(formTo(page, '/oauth/authorize')).toBeDefined()
  })
})

describe('what a person consented to is on record, and no more', () => {
  const id = 'https://client.example/recorded'
  afterEach(() => db.database.query((orm) => orm.delete(clients).where(eq(clients.id, id))))

  test('looking leaves nothing; consent leaves what was shown, also if the document changed meanwhile', async () => {
    published.set(id, describing(id))
    const page = await ada.open(path(id))
    expect(await rowOf(id)).toBeUndefined()
    published.set(id, describing(id, { client_name: 'Changed' }))
    restart()
    const done = await ada.submit(page, formTo(page, '/oauth/authorize'), {}, 'decision=allow')
    expect(done.leftTo).toContain('code=')
    expect(await rowOf(id)).toMatchObject({
      name: 'Claude Code',
      redirectUris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      usedAt: expect.any(Date),
    })
    expect(fetched).toEqual([id])
  })

  test('a later consent brings it up to date; denying does not', async () => {
    published.set(id, describing(id))
    const first = await harness.login(ada, { client_id: id })
    const { createdAt } = (await rowOf(id)) ?? {}
    published.set(id, describing(id, { client_name: 'Changed' }))
    restart()
    const page = await ada.open(path(id))
    await ada.submit(page, formTo(page, '/oauth/authorize'), {}, 'decision=deny')
    expect(await rowOf(id)).toMatchObject({ name: 'Claude Code' })
    await harness.login(ada, { client_id: id })
    expect(await rowOf(id)).toMatchObject({ name: 'Changed', createdAt })
    const principal = await harness.auth.authenticate(`Bearer ${first.accessToken}`, 'mcp')
    expect(principal).toMatchObject({ clientName: 'Changed' })
  })

  test('an older form that is sent again does not bring back what the document said then', async () => {
    published.set(id, describing(id))
    const older = await ada.open(path(id))
    const allow = () => ada.submit(older, formTo(older, '/oauth/authorize'), {}, 'decision=allow')
    expect((await allow()).leftTo).toContain('code=')
    published.set(id, describing(id, { client_name: 'Changed' }))
    restart()
    await harness.login(ada, { client_id: id })
    expect((await allow()).text).toContain('You can close this window')
    expect(await rowOf(id)).toMatchObject({ name: 'Changed' })
  })

  test('many consents at the same time each get their code, for one fetch', async () => {
    published.set(id, describing(id))
    const given = await Promise.all(Array.from({ length: 8 }, () => harness.consent(ada, id)))
    expect(new Set(given.map(({ code }) => code)).size).toBe(8)
    for (const { code, pkce } of given) {
      const fields = { grant_type: 'authorization_code', client_id: id, code, code_verifier: pkce.verifier }
      expect((await harness.token(fields)).status).toBe(200)
    }
    expect(fetched).toEqual([id])
  })
})

test('with CIMD off a URL is a client like any unknown one, also if somebody consented to it before', async () => {
  await harness.login(ada, { client_id: CLAUDE })
  fetched = []
  restart({ CIMD: 'off' })
  for (const browser of [harness.browser(), ada]) {
    const page = await browser.open(path(CLAUDE))
    expect(page.status).toBe(400)
    expect(page.text).toContain('not registered here')
  }
  expect(fetched).toEqual([])
})

describe('over TLS, from a host with a certificate', () => {
  let internet: PretendInternet
  beforeAll(async () => {
    internet = await pretendInternet()
  })
  afterAll(() => internet.close())

  test('the same flow, to the connection itself; a host that leads inside is never connected to (S-44, CIMD §6.5)', async () => {
    const id = 'https://client.example/oauth/client.json'
    internet.respond((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(describing(id)))
    })
    internet.names.set('inside.example', [['127.0.0.1', '10.0.0.1']])
    const bounds = { bytes: 5_120, ms: 3_000 }
    harness = createHarness(db.database, {
      env: { CIMD: 'on' },
      fetchDocument: createGuardedFetch(bounds, internet.network),
    })
    const { scope } = await harness.login(ada, { client_id: id })
    expect(scope).toBe('mcp:read mcp:write')
    expect((await ada.open(path('https://inside.example/c'))).status).toBe(400)
    expect(internet.requests.map(({ url }) => url)).toEqual(['/oauth/client.json'])
    expect(internet.canaryConnections()).toBe(0)
  })
})
