/**
 * Sign-in as people go through it, in a real Chromium on a real server: from the client's request to its callback with
 * the keyboard alone, what a second click does, the Connections page, and every page that says why it cannot go on.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { newToken } from '../../src/auth/token-format.ts'
import { connect } from '../../src/db/client.ts'
import { authorizePath } from '../auth/harness.ts'
import { findChromium, launchChromium, openWindow, type Window } from '../support/chromium.ts'
import { deferred } from '../support/deferred.ts'
import { newPkce, type Pkce, postForm, registerClient, tokensOf } from '../support/oauth.ts'
import { portOf } from '../support/server-process.ts'
import { openTestSite, type Site } from '../support/site.ts'

const found = await findChromium()
const closers: (() => Promise<unknown>)[] = []

let browser: Browser
let site: Site
let client: Server
/** What the client's callback was asked for, in order. */
let answers: URL[]
let clientId: string
let pkce: Pkce

const openSite = async (options?: Parameters<typeof openTestSite>[0]) => {
  const opened = await openTestSite(options)
  closers.push(() => opened.close())
  return opened
}

beforeAll(async () => {
  if ('missing' in found) return
  browser = await launchChromium(found.program)
  site = await openSite()
  client = createServer((request, response) => {
    const url = new URL(request.url ?? '/', callback())
    if (url.pathname === '/callback') answers.push(url)
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>Client</title><link rel="icon" href="data:,"><h1>Signed in</h1>')
  }).listen(0, '127.0.0.1')
  await once(client, 'listening')
}, 60_000)
afterAll(async () => {
  await browser?.close()
  client?.close()
  client?.closeAllConnections()
  await Promise.all(closers.map((close) => close()))
})

let window: Window
beforeEach(async (context) => {
  if ('missing' in found) context.skip(found.missing)
  site.before = async () => undefined
  answers = []
  pkce = newPkce()
  clientId = await register('Claude Code', callback())
  window = await openWindow(browser, [site.origin, new URL(callback()).origin])
})
afterEach(async () => {
  await window?.context.close()
  expect(window?.faults ?? []).toEqual([])
})

const callback = () => `http://127.0.0.1:${portOf(client)}/callback`
const register = (client_name: string, redirectUri: string) =>
  registerClient(fetch, site.origin, { client_name, redirect_uris: [redirectUri] })

const authorizeUrl = (overrides: Record<string, string> = {}) =>
  site.origin +
  authorizePath({
    client_id: clientId,
    redirect_uri: callback(),
    code_challenge: pkce.challenge,
    resource: `${site.origin}/api/mcp`,
    ...overrides,
  })

/** What the client does with its code. */
const redeem = async (code: string | null | undefined) =>
  tokensOf(
    await postForm(fetch, `${site.origin}/api/oauth/token`, {
      grant_type: 'authorization_code',
      client_id: clientId,
      code: code ?? '',
      code_verifier: pkce.verifier,
      redirect_uri: callback(),
    }),
  )

let people = 0
/** Signs a new person up, and in with this window; what that looks like is the keyboard's test. */
async function signUp({ context }: Window): Promise<{ email: string; password: string }> {
  people += 1
  const person = { name: `Person ${people}`, email: `person${people}@example.org`, password: 'a long enough password' }
  const body = new URLSearchParams(person)
  const answer = await fetch(`${site.origin}/signup`, { method: 'POST', body, redirect: 'manual' })
  const [name = '', value = ''] = (answer.headers.getSetCookie()[0] ?? '').split(';')[0]?.split('=') ?? []
  await context.addCookies([{ name, value, url: site.origin }])
  return person
}

/** Goes through a whole sign-in of a new client of that name; the person is signed in. */
async function connectClient(page: Page, name: string): Promise<{ accessToken: string }> {
  clientId = await register(name, callback())
  await page.goto(authorizeUrl())
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.waitForURL(/\/callback\?/)
  return redeem(answers.at(-1)?.searchParams.get('code'))
}

