import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256 } from '../../src/auth/crypto.ts'
import { grants, refreshTokens } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { tokensOf, type Visitor } from '../support/oauth.ts'
import { answerOf, createHarness, type Harness, type Login, refreshing, refusal } from './harness.ts'

let db: TestDatabase
let harness: Harness
let browser: Visitor
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
  browser = await harness.signedIn()
})
afterAll(() => db.drop())

const refresh = async (login: Login, refreshToken = login.refreshToken, more: Record<string, string> = {}) =>
  harness.token({ ...refreshing({ clientId: login.clientId, refreshToken }), ...more })

const works = async (accessToken: string) => (await harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp')) !== null

/** As if the rotation of this token had happened so many seconds earlier. */
async function ageRotation(token: string, seconds: number): Promise<void> {
  const row = eq(refreshTokens.tokenHash, sha256(token))
  await db.database.query(async (orm) => {
    const [stored] = await orm.select().from(refreshTokens).where(row)
    const rotatedAt = new Date((stored?.rotatedAt?.getTime() ?? 0) - seconds * 1_000)
    await orm.update(refreshTokens).set({ rotatedAt }).where(row)
  })
}

test('ten processes refreshing one token at once all get the same successor, and all of them work (S-26, RFC 9700 §4.14.2)', async () => {
  const login = await harness.login(browser)
  const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(login)))
  const issued = await Promise.all(answers.map(tokensOf))
  expect(new Set(issued.map(({ refreshToken }) => refreshToken)).size).toBe(1)
  expect(new Set(issued.map(({ accessToken }) => accessToken)).size).toBe(10)
  for (const { accessToken } of issued) expect(await works(accessToken)).toBe(true)
  expect(await works(login.accessToken)).toBe(true)
})

test('a lost answer does no harm: the same token asked again, on another replica, gets the same successor (S-27, RFC 9700 §4.14.2)', async () => {
  const login = await harness.login(browser)
  const first = await tokensOf(await refresh(login))
  const replica = createHarness(db.database)
  const second = await tokensOf(await replica.token(refreshing(login)))
  expect(second.refreshToken).toBe(first.refreshToken)
  expect((await refresh(login, first.refreshToken)).status).toBe(200)
})

test('just before the grace ends the predecessor still works; after it the whole grant ends (S-25, S-26, RFC 9700 §4.14.2)', async () => {
  const login = await harness.login(browser)
  const { refreshToken: successor, accessToken } = await tokensOf(await refresh(login))
  await ageRotation(login.refreshToken, 50)
  expect((await refresh(login)).status).toBe(200)
  await ageRotation(login.refreshToken, 11)
  expect(await answerOf(refresh(login))).toEqual(refusal(400, 'invalid_grant'))
  expect(await answerOf(refresh(login, successor))).toEqual(refusal(400, 'invalid_grant'))
  for (const token of [login.accessToken, accessToken]) expect(await works(token)).toBe(false)
})

test('an older generation than the predecessor ends the grant, even within the grace (S-25, RFC 9700 §4.14.2)', async () => {
  const login = await harness.login(browser)
  const told = harness.revoked.length
  const second = await tokensOf(await refresh(login))
  const third = await tokensOf(await refresh(login, second.refreshToken))
  expect(await answerOf(refresh(login))).toEqual(refusal(400, 'invalid_grant'))
  for (const token of [second.refreshToken, third.refreshToken]) {
    expect(await answerOf(refresh(login, token))).toEqual(refusal(400, 'invalid_grant'))
  }
  expect(await works(third.accessToken)).toBe(false)
  expect(harness.revoked.length - told).toBe(1)
  expect(harness.lines.some(({ level, message }) => level === 'warn' && message.includes('refresh token'))).toBe(true)
})

test('while somebody reuses an old token nobody else can refresh past it: the race ends in a dead grant', async () => {
  const login = await harness.login(browser)
  const second = await tokensOf(await refresh(login))
  const third = await tokensOf(await refresh(login, second.refreshToken))
  await Promise.all([refresh(login), refresh(login, third.refreshToken), refresh(login)])
  expect(await works(login.accessToken)).toBe(false)
  expect(await answerOf(refresh(login, third.refreshToken))).toEqual(refusal(400, 'invalid_grant'))
})

test('a refresh token is worth nothing to another client, and its attempt ends nothing (S-24, RFC 6749 §10.4)', async () => {
  const login = await harness.login(browser)
  const thief = await harness.register()
  const stolen = harness.token(refreshing({ clientId: thief, refreshToken: login.refreshToken }))
  expect(await answerOf(stolen)).toEqual(refusal(400, 'invalid_grant'))
  expect((await refresh(login)).status).toBe(200)
})

