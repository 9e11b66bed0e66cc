import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { enter, formTo } from '../support/oauth.ts'
import { ADA, CALLBACK, createHarness, type Harness } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
})
afterAll(() => db.drop())

/** The store of a client; `redirectedTo` is where it sent the person. */
function clientStore() {
  let information: OAuthClientInformationMixed | undefined
  let tokens: OAuthTokens | undefined
  let verifier = ''
  let redirectedTo: URL | undefined
  const provider: OAuthClientProvider = {
    redirectUrl: CALLBACK,
    clientMetadata: {
      client_name: 'SDK',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    },
    state: () => 'sdk-state',
    clientInformation: () => information,
    saveClientInformation: (saved) => {
      information = saved
    },
    tokens: () => tokens,
    saveTokens: (saved) => {
      tokens = saved
    },
    redirectToAuthorization: (url) => {
      redirectedTo = url
    },
    saveCodeVerifier: (saved) => {
      verifier = saved
    },
    codeVerifier: () => verifier,
  }
  return { provider, tokens: () => tokens, redirectedTo: () => redirectedTo?.href ?? '' }
}

test('the MCP SDK’s own client discovers, registers, signs a person in, and refreshes, knowing only the URL', async () => {
  const store = clientStore()
  const options = {
    serverUrl: `${harness.publicUrl}/api/mcp`,
    fetchFn: async (url: string | URL, init?: RequestInit) => harness.fetch(url.toString(), init),
  }
  expect(await auth(store.provider, options)).toBe('REDIRECT')

  const browser = harness.browser()
  const target = new URL(store.redirectedTo())
  const consent = await enter(browser, ADA, target.pathname + target.search)
  const done = await browser.submit(consent, formTo(consent, '/oauth/authorize'), {}, 'decision=allow')
  const authorizationCode = new URL(done.leftTo ?? '').searchParams.get('code') ?? ''
  expect(await auth(store.provider, { ...options, authorizationCode })).toBe('AUTHORIZED')
  const first = store.tokens()
  expect(await harness.auth.authenticate(`Bearer ${first?.access_token}`, 'mcp')).toMatchObject({ clientName: 'SDK' })

  expect(await auth(store.provider, options)).toBe('AUTHORIZED')
  expect(store.tokens()?.refresh_token).not.toBe(first?.refresh_token)
  expect(await harness.auth.authenticate(`Bearer ${store.tokens()?.access_token}`, 'mcp')).not.toBeNull()
})