interface Stop {
  readonly tag: string
  readonly text: string
  readonly autocomplete: string
  readonly href: string
  /** Does the page show where the focus is? */
  readonly visible: boolean
}

/** Presses Tab once. */
async function tab(page: Page): Promise<Stop> {
  await page.keyboard.press('Tab')
  return page.evaluate<Stop>(`(() => {
    const { activeElement: at } = document
    const { outlineStyle, outlineWidth } = getComputedStyle(at)
    return {
      tag: at.tagName.toLowerCase(),
      text: at.textContent.trim(),
      autocomplete: at.getAttribute('autocomplete') ?? '',
      href: at.getAttribute('href') ?? '',
      visible: outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2,
    }
  })()`)
}

/** Presses Tab until the focus is where it is looked for. */
async function tabTo(page: Page, isIt: (stop: Stop) => boolean): Promise<void> {
  for (let count = 0; count < 20; count += 1) {
    const stop = await tab(page)
    expect(stop).toMatchObject({ visible: true })
    if (isIt(stop)) return
  }
  throw new Error(`not reached by Tab on ${page.url()}`)
}

test('with the keyboard alone a person gets from the client’s request through sign-up and consent to its callback', async () => {
  const { page } = window
  await page.goto(authorizeUrl())
  await tabTo(page, ({ href }) => href.startsWith('/signup?'))
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/signup\?/)
  // The first field has the focus already.
  await page.keyboard.type('Grace Hopper')
  await tabTo(page, ({ autocomplete }) => autocomplete === 'username')
  await page.keyboard.type('grace@example.org')
  await tabTo(page, ({ autocomplete }) => autocomplete === 'new-password')
  await page.keyboard.type('nanoseconds are short')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/oauth\/authorize\?/)

  // Nothing on the consent page has the focus by itself: Enter, pressed too often, allows nothing.
  await page.keyboard.press('Enter')
  expect(page.url()).toContain('/oauth/authorize?')
  const order: string[] = []
  await tabTo(page, ({ text }) => {
    order.push(text)
    return text === 'Allow'
  })
  expect(order).toEqual(['Orkestrate', 'Not you?', 'Allow'])
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/callback\?/)
  expect(answers.map(({ searchParams }) => searchParams.get('state'))).toEqual(['the-state'])
  expect((await redeem(answers[0]?.searchParams.get('code'))).scope).toBe('mcp:read mcp:write')
})

test('Tab reaches everything that can be used, in the order in which it is read, and shows where it is', async () => {
  const { page } = window
  await signUp(window)
  await connectClient(page, 'Codex')
  await connectClient(page, 'OpenCode')
  const paths = ['/', '/account/connections', '/account/connections/end', '/logout', '/nowhere']
  for (const url of [authorizeUrl(), ...paths.map((path) => site.origin + path)]) {
    await page.goto(url)
    const inOrder = await page.evaluate<string[]>(`
      [...document.querySelectorAll('a[href], button, input:not([type=hidden])')].map((at) => at.textContent.trim())`)
    const stops: Stop[] = []
    while (stops.length < inOrder.length) stops.push(await tab(page))
    expect(stops.map(({ text }) => text)).toEqual(inOrder)
    expect(stops.filter(({ visible }) => !visible)).toEqual([])
  }
})

test('denied, the client is told, and gets nothing', async () => {
  const { page } = window
  await signUp(window)
  await page.goto(authorizeUrl())
  const sizes = await Promise.all(
    ['Allow', 'Deny'].map(
      async (name) => (await page.getByRole('button', { name }).boundingBox()) ?? { width: 0, height: 0 },
    ),
  )
  expect(sizes[1]).toMatchObject({ width: sizes[0]?.width, height: sizes[0]?.height })
  await page.getByRole('button', { name: 'Deny' }).click()
  await page.waitForURL(/\/callback\?/)
  expect(answers.map(({ searchParams }) => [searchParams.get('error'), searchParams.get('code')])).toEqual([
    ['access_denied', null],
  ])
})

