import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { users } from '../../src/modules/tenancy/schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { listenOnLoopback } from '../support/loopback.ts'
import { formTo } from '../support/oauth.ts'
import {
  type OidcUpstream,
  startOidcUpstream,
  type Tampering,
  throughUpstream,
  upstreamBrowser,
} from '../support/oidc-upstream.ts'
import { ADA, createHarness, type Harness } from './harness.ts'
import { callbacks, cookieOf, enterByOidc, expectRefused, leave, start, whoIs } from './upstream.ts'

let db: TestDatabase
let upstream: OidcUpstream
let harness: Harness
const server = (env: Record<string, string> = {}) =>
  createHarness(db.database, { env: { ...upstream.env, PASSWORDS: 'on', ...env } })
beforeAll(async () => {
  db = await createTestDatabase()
  upstream = await startOidcUpstream(callbacks('oidc'))
  // The first account has rules of its own, which have tests of their own.
  await server().signedIn()
})
beforeEach(() => {
  harness = server()
})
afterEach(() => upstream.tamper(null))
afterAll(async () => {
  await upstream.close()
  await db.drop()
})

const countUsers = async () => (await db.database.query((orm) => orm.select({ id: users.id }).from(users))).length

describe('a person who signs in at an OpenID Connect issuer', () => {
  test('is made a user from its claims, signed in, and goes on where they were going', async () => {
    upstream.people.set('grace', { name: 'Grace Hopper', email: ' Grace@Navy.Example ' })
    const browser = harness.browser()
    const page = await enterByOidc(browser, upstreamBrowser(), 'grace', { next: '/account/connections' })
    expect(new URL(page.url).pathname).toBe('/account/connections')
    expect(await whoIs(harness, browser)).toMatchObject({ name: 'Grace Hopper', email: 'grace@navy.example' })
  })

  test('is the same user the next time, with the name and address that the issuer says then', async () => {
    const first = harness.browser()
    await enterByOidc(first, upstreamBrowser(), 'jean')
    const before = await whoIs(harness, first)
    expect(before).toMatchObject({ name: 'jean', email: 'jean@upstream.example' })
    upstream.people.set('jean', { name: 'Jean Bartik', email: 'bartik@upstream.example' })
    const second = harness.browser()
    await enterByOidc(second, upstreamBrowser(), 'jean')
    const after = await whoIs(harness, second)
    expect(after).toMatchObject({ userId: before?.userId, name: 'Jean Bartik', email: 'bartik@upstream.example' })
  })

  test('is one user also when two first sign-ins end at the same time', async () => {
    const before = await countUsers()
    const answers = await Promise.all(
      [1, 2].map(async () => {
        const begun = await start(harness)
        const back = await throughUpstream(upstreamBrowser(), begun.headers.get('location') ?? '', 'twice')
        return { back, cookie: cookieOf(begun).join('; ') }
      }),
    )
    const ended = await Promise.all(
      answers.map(async ({ back, cookie }) => harness.fetch(back, { headers: { cookie } })),
    )
    expect(ended.map(({ status }) => status)).toEqual([303, 303])
    expect((await countUsers()) - before).toBe(1)
  })

  test('gets a session with a new id; the one that the browser had before is dead (S-36, ASVS 7.2.4)', async () => {
    const planted = (await harness.signedIn()).cookie()
    const begun = await start(harness, { cookie: planted })
    const back = await throughUpstream(upstreamBrowser(), begun.headers.get('location') ?? '', 'fixated')
    const cookie = [planted, ...cookieOf(begun)].join('; ')
    const ended = await harness.fetch(back, { headers: { cookie } })
    expect(ended.status).toBe(303)
    const whose = (session: string) =>
      harness.auth.browserUser(new Request(harness.publicUrl, { headers: { cookie: session } }))
    expect(await whose(planted)).toBeNull()
    expect(await whose(cookieOf(ended).join('; '))).toMatchObject({ email: 'fixated@upstream.example' })
  })

  test('shows a name and an address that nobody can use to deceive, or is told why not', async () => {
    upstream.people.set('mallory', { name: `\u202EAda\u200B <b>Love\u{E0041}lace</b>${'x'.repeat(99)}` })
    const browser = harness.browser()
    await enterByOidc(browser, upstreamBrowser(), 'mallory')
    expect((await whoIs(harness, browser))?.name).toBe(`Ada <b>Lovelace</b>${'x'.repeat(41)}`)
    upstream.people.set('silent', { email: undefined })
    upstream.people.set('odd', { email: 'not an address' })
    for (const login of ['silent', 'odd']) {
      const other = harness.browser()
      const page = await enterByOidc(other, upstreamBrowser(), login)
      await expectRefused(harness, other, page)
      expect(page.text).toContain('did not tell your e-mail address')
    }
  })

  test('who says no there is told that nobody was signed in, and may start again', async () => {
    const browser = harness.browser()
    const back = await throughUpstream(upstreamBrowser(), await leave(browser, 'oidc'), 'ada', 'abort')
    const page = await browser.open(back)
    await expectRefused(harness, browser, page)
    expect(page.links.map(({ href }) => href)).toContain('http://localhost:7300/login?next=%2Fnext')
  })
})

