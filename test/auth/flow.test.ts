import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { formTo, obtainTokens, tokensOf } from '../support/oauth.ts'
import { ADA, authorizePath, CALLBACK, createHarness, type Harness, refreshing } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
})
afterAll(() => db.drop())

test('a person who never was here gets from a client’s request to a working token through the real pages', async () => {
  const tokens = await obtainTokens(harness.fetch, { publicUrl: harness.publicUrl, person: ADA, clientName: 'Codex' })
  const principal = await harness.auth.authenticate(`Bearer ${tokens.accessToken}`, 'mcp')
  expect(principal).toMatchObject({
    userName: 'Ada Lovelace',
    clientName: 'Codex',
    clientId: tokens.clientId,
    scopes: ['mcp:read', 'mcp:write'],
  })
})

test('the authorization response brings back state and iss, and the token answer is not kept by anybody (S-21, RFC 9207 §2)', async () => {
  const browser = await harness.signedIn()
  const clientId = await harness.register()
  const { location, code, pkce } = await harness.consent(browser, clientId)
  expect(location.href.startsWith(`${CALLBACK}?`)).toBe(true)
  expect(Object.fromEntries(location.searchParams)).toEqual({ code, state: 'the-state', iss: 'http://localhost:7300' })
  const answer = await harness.token({
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: pkce.verifier,
    redirect_uri: CALLBACK,
  })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(await answer.json()).toEqual({
    access_token: expect.stringMatching(/^ork_at_[a-z2-7]{32}[0-9a-z]{7}$/),
    token_type: 'Bearer',
    expires_in: 3600,
    refresh_token: expect.stringMatching(/^ork_rt_[a-z2-7]{32}[0-9a-z]{7}$/),
    scope: 'mcp:read mcp:write',
  })
})

test('each completed login is a grant of its own, also for the same person and client', async () => {
  const browser = await harness.signedIn()
  const one = await harness.login(browser)
  const two = await harness.login(browser)
  const [a, b] = await Promise.all(
    [one, two].map(({ accessToken }) => harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp')),
  )
  expect(a?.userId).toBe(b?.userId)
  expect(a?.grantId).not.toBe(b?.grantId)
})

test('a refreshed session goes on: a new access token, a new refresh token, and the old access token still works', async () => {
  const login = await harness.login(await harness.signedIn())
  const refreshed = await tokensOf(await harness.token(refreshing(login)))
  expect(refreshed.refreshToken).not.toBe(login.refreshToken)
  for (const token of [login.accessToken, refreshed.accessToken]) {
    expect(await harness.auth.authenticate(`Bearer ${token}`, 'mcp')).not.toBeNull()
  }
})

test('a person who says no sends the client away with access_denied, state and iss, and without a code (S-21, RFC 9207 §2)', async () => {
  const browser = await harness.signedIn()
  const clientId = await harness.register()
  const page = await browser.open(authorizePath({ client_id: clientId, code_challenge: 'a'.repeat(43) }))
  const done = await browser.submit(page, formTo(page, '/oauth/authorize'), {}, 'decision=deny')
  expect(done.status).toBe(303)
  expect(Object.fromEntries(new URL(done.leftTo ?? '').searchParams)).toEqual({
    error: 'access_denied',
    error_description: expect.any(String),
    state: 'the-state',
    iss: 'http://localhost:7300',
  })
})