test('a double click that is faster than the server reaches the client once, with one code', async () => {
  const { page } = window
  await signUp(window)
  await page.goto(authorizeUrl())
  const second = deferred()
  let posts = 0
  site.before = async ({ method }) => {
    if (method !== 'POST') return
    posts += 1
    if (posts === 2) second.resolve()
    await second.promise
  }
  const at = (await page.getByRole('button', { name: 'Allow' }).boundingBox()) ?? { x: 0, y: 0 }
  await page.mouse.click(at.x + 9, at.y + 9)
  await expect.poll(() => posts, { timeout: 20_000 }).toBe(1)
  await page.mouse.click(at.x + 9, at.y + 9)
  await page.getByRole('heading', { name: 'Signed in' }).waitFor()
  expect(posts).toBe(2)
  expect(answers).toHaveLength(1)
  expect((await redeem(answers[0]?.searchParams.get('code'))).scope).toBe('mcp:read mcp:write')
})

test('the form of a decision that was made says so when it is sent again, and ends nothing', async () => {
  const { page } = window
  await signUp(window)
  await page.goto(authorizeUrl())
  const request = await page.locator('[name=request]').inputValue()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.waitForURL(/\/callback\?/)
  const { accessToken } = await redeem(answers[0]?.searchParams.get('code'))
  // What a browser does that goes back to the page as it was.
  await page.goto(authorizeUrl())
  await page.evaluate(`document.querySelector('[name=request]').value = ${JSON.stringify(request)}`)
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByRole('heading', { name: 'You can close this window' }).waitFor()
  expect(answers).toHaveLength(1)
  expect(await site.t.app.auth.authenticate(`Bearer ${accessToken}`, 'mcp')).not.toBeNull()
})

test('where an application’s own scheme takes over the browser stays, and the page has said so before', async () => {
  const { page } = window
  await signUp(window)
  const redirect_uri = 'orkestrate-test://callback'
  clientId = await register('Editor', redirect_uri)
  await page.goto(authorizeUrl({ redirect_uri }))
  expect(await page.locator('main').innerText()).toMatch(/orkestrate-test:\/\/callback.*close this window/s)
  await page.getByRole('button', { name: 'Allow' }).click({ noWaitAfter: true })
  await page.waitForLoadState()
  expect(page.url()).toContain('/oauth/authorize?')
})

test('a person ends one connection, then all of them after being told what that means, and signs other browsers out', async () => {
  const { page } = window
  const person = await signUp(window)
  const [first, second, third] = [
    await connectClient(page, 'First'),
    await connectClient(page, 'Second'),
    await connectClient(page, 'Third'),
  ]
  const works = async ({ accessToken }: { accessToken: string }) =>
    (await site.t.app.auth.authenticate(`Bearer ${accessToken}`, 'mcp')) !== null
  await page.goto(`${site.origin}/account/connections`)
  await page.getByRole('button', { name: 'End connection “Second”' }).click()
  expect(await page.getByRole('status').innerText()).toContain('“Second” is no longer connected.')
  expect([await works(first), await works(second), await works(third)]).toEqual([true, false, true])

  await page.getByRole('link', { name: 'End all connections' }).click()
  expect(await page.locator('main').innerText()).toMatch(/Third.*First.*What happens/s)
  await page.getByRole('link', { name: 'Keep them' }).click()
  expect(await works(first)).toBe(true)
  await page.getByRole('link', { name: 'End all connections' }).click()
  await page.getByRole('button', { name: 'End all' }).click()
  await page.getByText('Nothing is connected').waitFor()
  expect([await works(first), await works(third)]).toEqual([false, false])

  const elsewhere = await openWindow(browser, [site.origin])
  await elsewhere.page.goto(`${site.origin}/login`)
  await elsewhere.page.locator('[autocomplete=username]').fill(person.email)
  await elsewhere.page.locator('[autocomplete=current-password]').fill(person.password)
  await elsewhere.page.keyboard.press('Enter')
  await elsewhere.page.waitForURL(`${site.origin}/`)
  await page.reload()
  await page.getByRole('button', { name: 'Sign out everywhere else' }).click()
  await page.getByText('You are signed in with this browser only').waitFor()
  await elsewhere.page.goto(`${site.origin}/account/connections`)
  expect(elsewhere.page.url()).toContain('/login?')
  await elsewhere.context.close()
})

