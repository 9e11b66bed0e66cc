import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { identities } from '../../src/auth/schema.ts'
import { accountLog } from '../support/account-log.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type GoTrue, startGoTrue } from '../support/gotrue.ts'
import { formTo, type VisitedPage, type Visitor } from '../support/oauth.ts'
import { type OidcUpstream, startOidcUpstream, throughUpstream, upstreamBrowser } from '../support/oidc-upstream.ts'
import { ADA, BOB, createHarness, type Harness } from './harness.ts'
import { callbacks, enterByOidc, enterBySupabase, throughGoogle, whoIs } from './upstream.ts'

let db: TestDatabase
let oidc: OidcUpstream
let supabase: GoTrue
let harness: Harness
const server = (env: Record<string, string> = {}) =>
  createHarness(db.database, { env: { ...oidc.env, ...supabase.env, PASSWORDS: 'on', ...env } })
beforeAll(async () => {
  db = await createTestDatabase()
  oidc = await startOidcUpstream(callbacks('oidc'))
  supabase = await startGoTrue(callbacks('supabase'))
})
beforeEach(() => {
  harness = server()
})
afterAll(async () => {
  await oidc.close()
  await supabase.close()
  await db.drop()
})

const PAGE = '/account/password'
const person = (name: string) => ({ ...ADA, name, email: `${name.toLowerCase()}@example.org` })

/** Fills in the form that adds a way in. @returns the upstream's address, or the page that says why not. */
async function startAdding(browser: Visitor, id: 'oidc' | 'supabase', current?: string): Promise<VisitedPage> {
  const page = await browser.open(PAGE)
  return browser.submit(page, formTo(page, `${PAGE}/add`), current === undefined ? {} : { current }, `upstream=${id}`)
}

async function addOidc(browser: Visitor, login: string, current?: string): Promise<VisitedPage> {
  const away = await startAdding(browser, 'oidc', current)
  return browser.open(await throughUpstream(upstreamBrowser(), away.leftTo ?? 'none:', login))
}

