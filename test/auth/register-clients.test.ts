import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clients } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import type { Visitor } from '../support/oauth.ts'
import { answerOf, createHarness, type Harness, refusal } from './harness.ts'

// What the coding agents that people use send to the registration endpoint, as it came over the wire or is in their
// source, and where their answers then have to go.

interface Registration {
  readonly body: object
  /** The redirect URIs of the authorization requests that follow. */
  readonly returnsTo: readonly string[]
  readonly scope?: string
}

const AGENTS: Readonly<Record<string, Registration>> = {
  'Claude Code': {
    body: {
      client_name: 'Claude Code (Orkestrate)',
      redirect_uris: ['http://localhost:51739/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      scope: 'mcp:read mcp:write',
    },
    returnsTo: ['http://localhost:51739/callback', 'http://localhost:40001/callback'],
    scope: 'mcp:read mcp:write',
  },
  Codex: {
    body: {
      client_name: 'Codex',
      redirect_uris: ['http://127.0.0.1:37819/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      response_types: ['code'],
      application_type: 'native',
    },
    returnsTo: ['http://127.0.0.1:37819/callback'],
  },
  OpenCode: {
    body: {
      redirect_uris: ['http://127.0.0.1:19876/mcp/oauth/callback'],
      client_name: 'OpenCode',
      client_uri: 'https://opencode.ai',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    returnsTo: ['http://127.0.0.1:19876/mcp/oauth/callback'],
  },
  'Gemini CLI': {
    body: {
      client_name: 'Gemini CLI MCP Client',
      redirect_uris: ['http://localhost:45107/oauth/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'mcp:read mcp:write',
    },
    returnsTo: ['http://localhost:45107/oauth/callback'],
    scope: 'mcp:read mcp:write',
  },
  Cursor: {
    body: {
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      client_name: 'Cursor',
      application_type: 'web',
    },
    returnsTo: [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
    ],
  },
  'VS Code': {
    body: {
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: [
        'https://insiders.vscode.dev/redirect',
        'https://vscode.dev/redirect',
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
        'http://127.0.0.1:33418',
      ],
      scope: 'mcp:read',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
    returnsTo: ['https://vscode.dev/redirect', 'http://127.0.0.1:33418', 'http://127.0.0.1:54321/'],
    scope: 'mcp:read',
  },
}

let db: TestDatabase
let harness: Harness
let ada: Visitor
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
  ada = await harness.signedIn()
})
afterAll(() => db.drop())

const register = (body: object | string) =>
  answerOf(
    Promise.resolve(
      harness.fetch('/api/oauth/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    ),
  )

describe('every agent registers with what it sends, is told what it got (RFC 7591 §3.2.1), and returns to all of it', () => {
  test.each(Object.entries(AGENTS))('%s', async (_, { body, returnsTo, scope }) => {
    const { status, body: registered } = await register(body)
    const { client_name, redirect_uris } = body as { client_name: string; redirect_uris: string[] }
    expect(status).toBe(201)
    expect(registered).toEqual({
      client_id: expect.stringMatching(/^cl_[a-z2-7]{26}$/),
      client_id_issued_at: expect.closeTo(Date.now() / 1_000, -2),
      client_name,
      redirect_uris,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      ...(scope !== undefined && { scope }),
    })
    const { client_id } = registered as { client_id: string }
    for (const redirect_uri of returnsTo) {
      const { location } = await harness.consent(ada, client_id, { redirect_uri })
      expect(location.href.startsWith(`${new URL(redirect_uri).href}?code=`)).toBe(true)
    }
  })
})

describe('nothing is demanded but redirect URIs', () => {
  test.each<[string, object, object]>([
    ['redirect_uris alone', {}, { application_type: 'native', client_name: 'Unnamed MCP client' }],
    ['null where there is nothing', { client_name: null, application_type: null, scope: null }, {}],
    ['a web application', { redirect_uris: ['https://app.example/cb'] }, { application_type: 'web' }],
    [
      'a native application on https alone (RFC 8252 §7.2)',
      { redirect_uris: ['https://app.example/cb'], application_type: 'native' },
      { application_type: 'native' },
    ],
    ['an unheard-of type', { application_type: 'desktop' }, { application_type: 'native' }],
    ['scopes that we do not know', { scope: 'openid mcp:read offline_access' }, { scope: 'mcp:read' }],
  ])('%s', async (_, more, expected) => {
    const answer = await register({ redirect_uris: ['http://127.0.0.1:1/cb'], ...more })
    expect(answer).toMatchObject({ status: 201, body: expected })
    expect(answer.body).not.toHaveProperty('client_secret')
    if (!('scope' in expected)) expect(answer.body).not.toHaveProperty('scope')
  })
})

test('the junk that Gemini CLI registers when a token has expired is refused, and leaves nothing', async () => {
  const count = async () => (await db.database.query((orm) => orm.select().from(clients))).length
  const before = await count()
  const junk = { client_name: 'Gemini CLI (Stored OAuth)', redirect_uris: [], grant_types: ['refresh_token'] }
  expect(await register(junk)).toEqual(refusal(400, 'invalid_redirect_uri'))
  expect(await count()).toBe(before)
})
