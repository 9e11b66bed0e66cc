/** A consent form is decided once, whatever the browser does with it. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sha256 } from '../../src/auth/crypto.ts'
import { authorizationCodes } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { formTo, newPkce, type Pkce, postForm, type Visitor } from '../support/oauth.ts'
import { answerOf, authorizePath, createHarness, type Harness, redemption, refusal } from './harness.ts'

let db: TestDatabase
let harness: Harness
let ada: Visitor
let clientId: string
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
  ada = await harness.signedIn()
  clientId = await harness.register()
})
afterAll(() => db.drop())

let pkce: Pkce
let request: string
let codesBefore: number
beforeEach(async () => {
  pkce = newPkce()
  const page = await ada.open(authorizePath({ client_id: clientId, code_challenge: pkce.challenge }))
  request = formTo(page, '/oauth/authorize').controls.find(({ name }) => name === 'request')?.value ?? ''
  codesBefore = (await goodCodes()).length
})

/** Codes that a client could redeem, or has redeemed. */
async function goodCodes() {
  const rows = await db.database.query((orm) => orm.select().from(authorizationCodes))
  return rows.filter(({ redeemedAt, expiresAt }) => redeemedAt !== null || expiresAt.getTime() > Date.now())
}

interface Answer {
  readonly status: number
  /** Where the browser is led, at once or by the page. */
  readonly leadsTo: URL | null
  readonly body: string
}

async function submit(decision: 'allow' | 'deny'): Promise<Answer> {
  const fields = { request, decision }
  const answer = await postForm(harness.fetch, `${harness.publicUrl}/oauth/authorize`, fields, { cookie: ada.cookie() })
  const to = answer.headers.get('location') ?? answer.headers.get('refresh')?.replace(/^0; url=/, '')
  return { status: answer.status, leadsTo: to === undefined ? null : new URL(to), body: await answer.text() }
}

const codeIn = ({ leadsTo }: Answer) => leadsTo?.searchParams.get('code') ?? ''
const redeem = (code: string) => answerOf(harness.token(redemption(clientId, { code, pkce })))
const denied = {
  status: 303,
  leadsTo: expect.objectContaining({ search: expect.stringContaining('error=access_denied') }),
  body: '',
}
const decided = { status: 200, leadsTo: null, body: expect.stringContaining('You can close this window') }

test('submitted again it gives the same code as long as the client waits, and says that the decision has been made', async () => {
  const first = await submit('allow')
  expect(first.status).toBe(303)
  const second = await submit('allow')
  expect(second).toMatchObject({
    status: 200,
    body: expect.stringContaining('The decision has been made'),
  })
  expect(second.leadsTo?.href).toBe(first.leadsTo?.href)
  expect(second.body).toContain(`href="${first.leadsTo?.href.replaceAll('&', '&amp;')}"`)
  expect(await goodCodes()).toHaveLength(codesBefore + 1)
  expect(await redeem(codeIn(second))).toMatchObject({ status: 200 })
})

test('submitted again after its code was redeemed it leads nowhere, and ends nothing', async () => {
  const { body } = await redeem(codeIn(await submit('allow')))
  const { access_token: accessToken } = body as { access_token: string }
  expect(await submit('allow')).toEqual(decided)
  expect(await submit('deny')).toEqual(decided)
  expect(await harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp')).not.toBeNull()
  expect(await goodCodes()).toHaveLength(codesBefore + 1)
})

test('submitted again after its code has expired it leads nowhere', async () => {
  const code = codeIn(await submit('allow'))
  const row = eq(authorizationCodes.codeHash, sha256(code))
  await db.database.query((orm) =>
    orm
      .update(authorizationCodes)
      .set({ expiresAt: new Date(Date.now() - 1) })
      .where(row),
  )
  expect(await submit('allow')).toEqual(decided)
  expect(await redeem(code)).toEqual(refusal(400, 'invalid_grant'))
})

test('of many submits at the same time exactly one makes a code, and all lead to it', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => submit('allow')))
  expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(11)
  expect(new Set(answers.map(codeIn)).size).toBe(1)
  expect(await goodCodes()).toHaveLength(codesBefore + 1)
})

test('a denied form stays denied', async () => {
  expect(await submit('deny')).toEqual(denied)
  expect(await submit('allow')).toEqual(decided)
  expect(await submit('deny')).toEqual(denied)
  expect(await goodCodes()).toHaveLength(codesBefore)
})

test('denied after it was allowed, before the client redeemed the code, it is denied', async () => {
  const code = codeIn(await submit('allow'))
  expect(await submit('deny')).toEqual(denied)
  expect(await redeem(code)).toEqual(refusal(400, 'invalid_grant'))
  expect(await submit('allow')).toEqual(decided)
})

test('where one allows and one denies at the same time, no client is told both and let in', async () => {
  const [allowed, refused] = await Promise.all([submit('allow'), submit('deny')])
  expect(refused).toEqual(denied)
  expect([200, 303]).toContain(allowed.status)
  if (allowed.status === 303) expect(await redeem(codeIn(allowed))).toEqual(refusal(400, 'invalid_grant'))
})

test('the form itself gives no code away', async () => {
  const page = await ada.open(authorizePath({ client_id: clientId, code_challenge: pkce.challenge }))
  expect(page.body).not.toContain('ork_ac_')
  expect(await redeem(request)).toEqual(refusal(400, 'invalid_grant'))
})