/** What a page of an error shows; its request id has to be the one that its answer names. */
async function problemAt(page: Page, url: string): Promise<{ status: number; title: string; text: string }> {
  const response = await page.goto(url)
  const id = (await response?.headerValue('x-request-id')) ?? 'none'
  const text = await page.locator('main').innerText()
  expect(text).toContain(id)
  return { status: response?.status() ?? 0, title: await page.title(), text }
}

test('whatever cannot go on says what happened, what to do, and which request it was', async () => {
  const { page } = window
  const nowhere = await problemAt(page, `${site.origin}/no/such/page`)
  expect(nowhere).toMatchObject({ status: 404, title: 'There is no such page · Orkestrate' })
  const unknown = await problemAt(page, authorizeUrl({ client_id: 'cl_unknown' }))
  expect(unknown).toMatchObject({ status: 400, text: expect.stringMatching(/not registered here.*anew/s) })
  const astray = await problemAt(page, authorizeUrl({ redirect_uri: 'https://evil.example/' }))
  expect(astray).toMatchObject({ status: 400, text: expect.stringMatching(/did not register.*close this window/s) })
  expect(await page.locator('a[href*=evil]').count()).toBe(0)
})

test('a consent page that belongs to an ended session says so, and what to do', async () => {
  const { page, context } = window
  await signUp(window)
  await page.goto(authorizeUrl())
  await context.clearCookies()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByRole('heading', { name: 'This page is too old' }).waitFor()
  expect(await page.locator('main').innerText()).toMatch(
    /nothing was allowed.*Start the sign-in again from your agent/s,
  )
  expect(answers).toEqual([])
})

test('after too many attempts the sign-in page says so', async () => {
  const { page } = window
  const { email } = await signUp(window)
  await page.context().clearCookies()
  for (let count = 0; count < 10; count += 1) {
    await postForm(fetch, `${site.origin}/login`, { email, password: `wrong ${count}` })
  }
  await page.goto(`${site.origin}/login`)
  await page.locator('[autocomplete=username]').fill(email)
  await page.locator('[autocomplete=current-password]').fill('a long enough password')
  await page.keyboard.press('Enter')
  await page.waitForLoadState()
  expect(await page.getByRole('alert').innerText()).toContain('Too many attempts')
})

test('where nobody may sign up, and where the database is away, a page says so', async () => {
  const closed = await openSite({ env: { SIGNUP: 'closed' } })
  const database = connect({ url: 'postgres://nobody@127.0.0.1:9/none' })
  const away = await openSite({ db: { database, target: { url: '' }, drop: () => database.close() } })
  const { context, page, faults } = await openWindow(browser, [closed.origin, away.origin])
  expect(await problemAt(page, `${closed.origin}/signup`)).toMatchObject({
    status: 403,
    text: expect.stringContaining('closed here'),
  })
  for (const path of ['/login', '/', '/account/connections']) {
    await context.addCookies([{ name: 'ork_session', value: newToken('bs'), url: away.origin }])
    expect(await problemAt(page, away.origin + path)).toMatchObject({
      status: 503,
      title: 'Try again in a moment · Orkestrate',
      text: expect.stringMatching(/database.*Reload this page/s),
    })
  }
  expect(faults).toEqual([])
  await context.close()
})
