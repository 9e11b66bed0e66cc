/** The Connections page: what it shows, to whom, and what may be done from it (S-40). */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { grants } from '../../src/auth/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { formTo, postForm, type VisitedPage, type Visitor } from '../support/oauth.ts'
import { ADA, BOB, createHarness, type Harness, type Login } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database)
})
afterAll(() => db.drop())

const grantOf = async ({ accessToken }: Login) =>
  (await harness.auth.authenticate(`Bearer ${accessToken}`, 'mcp'))?.grantId ?? ''
const csrfIn = (page: VisitedPage) =>
  page.forms.flatMap(({ controls }) => controls).find(({ name }) => name === 'csrf')?.value ?? ''
const isSignedIn = async (browser: Visitor) => {
  const request = new Request(`${harness.publicUrl}/`, { headers: { cookie: browser.cookie() } })
  return (await harness.auth.browserUser(request)) !== null
}

test('each connection shows who it is and how far that is known, where it leads, its rights and its times', async () => {
  const ada = await harness.signedIn(ADA)
  const clientId = await harness.register({ client_name: 'Claude “X” Code', redirect_uris: ['http://localhost:1/cb'] })
  const redirect_uri = 'http://localhost:51234/cb'
  await harness.consent(ada, clientId, { redirect_uri, scope: 'mcp:read' }).then(({ code, pkce }) =>
    harness.token({
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      code_verifier: pkce.verifier,
      redirect_uri,
    }),
  )
  const page = await ada.open('/account/connections')
  expect(page.text).toMatch(/“Claude “X” Code” A client that registered itself; nobody has verified its name\./)
  expect(page.text).toMatch(/Goes to localhost:51234 May read Agents now none .* Last used not yet/)
  const times = [...page.body.matchAll(/<time datetime="([^"]+)">([^<]+)<\/time>/g)].map(([, iso = '', text = '']) => ({
    at: new Date(iso).getTime(),
    text,
  }))
  expect(times).toHaveLength(2)
  const [connected, ends] = times
  expect(Math.abs((connected?.at ?? 0) - Date.now())).toBeLessThan(60_000)
  expect((ends?.at ?? 0) - (connected?.at ?? 0)).toBe(90 * 86_400_000)
  expect(connected?.text).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/)
})

test('without any connection the page tells how to make one', async () => {
  const bob = await harness.signedIn(BOB)
  const page = await bob.open('/account/connections')
  expect(page.text).toContain('Nothing is connected.')
  expect(page.links.some(({ href, text }) => new URL(href).pathname === '/' && text === 'start page')).toBe(true)
  expect(page.links.some(({ href }) => href.endsWith('/end'))).toBe(false)
})

test('what has ended is named only to the person whose it was, whatever an address says', async () => {
  const ada = await harness.signedIn(ADA)
  const login = await harness.login(ada)
  const grantId = await grantOf(login)
  const at = (browser: Visitor, ended: string) =>
    browser.open(`/account/connections?${new URLSearchParams({ ended }).toString()}`)
  expect((await at(ada, grantId)).text).not.toContain('no longer connected')
  await db.database.query((orm) => orm.update(grants).set({ revokedAt: new Date() }).where(eq(grants.id, grantId)))
  expect((await at(ada, grantId)).text).toContain('“Claude Code” is no longer connected.')
  const bob = await harness.signedIn(BOB)
  for (const ended of [grantId, 'gr_\0', '<b>All</b>']) {
    const page = await at(bob, ended)
    expect(page.status).toBe(200)
    expect(page.text).not.toContain('no longer connected')
    expect(page.body).not.toContain('<b>')
  }
})

test('only our own page of this very session ends everything or signs other browsers out (S-33, ASVS 3.5.1)', async () => {
  const ada = await harness.signedIn(ADA)
  const login = await harness.login(ada)
  const other = await harness.signedIn(ADA)
  const bob = await harness.signedIn(BOB)
  const bobs = csrfIn(await bob.open('/logout'))
  for (const path of ['/account/connections/end', '/account/browsers']) {
    const post = (cookie: string, csrf: string, headers: Record<string, string> = {}) =>
      postForm(harness.fetch, harness.publicUrl + path, { csrf }, { cookie, ...headers })
    expect((await post(ada.cookie(), '')).status).toBe(403)
    expect((await post(ada.cookie(), bobs)).status).toBe(403)
    expect((await post(ada.cookie(), csrfIn(await other.open('/logout')))).status).toBe(403)
    const own = csrfIn(await ada.open('/logout'))
    expect((await post(ada.cookie(), own, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await post('', own)).headers.get('location')).toMatch(/^\/login\?/)
    expect((await post(bob.cookie(), bobs)).status).toBe(303)
    expect((await harness.fetch(path, { headers: { cookie: ada.cookie() } })).status).toBe(
      path.endsWith('end') ? 200 : 404,
    )
  }
  expect(await grantOf(login)).not.toBe('')
  expect(await isSignedIn(other)).toBe(true)
})

test('signing out everywhere else leaves this browser and other people alone', async () => {
  const [here, there, elsewhere, bob] = [
    await harness.signedIn(ADA),
    await harness.signedIn(ADA),
    await harness.signedIn(ADA),
    await harness.signedIn(BOB),
  ]
  const page = await here.open('/account/connections')
  const after = await here.submit(page, formTo(page, '/account/browsers'))
  expect(after.text).toContain('You are signed in with this browser only.')
  expect(await Promise.all([here, there, elsewhere, bob].map(isSignedIn))).toEqual([true, false, false, true])
})

test('ending all ends those that are too many to list, too, and nobody else’s', async () => {
  const ada = await harness.signedIn(ADA)
  const [mine, bobs] = [await harness.login(ada), await harness.login(await harness.signedIn(BOB))]
  const [row] = await db.database.query(async (orm) =>
    orm
      .select()
      .from(grants)
      .where(eq(grants.id, await grantOf(mine))),
  )
  if (row === undefined) throw new Error('no grant')
  const many = Array.from({ length: 200 }, (_, index) => ({
    ...row,
    id: `gr_many_${index}`,
    createdAt: new Date(Date.now() + 1_000),
  }))
  await db.database.query((orm) => orm.insert(grants).values(many))
  const page = await ada.open('/account/connections')
  expect(page.text).toContain('These are the newest 200; there are more.')
  const preview = await ada.open('/account/connections/end')
  expect(preview.text).toContain('the older ones end, too')
  const before = harness.revoked.length
  const after = await ada.submit(preview, formTo(preview, '/account/connections/end'))
  expect(after.text).toContain('Nothing is connected.')
  expect(harness.revoked.slice(before)).toContain(row.id)
  expect(await grantOf(mine)).toBe('')
  expect(await grantOf(bobs)).not.toBe('')
})
