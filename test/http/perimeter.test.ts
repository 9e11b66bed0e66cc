import { request } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createAgent } from '../support/agent.ts'
import { createTestApp, SECRET, type TestApp } from '../support/app.ts'
import { obtainTokens, postForm } from '../support/oauth.ts'
import { portOf } from '../support/server-process.ts'

// What strangers and the wrong tokens get from the whole server: local as it comes, and behind a public URL.

let local: TestApp
let open: TestApp
beforeAll(async () => {
  local = await createTestApp()
  open = await createTestApp({ env: { PUBLIC_URL: 'https://ork.example' } })
})
afterAll(() => Promise.all([local.close(), open.close()]))

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

const postMcp = (headers: Record<string, string>, path = '/api/mcp', body = LIST) =>
  Promise.resolve(
    local.fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      body,
    }),
  )

const person = { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' }

describe('tokens', () => {
  test('a token that was asked for REST alone opens REST and not MCP (S-05, RFC 8707 §2)', async () => {
    const { publicUrl, fetch } = local
    const { accessToken } = await obtainTokens(fetch, { publicUrl, person, resource: `${publicUrl}/api` })
    const refused = await postMcp(bearer(accessToken))
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe(local.app.auth.challenge(true))
    expect((await fetch('/api/workspaces', { headers: bearer(accessToken) })).status).toBe(200)
  })

  test('a signed token of anybody’s, be it in our own name and under our own key, opens nothing (S-06, MCP token passthrough)', async () => {
    const { userId } =
      (await local.app.auth.authenticate(`Bearer ${(await local.login('Ada')).accessToken}`, 'mcp')) ?? {}
    const issuers = [local.publicUrl, 'https://accounts.google.com', 'https://project.supabase.co/auth/v1']
    for (const issuer of issuers) {
      const jwt = await new SignJWT({ scope: 'mcp:read mcp:write', email: person.email })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(issuer)
        .setSubject(userId ?? '')
        .setAudience(`${local.publicUrl}/api/mcp`)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(new TextEncoder().encode(SECRET))
      expect((await postMcp(bearer(jwt))).status).toBe(401)
      expect((await local.fetch('/api/workspaces', { headers: bearer(jwt) })).status).toBe(401)
      const introspect = postForm(local.fetch, `${local.publicUrl}/api/oauth/introspect`, { token: jwt }, bearer(jwt))
      expect((await introspect).status).toBe(401)
    }
  })

  test('a token in a query, a cookie or a body is no token (S-08, RFC 6750 §2)', async () => {
    const { accessToken } = await local.login('Ada')
    for (const answer of [
      await postMcp({}, `/api/mcp?access_token=${accessToken}`),
      await postMcp({ cookie: `access_token=${accessToken}; ork_session=${accessToken}` }),
      await postMcp({}, '/api/mcp', JSON.stringify({ ...JSON.parse(LIST), access_token: accessToken })),
      await postForm(local.fetch, `${local.publicUrl}/api/mcp`, { access_token: accessToken }),
      await local.fetch(`/api/workspaces?access_token=${accessToken}`),
    ]) {
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toBe(local.app.auth.challenge(false))
    }
  })

  test('a grant that ends on one replica is over on the other within a second (S-09, OAuth 2.1 §5.3)', async () => {
    const login = await local.login('Ada')
    const replica = local.replica()
    const there = () => replica.app.http.request('/api/workspaces', { headers: bearer(login.accessToken) })
    expect((await there()).status).toBe(200)
    const revoked = postForm(local.fetch, `${local.publicUrl}/api/oauth/revoke`, {
      client_id: login.clientId,
      token: login.refreshToken,
    })
    expect((await revoked).status).toBe(200)
    expect((await postMcp(bearer(login.accessToken))).status).toBe(401)
    await vi.waitFor(async () => expect((await there()).status).toBe(401), { timeout: 2_000, interval: 50 })
    await replica.close()
  })
})

describe('a token without the scope', () => {
  test('is refused by a tool as a result of that tool, which every client shows its model (S-10, MCP tool errors)', async () => {
    const { accessToken } = await local.login('Ada', 'Reader', 'mcp:read')
    const reader = createAgent(local.fetch, `${local.publicUrl}/api/mcp`, accessToken)
    expect(await reader.join()).toMatchObject({ ok: true })
    expect(await reader.call('write_values', { entries: [{ key: 'k', value: 1 }] })).toMatchObject({
      isError: true,
      ok: false,
      error: { code: 'FORBIDDEN_SCOPE', requiredScope: 'mcp:write' },
    })
    expect(await reader.call('read_values', { keys: ['k'] })).toMatchObject({ ok: true, values: [] })
  })

  test('is refused by REST with 403 and the scopes to ask for, the ones it has among them (S-10, RFC 6750 §3.1)', async () => {
    const attempt = async (scope: string, method: string) => {
      const { accessToken } = await local.login('Ada', 'Half', scope)
      const headers = { ...bearer(accessToken), 'content-type': 'application/json' }
      const body = method === 'POST' ? JSON.stringify({ name: 'Not made' }) : null
      return local.fetch('/api/workspaces', { method, headers, body })
    }
    for (const [granted, method, required] of [
      ['mcp:read', 'POST', 'mcp:write'],
      ['mcp:write', 'GET', 'mcp:read'],
    ] as const) {
      const refused = await attempt(granted, method)
      expect(refused.status).toBe(403)
      expect(await refused.json()).toMatchObject({ code: 'FORBIDDEN_SCOPE', requiredScope: required })
      expect(refused.headers.get('www-authenticate')).toBe(
        'Bearer error="insufficient_scope", ' +
          'resource_metadata="http://localhost:7300/.well-known/oauth-protected-resource/api/mcp", ' +
          'scope="mcp:read mcp:write"',
      )
    }
    expect(await (await attempt('mcp:read', 'GET')).text()).not.toContain('Not made')
  })
})

describe('Host and Origin', () => {
  test('a server for its own machine answers on loopback names only, whatever the port (S-48, MCP transports, DNS rebinding)', async () => {
    const paths = ['/', '/login', '/signup', '/.well-known/oauth-authorization-server', '/api/mcp', '/api/workspaces']
    const hosts = {
      ours: ['localhost:7300', '127.0.0.1:7300', '[::1]:7300', 'LOCALHOST', 'localhost:8080'],
      others: [
        'evil.example:7300',
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        'localhost.',
        '0.0.0.0:7300',
        '10.0.0.5',
      ],
    }
    for (const path of paths) {
      for (const host of hosts.ours) expect((await local.fetch(`http://${host}${path}`)).status).not.toBe(403)
      for (const host of hosts.others) {
        const refused = await local.fetch(`http://${host}${path}`)
        expect({ host, path, status: refused.status }).toEqual({ host, path, status: 403 })
        expect(await refused.json()).toMatchObject({ code: 'FORBIDDEN_ORIGIN' })
      }
    }
    // Monitors among the neighbours of a container know it by its own name.
    expect((await local.fetch('http://app:7300/healthz')).status).toBe(200)
  })

  test('the page of a rebound name cannot make the first account here, though it is same-origin (S-48, ASVS 3.5.1)', async () => {
    const fresh = await createTestApp()
    const form = {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' },
    }
    const body = new URLSearchParams({ ...person }).toString()
    expect((await fresh.fetch('http://evil.example:7300/signup', { ...form, body })).status).toBe(403)
    expect((await fresh.fetch('http://localhost:7300/signup', { ...form, body })).status).toBe(303)
    await fresh.close()
  })

  test('it is the Host header that is looked at, over a real socket (S-48, RFC 9110 §7.2)', async () => {
    const server = createAdaptorServer({ fetch: local.app.http.fetch }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const status = (host: string) =>
      new Promise((resolve, reject) => {
        request({ host: '127.0.0.1', port: portOf(server), path: '/login', headers: { host } }, (answer) => {
          resolve(answer.resume().statusCode)
        })
          .on('error', reject)
          .end()
      })
    expect(await status(`localhost:${portOf(server)}`)).toBe(200)
    expect(await status('evil.example')).toBe(403)
    server.close()
  })

  test('behind a proxy Host is whatever the proxy sends, and nothing follows from it (S-04, S-48, RFC 8414 §3.3)', async () => {
    const said = async (host: string, headers: Record<string, string> = {}) => {
      const [documents, refused] = await Promise.all([
        open.fetch(`http://${host}/.well-known/oauth-authorization-server`, { headers }),
        open.fetch(`http://${host}/api/mcp`, { headers }),
      ])
      return [documents.status, await documents.text(), refused.status, refused.headers.get('www-authenticate')]
    }
    const honest = await said('ork.example')
    expect(honest[0]).toBe(200)
    for (const host of ['app:7300', '10.0.0.5:7300', 'orkestrate.prod.svc.cluster.local', 'evil.example']) {
      expect(await said(host, { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' })).toEqual(honest)
    }
  })

  test('a page of another site is refused at MCP with any token, and CORS does not let it in (S-48, S-29, MCP transports)', async () => {
    const { accessToken } = await local.login('Ada')
    for (const origin of [
      'https://evil.example',
      'null',
      'http://localhost.evil.example',
      'https://localhost:6274',
      'http://127.0.0.1.evil.example:80',
    ]) {
      const refused = await postMcp({ ...bearer(accessToken), origin })
      expect({ origin, status: refused.status }).toEqual({ origin, status: 403 })
      expect(refused.headers.get('access-control-allow-origin')).toBeNull()
      const asked = {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      }
      const before = await local.fetch('/api/mcp', { method: 'OPTIONS', headers: asked })
      expect([before.status, before.headers.get('access-control-allow-origin')]).toEqual([401, null])
    }
    expect((await postMcp({ ...bearer(accessToken), origin: local.publicUrl })).status).toBe(200)
  })

  test('a client in a page on one’s own computer, such as the MCP Inspector, signs in and calls MCP: with its token, never with cookies (S-29, ASVS 3.4.2)', async () => {
    const origin = 'http://localhost:6274'
    for (const app of [local, open]) {
      const { accessToken } = app === local ? await local.login('Ada') : { accessToken: 'none' }
      const mcp = (init: RequestInit) => app.fetch(`${app.publicUrl}/api/mcp`, init)
      const seen = (answer: Response, name: string) => answer.headers.get(`access-control-${name}`)
      const asked = { origin, 'access-control-request-method': 'POST' }
      const wanted = 'authorization, content-type, mcp-protocol-version'
      const before = await mcp({ method: 'OPTIONS', headers: { ...asked, 'access-control-request-headers': wanted } })
      expect([before.status, seen(before, 'allow-origin'), seen(before, 'allow-headers')]).toEqual([
        204,
        origin,
        wanted,
      ])
      expect(seen(before, 'allow-methods')).toContain('POST')
      expect(before.headers.get('vary')).toContain('Origin')

      const stranger = await mcp({ method: 'POST', headers: { origin }, body: LIST })
      expect([stranger.status, seen(stranger, 'allow-origin')]).toEqual([401, origin])
      for (const name of ['WWW-Authenticate', 'Mcp-Session-Id', 'MCP-Protocol-Version']) {
        expect(seen(stranger, 'expose-headers')).toContain(name)
      }
      for (const path of ['/.well-known/oauth-protected-resource/api/mcp', '/.well-known/oauth-authorization-server']) {
        expect(seen(await app.fetch(app.publicUrl + path, { headers: { origin } }), 'allow-origin')).toBe('*')
      }
      for (const path of ['/api/oauth/register', '/api/oauth/token']) {
        const may = await app.fetch(app.publicUrl + path, { method: 'OPTIONS', headers: asked })
        expect([may.status, seen(may, 'allow-origin'), seen(may, 'allow-credentials')]).toEqual([204, '*', null])
      }
      if (app === local) {
        const known = await postMcp({ ...bearer(accessToken), origin })
        expect([known.status, seen(known, 'allow-origin'), seen(known, 'allow-credentials')]).toEqual([
          200,
          origin,
          null,
        ])
      }
      expect(seen(before, 'allow-credentials') ?? seen(stranger, 'allow-credentials')).toBeNull()
    }
  })
})

test('every answer names its type for good and, under https, forbids plain http for a year (S-35, ASVS 3.4.1)', async () => {
  const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=b' }
  const requests: [string, RequestInit?][] = [
    ['/'],
    ['/login'],
    ['/signup'],
    ['/logout'],
    ['/account/connections'],
    ['/oauth/authorize'],
    ['/oauth/authorize', form],
    ['/assets/style.css'],
    ['/nothing/here'],
    ['/.well-known/nothing'],
    ['/.well-known/oauth-protected-resource'],
    ['/api/mcp'],
    ['/api/workspaces'],
    ['/api/oauth/token', form],
    ['/api/oauth/token'],
    ['/api/oauth/register', form],
    ['/healthz'],
    ['/readyz'],
    ['/version'],
  ]
  for (const [path, init] of requests) {
    const { headers } = await open.fetch(path, init)
    expect({ path, options: headers.get('x-content-type-options') }).toEqual({ path, options: 'nosniff' })
    expect(headers.get('strict-transport-security')).toMatch(/^max-age=31536000\b/)
    expect(headers.get('x-powered-by')).toBeNull()
    if (!(headers.get('content-type') ?? '').startsWith('text/html')) continue
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
  }
  expect((await local.fetch('/version')).headers.get('strict-transport-security')).toBeNull()
})

test('a registration cannot be read, changed or deleted: RFC 7592 is not offered (S-42, RFC 7592 §2)', async () => {
  const registered = await local.fetch('/api/oauth/register', {
    method: 'POST',
    body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/callback'] }),
  })
  const client = (await registered.json()) as Record<string, string>
  expect(client).not.toHaveProperty('registration_access_token')
  expect(client).not.toHaveProperty('registration_client_uri')
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const path = `/api/oauth/register/${client['client_id']}`
    expect((await local.fetch(path, { method, headers: bearer(client['client_id'] ?? '') })).status).toBe(404)
  }
})