describe('adding another way in (S-37, ASVS 10.5.2)', () => {
  test('to an account with a password: it signs in to the same user, whose name and address stay', async () => {
    const browser = await harness.signedIn(person('Ada'))
    const user = await whoIs(harness, browser)
    const page = await addOidc(browser, 'ada-at-work', ADA.password)
    expect(new URL(page.url).pathname).toBe(PAGE)
    expect(page.text).toContain('ada-at-work@upstream.example')
    await addOidc(browser, 'ada-at-work', ADA.password)
    const log = await accountLog(db.database, user?.userId ?? '')
    const added = { type: 'identity.added', payload: { issuer: oidc.env['OIDC_ISSUER'], address: 'unknown' } }
    expect(log.filter(({ type }) => type.startsWith('identity.'))).toMatchObject([added])
    const other = harness.browser()
    await enterByOidc(other, upstreamBrowser(), 'ada-at-work')
    expect(await whoIs(harness, other)).toMatchObject({ userId: user?.userId, name: 'Ada', email: 'ada@example.org' })
  })

  test('to a user of one upstream, a second one: both are the same user, named by the first', async () => {
    const browser = harness.browser()
    await enterBySupabase(browser, upstreamBrowser(), 'grace@gmail.example')
    const user = await whoIs(harness, browser)
    await addOidc(browser, 'grace-at-work')
    const other = harness.browser()
    await enterByOidc(other, upstreamBrowser(), 'grace-at-work')
    expect(await whoIs(harness, other)).toMatchObject({ userId: user?.userId, email: 'grace@gmail.example' })
  })

  test('needs the password, not only the session', async () => {
    const browser = await harness.signedIn(person('Eve'))
    const refused = await startAdding(browser, 'oidc', 'not the password')
    expect(refused.status).toBe(400)
    expect(refused.leftTo).toBeUndefined()
    expect(refused.text).toContain('The current password is not right.')
    // The page asks for it twice, for two things.
    const ids = [...refused.body.matchAll(/ id="([^"]+)"/g)].map((match) => match[1])
    expect(ids.filter((id) => id?.startsWith('field-current'))).toHaveLength(2)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('happens in the session that asked for it alone', async () => {
    const browser = await harness.signedIn(person('Trent'))
    const away = await startAdding(browser, 'oidc', ADA.password)
    const back = await throughUpstream(upstreamBrowser(), away.leftTo ?? '', 'trent-at-work')
    const trip =
      browser
        .cookie()
        .split('; ')
        .find((pair) => pair.startsWith('ork_trip')) ?? ''
    const mallory = await harness.signedIn(person('Mallory'))
    const answer = await harness.fetch(back, { headers: { cookie: `${mallory.cookie()}; ${trip}` } })
    expect(answer.status).toBe(400)
    const rows = await db.database.query((orm) => orm.select().from(identities))
    expect(rows.map(({ subject }) => subject)).not.toContain('trent-at-work')
  })

  test('takes nothing from another user, who is told to sign in with it instead', async () => {
    const owner = harness.browser()
    await enterByOidc(owner, upstreamBrowser(), 'owned')
    const before = await whoIs(harness, owner)
    const browser = await harness.signedIn(person('Wendy'))
    const page = await addOidc(browser, 'owned', ADA.password)
    expect(page.status).toBe(409)
    expect(page.text).toContain('belongs to another account')
    const again = harness.browser()
    await enterByOidc(again, upstreamBrowser(), 'owned')
    expect((await whoIs(harness, again))?.userId).toBe(before?.userId)
  })

  test('a second time changes nothing', async () => {
    const browser = await harness.signedIn(person('Vera'))
    for (const _ of [1, 2]) expect((await addOidc(browser, 'vera-at-work', ADA.password)).status).toBe(200)
    const rows = await db.database.query((orm) => orm.select().from(identities))
    expect(rows.filter(({ subject }) => subject === 'vera-at-work')).toHaveLength(1)
  })

  test('is what SIGNUP=closed does not forbid: nobody new comes', async () => {
    const browser = await harness.signedIn(person('Olga'))
    const shut = server({ SIGNUP: 'closed' })
    const same = shut.browser()
    const page = await same.open('/login')
    await same.submit(page, formTo(page, '/login'), { email: 'olga@example.org', password: ADA.password })
    expect((await addOidc(same, 'olga-at-work', ADA.password)).text).toContain('olga-at-work')
    expect(await whoIs(harness, browser)).not.toBeNull()
  })
})

describe('taking one away', () => {
  const remove = async (browser: Visitor, index = 0) => {
    const page = await browser.open(PAGE)
    const form = page.forms.filter(({ action }) => action.endsWith('/remove'))[index]
    return form === undefined ? null : browser.submit(page, form)
  }

  test('ends that way in and no other', async () => {
    const browser = await harness.signedIn(person('Peggy'))
    const user = await whoIs(harness, browser)
    await addOidc(browser, 'peggy-at-work', ADA.password)
    expect((await remove(browser))?.text).not.toContain('peggy-at-work')
    const other = harness.browser()
    await enterByOidc(other, upstreamBrowser(), 'peggy-at-work')
    expect((await whoIs(harness, other))?.userId).not.toBe(user?.userId)
  })

  test('is not offered for the only one, and refused where a password that nobody can use is the other', async () => {
    const browser = harness.browser()
    await enterByOidc(browser, upstreamBrowser(), 'lonely')
    expect(await remove(browser)).toBeNull()

    const both = await harness.signedIn(person('Walter'))
    await addOidc(both, 'walter-at-work', ADA.password)
    const page = await both.open(PAGE)
    const form = page.forms.find(({ action }) => action.endsWith('/remove'))
    if (form === undefined) throw new Error(page.text)
    const off = server({ PASSWORDS: 'off' })
    const fields = Object.fromEntries(form.controls.map(({ name, value }) => [name, value]))
    const answer = await off.fetch(`${PAGE}/remove`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: both.cookie() },
      body: new URLSearchParams(fields).toString(),
    })
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('It is your only way to sign in.')
  })

  test('of two at the same time one stays', async () => {
    const browser = harness.browser()
    await enterByOidc(browser, upstreamBrowser(), 'racer')
    const away = await startAdding(browser, 'supabase')
    await browser.open(await throughGoogle(upstreamBrowser(), away.leftTo ?? '', 'racer@gmail.example'))
    const page = await browser.open(PAGE)
    const forms = page.forms.filter(({ action }) => action.endsWith('/remove'))
    expect(forms).toHaveLength(2)
    const answers = await Promise.all(forms.map((form) => browser.submit(page, form)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400]))
    const user = await whoIs(harness, browser)
    const rows = await db.database.query((orm) => orm.select().from(identities))
    expect(rows.filter(({ userId }) => userId === user?.userId)).toHaveLength(1)
  })

  test('is for one’s own alone, and for our own page', async () => {
    const owner = await harness.signedIn(person('Carol'))
    await addOidc(owner, 'carol-at-work', ADA.password)
    const thief = await harness.signedIn(BOB)
    const page = await thief.open(PAGE)
    const csrf = formTo(page, PAGE).controls.find(({ name }) => name === 'csrf')?.value ?? ''
    const post = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
      harness.fetch(`${PAGE}/remove`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: thief.cookie(), ...headers },
        body: new URLSearchParams({ issuer: oidc.issuer, subject: 'carol-at-work', ...fields }).toString(),
      })
    expect((await post({ csrf })).status).toBe(303)
    expect((await post({})).status).toBe(403)
    expect((await post({ csrf }, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await owner.open(PAGE)).text).toContain('carol-at-work')
  })
})