test('refreshing never widens: fewer scopes are given, more are refused, the next refresh may ask for all again (S-24, RFC 6749 §6)', async () => {
  const login = await harness.login(browser, { scope: 'mcp:read' })
  expect(login.scope).toBe('mcp:read')
  expect(await answerOf(refresh(login, undefined, { scope: 'mcp:read mcp:write' }))).toEqual(
    refusal(400, 'invalid_scope'),
  )
  const full = await harness.login(browser)
  const narrow = await tokensOf(await refresh(full, undefined, { scope: 'mcp:read' }))
  expect((await harness.auth.authenticate(`Bearer ${narrow.accessToken}`, 'mcp'))?.scopes).toEqual(['mcp:read'])
  const wide = await tokensOf(await refresh(full, narrow.refreshToken, { scope: 'mcp:read mcp:write' }))
  expect(wide.scope).toBe('mcp:read mcp:write')
})

test('another resource than the granted one is invalid_target (S-07, RFC 8707 §2.2)', async () => {
  const login = await harness.login(browser)
  const elsewhere = refresh(login, undefined, { resource: `${harness.publicUrl}/api` })
  expect(await answerOf(elsewhere)).toEqual(refusal(400, 'invalid_target'))
  expect((await refresh(login, undefined, { resource: `${harness.publicUrl}/api/mcp` })).status).toBe(200)
})

test('a refresh token dies unused after 30 days and a grant after 90, however often it was refreshed (S-24, RFC 9700 §4.14.2)', async () => {
  const idle = await harness.login(browser)
  const [token] = await db.database.query((orm) =>
    orm
      .select()
      .from(refreshTokens)
      .where(eq(refreshTokens.tokenHash, sha256(idle.refreshToken))),
  )
  expect((token?.expiresAt.getTime() ?? 0) - (token?.issuedAt.getTime() ?? 0)).toBe(30 * 86_400_000)
  await db.database.query((orm) =>
    orm
      .update(refreshTokens)
      .set({ expiresAt: new Date(0) })
      .where(eq(refreshTokens.tokenHash, sha256(idle.refreshToken))),
  )
  expect(await answerOf(refresh(idle))).toEqual(refusal(400, 'invalid_grant'))

  const old = await harness.login(browser)
  const principal = await harness.auth.authenticate(`Bearer ${old.accessToken}`, 'mcp')
  const ofGrant = eq(grants.id, principal?.grantId ?? '')
  const [grant] = await db.database.query((orm) => orm.select().from(grants).where(ofGrant))
  expect((grant?.expiresAt.getTime() ?? 0) - (grant?.createdAt.getTime() ?? 0)).toBe(90 * 86_400_000)
  const inTenMinutes = new Date(Date.now() + 600_000)
  await db.database.query((orm) => orm.update(grants).set({ expiresAt: inTenMinutes }).where(ofGrant))
  const answer = await answerOf(refresh(old))
  expect(answer.body).toMatchObject({ expires_in: expect.closeTo(590, -2) })
  await db.database.query((orm) =>
    orm
      .update(grants)
      .set({ expiresAt: new Date(0) })
      .where(ofGrant),
  )
  expect(await answerOf(refresh(old))).toEqual(refusal(400, 'invalid_grant'))
})

test('no other fault of the request hides that an old token came back, and a refused request rotates nothing', async () => {
  const login = await harness.login(browser, { scope: 'mcp:read' })
  const tooMuch = { scope: 'mcp:read mcp:write' }
  expect(await answerOf(refresh(login, undefined, tooMuch))).toEqual(refusal(400, 'invalid_scope'))
  const second = await tokensOf(await refresh(login))
  const third = await tokensOf(await refresh(login, second.refreshToken))
  expect(await answerOf(refresh(login, undefined, tooMuch))).toEqual(refusal(400, 'invalid_grant'))
  expect(await works(third.accessToken)).toBe(false)
})

test('of all sealed successors only the current predecessor’s is kept', async () => {
  const login = await harness.login(browser)
  const second = await tokensOf(await refresh(login))
  await refresh(login, second.refreshToken)
  const rows = await db.database.query((orm) =>
    orm
      .select({ sealed: refreshTokens.sealedSuccessor })
      .from(refreshTokens)
      .where(eq(refreshTokens.tokenHash, sha256(login.refreshToken))),
  )
  expect(rows).toEqual([{ sealed: null }])
})
