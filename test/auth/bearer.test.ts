import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { sha256 } from '../../src/auth/crypto.ts'
import { accessTokens, grants } from '../../src/auth/schema.ts'
import { newToken } from '../../src/auth/token-format.ts'
import { connect } from '../../src/db/client.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { formTo, postForm, type Visitor } from '../support/oauth.ts'
import { ADA, answerOf, BOB, createHarness, type Harness, refreshing, refusal } from './harness.ts'

let db: TestDatabase
let harness: Harness
let browser: Visitor
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
  browser = await harness.signedIn()
})
afterAll(() => db.drop())

const works = async (token: string, at = harness) => (await at.auth.authenticate(`Bearer ${token}`, 'mcp')) !== null

const call = (endpoint: 'revoke' | 'introspect', fields: Record<string, string>, bearer?: string) =>
  postForm(
    harness.fetch,
    `${harness.publicUrl}/api/oauth/${endpoint}`,
    fields,
    bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
  )

const revoke = (clientId: string, token: string) => call('revoke', { client_id: clientId, token })

test('only a whole, known, unexpired token in the Authorization header is somebody (S-06, S-08, RFC 6750 §2.1)', async () => {
  const { accessToken, refreshToken, consent } = await harness.login(browser)
  const { auth } = harness
  expect(await auth.authenticate(`bearer ${accessToken}`, 'mcp')).not.toBeNull()
  const nobody = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    accessToken,
    `Basic ${accessToken}`,
    `Bearer ${accessToken} x`,
    `Bearer ${accessToken},Bearer ${accessToken}`,
    `Bearer ${accessToken.toUpperCase()}`,
    `Bearer ${newToken('at')}`,
    `Bearer ${refreshToken}`,
    `Bearer ${consent.code}`,
    'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
    `Bearer ${'x'.repeat(100_000)}`,
  ]
  for (const header of nobody) {
    expect({ header, principal: await auth.authenticate(header, 'mcp') }).toEqual({ header, principal: null })
  }
})

test('an expired access token is nobody', async () => {
  const { accessToken } = await harness.login(browser)
  const row = eq(accessTokens.tokenHash, sha256(accessToken))
  await db.database.query((orm) =>
    orm
      .update(accessTokens)
      .set({ expiresAt: new Date(Date.now() - 1_000) })
      .where(row),
  )
  expect(await works(accessToken)).toBe(false)
})

test('revoking a refresh token ends the grant at once here, soon on every replica, and is told (S-09, S-15, RFC 7009 §2.1)', async () => {
  const login = await harness.login(browser)
  const replica = createHarness(db.database)
  const principal = await replica.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp')
  expect(await works(login.accessToken)).toBe(true)
  expect((await revoke(login.clientId, login.refreshToken)).status).toBe(200)
  expect(await works(login.accessToken)).toBe(false)
  expect(harness.revoked.at(-1)).toBe(principal?.grantId)
  expect(await answerOf(harness.token(refreshing(login)))).toEqual(refusal(400, 'invalid_grant'))
  await vi.waitFor(async () => expect(await works(login.accessToken, replica)).toBe(false), { timeout: 5_000 })
})

test('revoking an access token ends that token alone', async () => {
  const login = await harness.login(browser)
  expect(await works(login.accessToken)).toBe(true)
  expect((await revoke(login.clientId, login.accessToken)).status).toBe(200)
  expect(await works(login.accessToken)).toBe(false)
  expect((await harness.token(refreshing(login))).status).toBe(200)
})

test('revoking what is unknown, garbage or somebody else’s is 200 and changes nothing; who asks must be a client (S-15, RFC 7009 §2.2)', async () => {
  const login = await harness.login(browser)
  const other = await harness.register()
  for (const token of [login.accessToken, login.refreshToken, newToken('rt'), 'garbage']) {
    expect((await revoke(other, token)).status).toBe(200)
  }
  expect(await works(login.accessToken)).toBe(true)
  expect((await harness.token(refreshing(login))).status).toBe(200)
  expect(await answerOf(revoke('cl_unknown', login.refreshToken))).toEqual(refusal(401, 'invalid_client'))
  expect(await answerOf(call('revoke', { client_id: other }))).toEqual(refusal(400, 'invalid_request'))
})

test('introspection tells a caller about its own tokens (S-16, RFC 7662 §2.2)', async () => {
  const { accessToken, refreshToken, clientId } = await harness.login(browser)
  const about = (token: string) => answerOf(call('introspect', { token }, accessToken))
  const common = {
    active: true,
    iss: 'http://localhost:7300',
    sub: expect.stringMatching(/^usr_/),
    aud: 'http://localhost:7300/api/mcp',
    client_id: clientId,
    scope: 'mcp:read mcp:write',
    iat: expect.any(Number),
    exp: expect.any(Number),
  }
  expect(await about(accessToken)).toEqual({ status: 200, body: { ...common, token_type: 'Bearer' } })
  expect(await about(refreshToken)).toEqual({ status: 200, body: common })
})