test('only issuer and subject say who it is, never the address: nobody takes over anybody (S-37, ASVS 10.5.2)', async () => {
  const embedded = await harness.signedIn()
  const owner = await whoIs(harness, embedded)
  for (const login of ['first-ada', 'second-ada']) upstream.people.set(login, { email: ADA.email, name: 'Ada' })
  const seen = new Set([owner?.userId])
  for (const login of ['first-ada', 'second-ada']) {
    const browser = harness.browser()
    await enterByOidc(browser, upstreamBrowser(), login)
    const user = await whoIs(harness, browser)
    expect(user?.email).toBe(ADA.email)
    seen.add(user?.userId)
  }
  const elsewhere = await startOidcUpstream(callbacks('oidc'))
  const other = server({ ...elsewhere.env })
  const browser = other.browser()
  await enterByOidc(browser, upstreamBrowser(), 'first-ada')
  seen.add((await whoIs(other, browser))?.userId)
  await elsewhere.close()
  expect(seen.size).toBe(4)
  expect(await whoIs(harness, await harness.signedIn())).toMatchObject({ userId: owner?.userId, name: ADA.name })
})

describe('what does not prove who it is signs nobody in (S-21, ASVS 10.5.1)', () => {
  const past = Math.floor(Date.now() / 1_000) - 3_600
  const cases: [string, string, Tampering][] = [
    ['another issuer', '(issuer)', (claims) => ({ claims: { ...claims, iss: 'https://evil.example' } })],
    ['another audience', '(audience)', (claims) => ({ claims: { ...claims, aud: 'somebody-else' } })],
    [
      'an audience of several, for another party',
      '(authorized party)',
      (claims) => ({ claims: { ...claims, aud: ['orkestrate', 'x'], azp: 'x' } }),
    ],
    ['another nonce', 'nonce', (claims) => ({ claims: { ...claims, nonce: 'another' } })],
    ['no nonce', '(nonce) claim missing', (claims) => ({ claims: { ...claims, nonce: undefined } })],
    ['no subject', '(subject) claim missing', (claims) => ({ claims: { ...claims, sub: undefined } })],
    [
      'a subject that is too long',
      'does not say who you are',
      (claims) => ({ claims: { ...claims, sub: 's'.repeat(256), email: 'a@b.example', name: 'n' } }),
    ],
    ['an expiry that is past', '(expiration time)', (claims) => ({ claims: { ...claims, iat: past - 60, exp: past } })],
    ['a signature by another key', 'signature verification failed', () => ({ forged: true })],
    ['a signature with the client’s secret', 'alg', () => ({ header: { alg: 'HS256' } })],
    ['no signature', 'alg', () => ({ header: { alg: 'none' } })],
  ]
  test('while one that is signed again unchanged does: the cases below differ in one thing each', async () => {
    upstream.tamper(() => ({}))
    const browser = harness.browser()
    await enterByOidc(browser, upstreamBrowser(), 'unchanged')
    expect(await whoIs(harness, browser)).not.toBeNull()
  })

  test.each(cases)('%s in the ID token', async (_name, why, change) => {
    const before = await countUsers()
    upstream.tamper(change)
    const browser = harness.browser()
    const page = await enterByOidc(browser, upstreamBrowser(), 'eve')
    await expectRefused(harness, browser, page)
    expect(await countUsers()).toBe(before)
    expect(harness.lines.at(-1)?.facts).toMatchObject({ upstream: 'oidc', fault: 'refused' })
    expect(JSON.stringify(harness.lines.at(-1))).toContain(why)
  })

  test('an answer of another issuer than the one that was asked (S-21, RFC 9207 §2.4)', async () => {
    const browser = harness.browser()
    const back = new URL(await throughUpstream(upstreamBrowser(), await leave(browser, 'oidc'), 'eve'))
    back.searchParams.set('iss', 'https://evil.example')
    await expectRefused(harness, browser, await browser.open(back.href))
    expect(JSON.stringify(harness.lines.at(-1))).toContain('(issuer)')
  })

  test('a code that was never given out', async () => {
    const browser = harness.browser()
    const back = new URL(await throughUpstream(upstreamBrowser(), await leave(browser, 'oidc'), 'eve'))
    back.searchParams.set('code', 'invented')
    await expectRefused(harness, browser, await browser.open(back.href))
    expect(JSON.stringify(harness.lines.at(-1))).toContain('invalid_grant')
  })
})

