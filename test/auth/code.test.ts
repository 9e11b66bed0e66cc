import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256 } from '../../src/auth/crypto.ts'
import { authorizationCodes } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { newPkce, postForm, tokensOf, type Visitor } from '../support/oauth.ts'
import { answerOf, createHarness, type Harness, redemption, refreshing, refusal } from './harness.ts'

let db: TestDatabase
let harness: Harness
let browser: Visitor
let clientId: string
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
  browser = await harness.signedIn()
  clientId = await harness.register()
})
afterAll(() => db.drop())

test('of 20 redemptions of one code at the same time exactly one succeeds (S-23, RFC 6749 §4.1.2)', async () => {
  const consent = await harness.consent(browser, clientId)
  const answers = await Promise.all(Array.from({ length: 20 }, () => harness.token(redemption(clientId, consent))))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
})

test('a code presented again with the right verifier ends everything that came of it (S-23, OAuth 2.1 §7.5.2)', async () => {
  const login = await harness.login(browser)
  const again = harness.token(redemption(login.clientId, login.consent))
  expect(await answerOf(again)).toEqual(refusal(400, 'invalid_grant'))
  expect(await harness.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp')).toBeNull()
  expect(await answerOf(harness.token(refreshing(login)))).toEqual(refusal(400, 'invalid_grant'))
  expect(harness.revoked).toHaveLength(2)
})

test('a code presented again with a wrong verifier ends nothing, and before its use spoils nothing (S-23, OAuth 2.1 §7.5.2)', async () => {
  const consent = await harness.consent(browser, clientId)
  const wrong = { ...redemption(clientId, consent), code_verifier: newPkce().verifier }
  expect(await answerOf(harness.token(wrong))).toEqual(refusal(400, 'invalid_grant'))
  const { accessToken } = await tokensOf(await harness.token(redemption(clientId, consent)))
  expect(await answerOf(harness.token(wrong))).toEqual(refusal(400, 'invalid_grant'))
  expect(await harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp')).not.toBeNull()
})

test('a code is good for 60 seconds by the database’s clock (S-23, RFC 6749 §4.1.2)', async () => {
  const consent = await harness.consent(browser, clientId)
  const row = eq(authorizationCodes.codeHash, sha256(consent.code))
  const [stored] = await db.database.query((orm) => orm.select().from(authorizationCodes).where(row))
  const leftMs = (stored?.expiresAt.getTime() ?? 0) - Date.now()
  expect(leftMs).toBeGreaterThan(0)
  expect(leftMs).toBeLessThanOrEqual(60_000)
  await db.database.query((orm) =>
    orm
      .update(authorizationCodes)
      .set({ expiresAt: new Date(0) })
      .where(row),
  )
  expect(await answerOf(harness.token(redemption(clientId, consent)))).toEqual(refusal(400, 'invalid_grant'))
})

test('a code is worth nothing with anything else than it was bound to, and what fails spoils nothing (S-22, S-23, RFC 6749 §4.1.3)', async () => {
  const other = await harness.register()
  const consent = await harness.consent(browser, clientId)
  const right = redemption(clientId, consent)
  const wrong: [Record<string, string>, string, number][] = [
    [{ ...right, client_id: other }, 'invalid_grant', 400],
    [{ ...right, client_id: 'cl_unknown' }, 'invalid_client', 401],
    [{ ...right, redirect_uri: 'http://127.0.0.1:1/callback' }, 'invalid_grant', 400],
    [{ ...right, resource: 'https://other.example/api/mcp' }, 'invalid_target', 400],
    [{ ...right, resource: `${harness.publicUrl}/api` }, 'invalid_target', 400],
    [{ ...right, code: `${consent.code.slice(0, -1)}#` }, 'invalid_grant', 400],
    [{ ...right, code_verifier: 'short' }, 'invalid_grant', 400],
    [{ ...right, code_verifier: '' }, 'invalid_request', 400],
    [{ ...right, code: '' }, 'invalid_request', 400],
    [{ ...right, client_id: '' }, 'invalid_client', 401],
    [{ ...right, client_id: 'cl_\0' }, 'invalid_request', 400],
    [{ ...right, grant_type: '' }, 'invalid_request', 400],
    [{ ...right, grant_type: 'password' }, 'unsupported_grant_type', 400],
    [{ ...right, grant_type: 'client_credentials' }, 'unsupported_grant_type', 400],
    [{ ...right, grant_type: 'constructor' }, 'unsupported_grant_type', 400],
  ]
  for (const [fields, error, status] of wrong) {
    expect({ fields, ...(await answerOf(harness.token(fields))) }).toEqual({ fields, ...refusal(status, error) })
  }
  const resource = 'HTTP://LOCALHOST:7300/api/mcp/'
  expect((await harness.token({ ...right, resource })).status).toBe(200)
})

test('the token endpoint takes forms only, each parameter once, and at most 8 KB (S-30, S-60, RFC 6749 §3.2)', async () => {
  const url = `${harness.publicUrl}/api/oauth/token`
  const send = (body: string, type: string) =>
    Promise.resolve(harness.fetch(url, { method: 'POST', headers: { 'content-type': type }, body }))
  const form = 'application/x-www-form-urlencoded'
  expect(await answerOf(send('{"grant_type":"refresh_token"}', 'application/json'))).toEqual(
    refusal(400, 'invalid_request'),
  )
  expect(await answerOf(send('grant_type=a&client_id=a&client_id=b', form))).toEqual(refusal(400, 'invalid_request'))
  expect(await answerOf(send(`grant_type=${'x'.repeat(9_000)}`, form))).toEqual(refusal(413, 'invalid_request'))
  expect(await answerOf(harness.fetch(url))).toEqual(refusal(405, 'invalid_request'))
  const crossOrigin = await postForm(harness.fetch, url, {}, { origin: 'https://evil.example' })
  expect(crossOrigin.headers.get('access-control-allow-origin')).toBe('*')
  expect(crossOrigin.headers.get('access-control-allow-credentials')).toBeNull()
})