test('introspection answers nobody without a token, and about anything else exactly {"active":false} (S-16, RFC 7662 §2.1)', async () => {
  const mine = await harness.login(browser)
  const sameClientOtherPerson = await harness.login(await harness.signedIn(BOB), { client_id: mine.clientId })
  const samePersonOtherClient = await harness.login(browser)
  const about = (token: string) => answerOf(call('introspect', { token }, mine.accessToken))
  for (const token of [
    sameClientOtherPerson.accessToken,
    samePersonOtherClient.accessToken,
    samePersonOtherClient.refreshToken,
    newToken('at'),
    'garbage',
  ]) {
    expect(await about(token)).toEqual({ status: 200, body: { active: false } })
  }
  const rotated = mine.refreshToken
  await harness.token(refreshing(mine))
  expect(await about(rotated)).toEqual({ status: 200, body: { active: false } })
  const unauthenticated = await call('introspect', { token: mine.accessToken })
  expect(unauthenticated.status).toBe(401)
  expect(unauthenticated.headers.get('www-authenticate')).toBe(harness.auth.challenge(false))
})

test('a person sees their connections and ends one; its tokens are nobody at once (S-40, ASVS 7.5.2)', async () => {
  const ada = await harness.signedIn(ADA)
  const login = await harness.login(ada)
  expect(await works(login.accessToken)).toBe(true)
  const page = await ada.open('/account/connections')
  expect(page.text).toContain('Claude Code')
  expect(page.text).toContain('127.0.0.1:19876')
  const principal = await harness.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp')
  const form = page.forms.find(({ controls }) => controls.some(({ value }) => value === principal?.grantId))
  if (form === undefined) throw new Error('the connection is not listed')
  const after = await ada.submit(page, form)
  expect(new URL(after.url).pathname).toBe('/account/connections')
  expect(after.body).not.toContain(principal?.grantId)
  expect(await works(login.accessToken)).toBe(false)
  expect(harness.revoked.at(-1)).toBe(principal?.grantId)
})

test('nobody ends somebody else’s connection, nor their own without the page’s token (S-33, S-51, ASVS 3.5.1)', async () => {
  const login = await harness.login(browser)
  const grantId = (await harness.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp'))?.grantId ?? ''
  const bob = await harness.signedIn(BOB)
  await harness.login(bob)
  const bobs = await bob.open('/account/connections')
  const csrf = formTo(bobs, '/account/connections').controls.find(({ name }) => name === 'csrf')?.value ?? ''
  const end = (cookie: string, token: string, headers: Record<string, string> = {}) =>
    postForm(
      harness.fetch,
      `${harness.publicUrl}/account/connections`,
      { csrf: token, grantId },
      { cookie, ...headers },
    )
  expect((await end(bob.cookie(), csrf)).status).toBe(303)
  expect((await end(browser.cookie(), csrf)).status).toBe(403)
  expect((await end(browser.cookie(), '')).status).toBe(403)
  expect((await end('', csrf)).headers.get('location')).toMatch(/^\/login\?/)
  expect(await works(login.accessToken)).toBe(true)
})

test('when a grant was last used is written at most once a minute (S-40, ASVS 7.5.2)', async () => {
  const { accessToken } = await harness.login(browser)
  const grantId = (await harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp'))?.grantId ?? ''
  const lastUsed = async () => {
    const rows = await db.database.query((orm) => orm.select().from(grants).where(eq(grants.id, grantId)))
    return rows[0]?.lastUsedAt?.getTime() ?? 0
  }
  const first = await lastUsed()
  expect(first).toBeGreaterThan(0)
  await works(accessToken, createHarness(db.database))
  expect(await lastUsed()).toBe(first)
  const earlier = new Date(first - 61_000)
  await db.database.query((orm) => orm.update(grants).set({ lastUsedAt: earlier }).where(eq(grants.id, grantId)))
  await works(accessToken, createHarness(db.database))
  expect(await lastUsed()).toBeGreaterThanOrEqual(first)
})

test('a call does not wait for a refresh that holds the grant’s lock', async () => {
  const { accessToken } = await harness.login(browser)
  const grantId = (await harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp'))?.grantId ?? ''
  const ofGrant = eq(grants.id, grantId)
  await db.database.query((orm) => orm.update(grants).set({ lastUsedAt: null }).where(ofGrant))
  await db.database.transaction(async (tx) => {
    await tx.select().from(grants).where(ofGrant).for('update')
    expect(await works(accessToken, createHarness(db.database))).toBe(true)
  })
})

test('without a database nobody is let in and nobody is turned away: it is UNAVAILABLE, for OAuth 503 in JSON', async () => {
  const nowhere = connect({ url: 'postgres://nobody@127.0.0.1:9/none' })
  const cut = createHarness(nowhere)
  await expect(cut.auth.authenticate(`Bearer ${newToken('at')}`, 'mcp')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  const answer = await cut.token({ grant_type: 'refresh_token', client_id: 'cl_x', refresh_token: newToken('rt') })
  expect(await answerOf(answer)).toEqual(refusal(503, 'temporarily_unavailable'))
  expect(answer.headers.get('retry-after')).toBe('1')
  const page = await cut.browser().open('/login')
  expect(page.status).toBe(503)
  await nowhere.close()
})
