import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { answerOf, createHarness, type Harness } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database, { env: { PUBLIC_URL: 'https://ork.example' } })
})
afterAll(() => db.drop())

const get = (path: string, headers: Record<string, string> = {}) => Promise.resolve(harness.fetch(path, { headers }))

test.each(['', '/api/mcp'])(
  'the resource describes itself at /.well-known/oauth-protected-resource%s (S-02, RFC 9728)',
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

test('the authorization server describes exactly what it does (S-03, RFC 8414)', async () => {
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
      scopes_supported: ['mcp:read', 'mcp:write'],
      authorization_response_iss_parameter_supported: true,
    },
  })
})

test('what the documents say does not depend on who the caller says we are (S-04)', async () => {
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

test('programs in any page may read the documents, without credentials (S-29)', async () => {
  const answer = await get('/.well-known/oauth-authorization-server', { origin: 'https://inspector.example' })
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
})

test('the challenge tells where to start and what to ask for, and that a token was no good (S-01, RFC 6750 §3)', () => {
  const metadata = 'resource_metadata="https://ork.example/.well-known/oauth-protected-resource/api/mcp"'
  expect(harness.auth.challenge(false)).toBe(`Bearer ${metadata}, scope="mcp:read mcp:write"`)
  expect(harness.auth.challenge(true)).toBe(`Bearer error="invalid_token", ${metadata}, scope="mcp:read mcp:write"`)
})
