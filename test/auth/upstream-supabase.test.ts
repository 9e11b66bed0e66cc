import { generateKeyPair } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { users } from '../../src/modules/tenancy/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type Forgery, type GoTrue, startGoTrue } from '../support/gotrue.ts'
import { upstreamBrowser } from '../support/oidc-upstream.ts'
import { ADA, createHarness, type Harness } from './harness.ts'
import { callbacks, enterBySupabase, expectRefused, leave, throughGoogle, whoIs } from './upstream.ts'

let db: TestDatabase
let project: GoTrue
let harness: Harness
const server = (env: Record<string, string> = {}) =>
  createHarness(db.database, { env: { ...project.env, PASSWORDS: 'on', ...env } })
beforeAll(async () => {
  db = await createTestDatabase()
  project = await startGoTrue(callbacks('supabase'))
  await server().signedIn()
})
beforeEach(() => {
  harness = server()
})
afterEach(() => {
  project.forge(null)
  project.fail(null)
  project.refuse(null)
})
afterAll(async () => {
  await project.close()
  await db.drop()
})

const countUsers = async () => (await db.database.query((orm) => orm.select({ id: users.id }).from(users))).length

describe('a person who signs in with Google through Supabase', () => {
  test('is sent there as GoTrue expects it, and made a user from the verified token', async () => {
    project.people.set('grace@gmail.example', {
      id: 'b6c1c5a8-7f6a-4a5e-9a51-0f7f6d1c2a11',
      email: 'grace@gmail.example',
      metadata: { full_name: 'Grace \u202EHopper', name: 'ignored' },
    })
    const browser = harness.browser()
    const away = new URL(await leave(browser, 'supabase', { next: '/account/password' }))
    expect(away.origin + away.pathname).toBe(`${project.url}/auth/v1/authorize`)
    expect(Object.fromEntries(away.searchParams)).toEqual({
      provider: 'google',
      redirect_to: 'http://localhost:7300/auth/callback/supabase',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 's256',
    })
    const page = await browser.open(await throughGoogle(upstreamBrowser(), away.href, 'grace@gmail.example'))
    expect(new URL(page.url).pathname).toBe('/account/password')
    expect(page.text).toContain('you sign in with Google')
    expect(await whoIs(harness, browser)).toMatchObject({ name: 'Grace Hopper', email: 'grace@gmail.example' })
  })

  test('is the same user the next time, by the id that the project has for them, under a new address too', async () => {
    const first = harness.browser()
    await enterBySupabase(first, upstreamBrowser(), 'jean@gmail.example')
    const before = await whoIs(harness, first)
    const known = project.people.get('jean@gmail.example')
    project.people.set('bartik@gmail.example', { id: known?.id ?? '', email: 'bartik@gmail.example' })
    const second = harness.browser()
    await enterBySupabase(second, upstreamBrowser(), 'bartik@gmail.example')
    const after = await whoIs(harness, second)
    expect(after).toMatchObject({ userId: before?.userId, email: 'bartik@gmail.example' })
  })

  test('is not the person who has that address here with a password (S-37, ASVS 10.5.2)', async () => {
    const owner = await whoIs(harness, await harness.signedIn())
    const browser = harness.browser()
    await enterBySupabase(browser, upstreamBrowser(), ADA.email)
    const other = await whoIs(harness, browser)
    expect(other?.email).toBe(ADA.email)
    expect(other?.userId).not.toBe(owner?.userId)
  })

  test.each(['ES256', 'RS256'] as const)('is known under a new signing key at once (%s)', async (algorithm) => {
    await enterBySupabase(harness.browser(), upstreamBrowser(), 'rotating@gmail.example')
    await project.rotate(algorithm)
    const browser = harness.browser()
    await enterBySupabase(browser, upstreamBrowser(), 'rotating@gmail.example')
    expect(await whoIs(harness, browser)).toMatchObject({ email: 'rotating@gmail.example' })
  })
})