describe('an issuer that is away', () => {
  test('is said on the sign-in page of a server that starts nevertheless, until it is back', async () => {
    const issuer = await startOidcUpstream(callbacks('oidc'))
    await issuer.close()
    const lonely = server({ ...issuer.env })
    const page = await lonely.browser().open('/login')
    expect(page.status).toBe(200)
    expect(page.text).toContain(`${new URL(issuer.issuer).host} cannot be reached just now. Try again in a moment.`)
    expect(page.body).not.toContain('value="oidc"')
    // Whoever has a password comes in meanwhile.
    expect(formTo(page, '/login').buttons).toHaveLength(1)
    const pressed = await start(lonely)
    expect(pressed.status).toBe(503)
    expect(await pressed.text()).toContain('cannot be reached')
    await issuer.open()
    await vi.waitFor(async () => expect((await lonely.browser().open('/login')).body).toContain('value="oidc"'), 10_000)
    await issuer.close()
  })

  test('and accepts connections without a word makes nobody wait for the page', async () => {
    const mute = await listenOnLoopback()
    const waiting = server({ OIDC_ISSUER: mute.origin })
    const began = performance.now()
    const page = await waiting.browser().open('/login')
    expect(page.text).toContain('cannot be reached just now')
    expect(performance.now() - began).toBeLessThan(4_000)
    await mute.close()
  })

  test('while somebody is there is told when they come back', async () => {
    const issuer = await startOidcUpstream(callbacks('oidc'))
    const local = server({ ...issuer.env })
    const browser = local.browser()
    const back = await throughUpstream(upstreamBrowser(), await leave(browser, 'oidc'), 'ada')
    await issuer.close()
    const page = await browser.open(back)
    await expectRefused(local, browser, page, 503)
    expect(page.text).toContain('cannot be reached just now')
  })
})

describe('what whoever runs the server has to mend', () => {
  test('a client secret that the issuer does not know', async () => {
    const wrong = server({ OIDC_CLIENT_SECRET: 'not the secret' })
    const browser = wrong.browser()
    const page = await enterByOidc(browser, upstreamBrowser(), 'ada')
    await expectRefused(wrong, browser, page, 503)
    expect(page.text).toContain('OIDC_CLIENT_SECRET')
    expect(JSON.stringify(wrong.lines)).not.toContain('not the secret')
  })

  test('an issuer that is none, says too little, or says that it is another', async () => {
    const other = await listenOnLoopback()
    const answers = [
      { status: 404, body: 'not found' },
      { status: 200, body: JSON.stringify({ issuer: other.origin }) },
      {
        status: 200,
        body: JSON.stringify({ issuer: 'https://evil.example', authorization_endpoint: `${other.origin}/a` }),
      },
    ]
    for (const { status, body } of answers) {
      other.answer((_request, response) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(body)
      })
      const wrong = server({ OIDC_ISSUER: other.origin })
      expect((await wrong.browser().open('/login')).text).toContain('checks OIDC_ISSUER')
      expect(wrong.lines.map(({ level }) => level)).toContain('warn')
    }
    await other.close()
  })

  test('the secret goes into the body where the issuer takes it there only', async () => {
    const other = await listenOnLoopback()
    const received: string[] = []
    other.answer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        if (request.url === '/token')
          received.push(`${request.headers.authorization} ${Buffer.concat(chunks).toString()}`)
        const metadata = {
          issuer: other.origin,
          authorization_endpoint: `${other.origin}/authorize`,
          token_endpoint: `${other.origin}/token`,
          token_endpoint_auth_methods_supported: ['client_secret_post'],
        }
        const [status, body] = request.url === '/token' ? [400, { error: 'invalid_grant' }] : [200, metadata]
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      })
    })
    const local = server({ OIDC_ISSUER: other.origin })
    const begun = await start(local)
    const state = new URL(begun.headers.get('location') ?? '').searchParams.get('state') ?? ''
    const back = `/auth/callback/oidc?${new URLSearchParams({ state, code: 'c' }).toString()}`
    expect((await local.fetch(back, { headers: { cookie: cookieOf(begun).join('; ') } })).status).toBe(400)
    expect(received).toEqual([expect.stringMatching(/^undefined .*client_secret=/)])
    await other.close()
  })
})
