import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { answerOf, createHarness, type Harness } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database, { env: { PUBLIC_URL: 'https://ork.example', CIMD: 'on' } })
})
afterAll(() => db.drop())

const get = (path: string, headers: Record<string, string> = {}) => Promise.resolve(harness.fetch(path, { headers }))

test.each(['', '/api/mcp'])(
  'the resource describes itself at /.well-known/oauth-protected-resource%s (S-02, RFC 9728 §3.1)',
  async (form) => {
    expect(await answerOf(get(`/.well-known/oauth-protected-resource${form}`))).toEqual({
      status: 200,
      body: {
        resource: 'https://ork.example/api/mcp',
        authorization_servers: ['https://ork.example'],
        scopes_supported: ['mcp:read', 'mcp:write'],
        bearer_methods_supported: ['header'],
        resource_name: 'Orkestrate',
      },
    })
  },
)

test('the authorization server describes exactly what it does (S-03, RFC 8414 §2)', async () => {
  expect(await answerOf(get('/.well-known/oauth-authorization-server'))).toEqual({
    status: 200,
    body: {
      issuer: 'https://ork.example',
      authorization_endpoint: 'https://ork.example/oauth/authorize',
      token_endpoint: 'https://ork.example/api/oauth/token',
      registration_endpoint: 'https://ork.example/api/oauth/register',
      revocation_endpoint: 'https://ork.example/api/oauth/revoke',
      introspection_endpoint: 'https://ork.example/api/oauth/introspect',
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
      revocation_endpoint_auth_methods_supported: ['none'],
      introspection_endpoint_auth_methods_supported: ['Bearer'],
      scopes_supported: ['mcp:read', 'mcp:write'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
    },
  })
})

describe('URL client ids are offered where the server probably reaches the internet, or as told', () => {
  test.each([
    ['https://ork.example', 'auto', true],
    ['https://orkestrate.example.com', '', true],
    ['https://orkestrate.example.com:8443', '', true],
    ['http://localhost:7300', 'auto', false],
    ['http://127.0.0.1:7300', '', false],
    ['http://[::1]:7300', '', false],
    ['https://192.168.1.4', '', false],
    ['https://[fd00::4]', '', false],
    ['https://orkestrate', '', false],
    ['https://ork.corp.internal', '', false],
    ['https://nas.local', '', false],
    ['https://ork.home.arpa', '', false],
    ['http://localhost:7300', 'on', true],
    ['https://ork.example', 'off', false],
  ])('%s with CIMD=%s: %s', async (PUBLIC_URL, CIMD, offered) => {
    const { fetch, config } = createHarness(db.database, { env: { PUBLIC_URL, CIMD } })
    const metadata: Record<string, unknown> = JSON.parse(
      await (await fetch('/.well-known/oauth-authorization-server')).text(),
    )
    expect(metadata['client_id_metadata_document_supported']).toBe(offered ? true : undefined)
    expect(config.fetchClientDocuments).toBe(offered)
    // claude.ai offers its document only where both are said.
    expect(metadata['token_endpoint_auth_methods_supported']).toContain('none')
  })

  test('anything else is a fault of the configuration', () => {
    expect(() => loadConfig({ CIMD: 'yes' })).toThrow('CIMD')
  })
})

test('what the documents say does not depend on who the caller says we are (S-04, RFC 8414 §3.3)', async () => {
  const forged = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' }
  for (const path of ['/.well-known/oauth-protected-resource', '/.well-known/oauth-authorization-server']) {
    expect(await (await get(path, forged)).text()).not.toContain('evil')
  }
})

test('every other well-known address is a JSON 404, never a page', async () => {
  for (const path of [
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/api/mcp',
    '/.well-known/oauth-protected-resource/other',
  ]) {
    expect(await answerOf(get(path))).toEqual({ status: 404, body: { error: 'not_found' } })
  }
})

test('programs in any page may read the documents, without credentials (S-29, RFC 9700 §2.6)', async () => {
  const answer = await get('/.well-known/oauth-authorization-server', { origin: 'https://inspector.example' })
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
})

test('the challenge tells where to start and what to ask for, and that a token was no good (S-01, RFC 9728 §5.1)', () => {
  const metadata = 'resource_metadata="https://ork.example/.well-known/oauth-protected-resource/api/mcp"'
  expect(harness.auth.challenge(false)).toBe(`Bearer ${metadata}, scope="mcp:read mcp:write"`)
  expect(harness.auth.challenge(true)).toBe(`Bearer error="invalid_token", ${metadata}, scope="mcp:read mcp:write"`)
})