describe('what does not prove who it is signs nobody in', () => {
  const past = Math.floor(Date.now() / 1_000) - 3_600
  const cases: [string, string, () => Forgery | Promise<Forgery>][] = [
    ['another issuer', '"iss"', () => ({ claims: { iss: 'https://evil.supabase.example/auth/v1' } })],
    ['another audience', '"aud"', () => ({ claims: { aud: 'anon' } })],
    ['no audience', '"aud"', () => ({ claims: { aud: undefined } })],
    ['an expiry that is past', '"exp"', () => ({ claims: { exp: past } })],
    ['no expiry', '"exp"', () => ({ claims: { exp: undefined } })],
    ['no subject', '"sub"', () => ({ claims: { sub: undefined } })],
    ['no e-mail address', 'did not tell your e-mail', () => ({ claims: { email: '' } })],
    [
      'a key that is not published',
      'a key that it has not published',
      async () => {
        const { privateKey } = await generateKeyPair('ES256')
        return { key: privateKey, header: { alg: 'ES256', kid: 'invented' } }
      },
    ],
    [
      'a published key’s name with another key',
      'signature verification failed',
      async () => {
        return { key: (await generateKeyPair('ES256')).privateKey, header: { alg: 'ES256' } }
      },
    ],
    [
      'another algorithm',
      'alg',
      async () => {
        return { key: (await generateKeyPair('ES384')).privateKey, header: { alg: 'ES384' } }
      },
    ],
  ]
  test.each(cases)('%s', async (name, why, forge) => {
    if (name.startsWith('a published')) await project.rotate('ES256')
    const before = await countUsers()
    project.forge(await forge())
    const browser = harness.browser()
    const page = await enterBySupabase(browser, upstreamBrowser(), 'eve@gmail.example')
    await expectRefused(harness, browser, page)
    expect(await countUsers()).toBe(before)
    expect(harness.lines.at(-1)?.facts).toMatchObject({ upstream: 'supabase', fault: 'refused' })
    expect(JSON.stringify(harness.lines.at(-1))).toContain(why.replaceAll('"', '\\"'))
  })

  test('somebody else’s code in this browser: its verifier does not fit (S-34, RFC 9700 §4.7.1)', async () => {
    const [victim, thief] = [harness.browser(), harness.browser()]
    const back = await throughGoogle(upstreamBrowser(), await leave(thief, 'supabase'), 'thief@gmail.example')
    await leave(victim, 'supabase')
    await expectRefused(harness, victim, await victim.open(back))
    expect(JSON.stringify(harness.lines.at(-1))).toContain('bad_code_verifier')
    const blank = harness.browser()
    await expectRefused(harness, blank, await blank.open(back))
  })

  test('a code that was used, also where the cookie is kept by hand, and none or two codes', async () => {
    const browser = harness.browser()
    const back = await throughGoogle(upstreamBrowser(), await leave(browser, 'supabase'), 'once@gmail.example')
    const cookie = browser.cookie()
    await browser.open(back)
    expect((await harness.fetch(back, { headers: { cookie } })).status).toBe(400)
    for (const query of ['', '?code=a&code=b', '?code=invented']) {
      const other = harness.browser()
      await leave(other, 'supabase')
      await expectRefused(harness, other, await other.open(`/auth/callback/supabase${query}`))
    }
  })
})

describe('what GoTrue refuses is told in our own words', () => {
  test('the person who says no at Google', async () => {
    const browser = harness.browser()
    const away = await leave(browser, 'supabase')
    const page = await browser.open(await throughGoogle(upstreamBrowser(), away, 'ada@gmail.example', 'Cancel'))
    await expectRefused(harness, browser, page)
    expect(page.text).toContain('You were not signed in with Google.')
  })

  test.each([
    ['access_denied', 'signup_disabled', 'takes no new people'],
    ['access_denied', 'user_banned', 'has banned you'],
    ['access_denied', 'provider_email_needs_verification', 'has not verified your e-mail address'],
    ['server_error', 'unexpected_failure', 'You were not signed in with Google.'],
    ['server_error', undefined, 'You were not signed in with Google.'],
  ])('%s, %s', async (error, errorCode, told) => {
    const description = '<img src=x onerror=alert(1)> Call us at once'
    project.refuse({ error, description, ...(errorCode !== undefined && { errorCode }) })
    const browser = harness.browser()
    const page = await enterBySupabase(browser, upstreamBrowser(), 'ada@gmail.example')
    await expectRefused(harness, browser, page)
    expect(page.text).toContain(told)
    expect(page.body).not.toContain('Call us')
  })
})

describe('what whoever runs the server has to mend, or wait for', () => {
  test('a project that was never migrated says so before anybody leaves, and what to do', async () => {
    const old = await startGoTrue(callbacks('supabase'))
    old.legacy()
    const local = server({ ...old.env })
    const page = await local.browser().open('/login')
    expect(page.text).toContain('shared legacy secret (HS256)')
    expect(page.text).toContain('Project Settings, JWT Keys')
    expect(page.body).not.toContain('value="supabase"')
    expect(local.lines[0]).toMatchObject({ level: 'warn', facts: { upstream: 'supabase', fault: 'misconfigured' } })
    await old.close()
  })

  test('a project that was migrated and still signs with the old secret is refused with the same words', async () => {
    const half = await startGoTrue(callbacks('supabase'))
    const local = server({ ...half.env })
    const browser = local.browser()
    half.forge({ header: { alg: 'HS256' }, key: new Uint8Array(40) })
    const page = await enterBySupabase(browser, upstreamBrowser(), 'ada@gmail.example')
    await expectRefused(local, browser, page, 503)
    expect(page.text).toContain('shared legacy secret (HS256)')
    await half.close()
  })

  test('a key that the project does not know', async () => {
    const wrong = server({ SUPABASE_ANON_KEY: 'sb_publishable_wrong' })
    const browser = wrong.browser()
    const page = await enterBySupabase(browser, upstreamBrowser(), 'ada@gmail.example')
    await expectRefused(wrong, browser, page, 503)
    expect(page.text).toContain('SUPABASE_ANON_KEY')
    expect(JSON.stringify(wrong.lines)).not.toContain('sb_publishable_wrong')
  })

  test.each([429, 500, 502, 503])('a project that answers %i', async (status) => {
    const browser = harness.browser()
    const back = await throughGoogle(upstreamBrowser(), await leave(browser, 'supabase'), 'ada@gmail.example')
    project.fail(status)
    const page = await browser.open(back)
    await expectRefused(harness, browser, page, 503)
    expect(page.text).toContain('cannot be reached just now')
    expect((await server().browser().open('/login')).text).toContain('cannot be reached just now')
  })

  test('and does not keep anybody from the other ways in', async () => {
    project.fail(503)
    const browser = await server().signedIn()
    expect(await whoIs(harness, browser)).toMatchObject({ email: ADA.email })
  })
})
