/** A person makes a personal access token, in a real Chromium on a real server: with the keyboard, twice, and again. */
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { findChromium, launchChromium, openWindow, type Window } from '../support/chromium.ts'
import { deferred } from '../support/deferred.ts'
import { openTestSite, type Site } from '../support/site.ts'

const found = await findChromium()
const NEW = '/account/tokens/new'
const SECRET = /^ork_test_[a-z2-7]{32}[0-9a-z]{7}$/

let browser: Browser
let site: Site
beforeAll(async () => {
  if ('missing' in found) return
  browser = await launchChromium(found.program)
  site = await openTestSite()
}, 60_000)
afterAll(async () => {
  await browser?.close()
  await site?.close()
})

let people = 0
let window: Window
let page: Page
let cookie: string
beforeEach(async (context) => {
  if ('missing' in found) context.skip(found.missing)
  site.before = async () => undefined
  window = await openWindow(browser, [site.origin])
  page = window.page
  people += 1
  const person = { name: `Person ${people}`, email: `person${people}@example.org`, password: 'a long enough password' }
  const body = new URLSearchParams(person)
  const answer = await fetch(`${site.origin}/signup`, { method: 'POST', body, redirect: 'manual' })
  cookie = (answer.headers.getSetCookie()[0] ?? '').split(';')[0] ?? ''
  const [name = '', value = ''] = cookie.split('=')
  await window.context.addCookies([{ name, value, url: site.origin }])
})
afterEach(async () => {
  await window?.context.close()
  expect(window?.faults ?? []).toEqual([])
})

interface Listed {
  readonly name: string
  readonly lastFour: string
  readonly scopes: readonly string[]
  readonly workspaceId: string | null
  readonly expiresAt: string | null
}

async function api<T>(path: string, init: RequestInit = {}): Promise<T> {
  const headers = { cookie, 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
  const answer = await fetch(site.origin + path, { ...init, headers })
  const body: T = JSON.parse(await answer.text())
  return body
}
const tokens = async () => (await api<{ tokens: Listed[] }>('/api/tokens')).tokens

/** What has the focus, and whether the page shows it. */
const focused = () =>
  page.evaluate<{ name: string; text: string; visible: boolean }>(`(() => {
    const at = document.activeElement
    const { outlineStyle, outlineWidth } = getComputedStyle(at)
    return {
      name: at.getAttribute('name') ?? at.id,
      text: at.textContent.trim(),
      visible: outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2,
    }
  })()`)

test('with the keyboard alone, from the start page to a copy of the token', async () => {
  const { workspace } = await api<{ workspace: { id: string } }>('/api/workspaces', {
    method: 'POST',
    body: JSON.stringify({ name: 'Widgets' }),
  })
  await page.goto(site.origin)
  for (const link of ['Connections', 'Make a token']) {
    await page.getByRole('link', { name: link }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.waitForLoadState()
  }
  await page.waitForURL(site.origin + NEW)
  // The first field gets the focus by itself.
  await expect.poll(focused).toMatchObject({ name: 'name' })
  await page.keyboard.type('Nightly build')
  for (const [name, option] of [
    ['scopes', 'Read and write'],
    ['workspace', 'Widgets'],
    ['expires', 'After 30'],
  ] as const) {
    await page.keyboard.press('Tab')
    expect(await focused()).toMatchObject({ name, visible: true })
    await page.keyboard.type(option)
  }
  await page.keyboard.press('Tab')
  expect(await focused()).toMatchObject({ text: 'Make the token', visible: true })
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Your token' }).waitFor()

  // Tab selects all of a field, so that it can be copied.
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  expect(await focused()).toMatchObject({ name: 'secret', visible: true })
  const copied = await page.evaluate<string>(`(() => {
    const { value, selectionStart, selectionEnd } = document.activeElement
    return value.slice(selectionStart, selectionEnd)
  })()`)
  expect(copied).toMatch(SECRET)
  expect(await tokens()).toMatchObject([
    { name: 'Nightly build', lastFour: copied.slice(-4), scopes: ['mcp:read', 'mcp:write'], workspaceId: workspace.id },
  ])
  const authorization = `Bearer ${copied}`
  expect((await fetch(`${site.origin}/api/workspaces`, { headers: { authorization } })).status).toBe(200)
})

test('neither a reload nor the way back shows it again or makes another', async () => {
  await page.goto(site.origin + NEW)
  await expect.poll(focused).toMatchObject({ name: 'name' })
  await page.getByLabel('Name').fill('CI')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Your token' }).waitFor()
  const secret = await page.locator('#secret').inputValue()
  await page.reload()
  await page.getByRole('heading', { name: 'A token is shown once' }).waitFor()
  await page.goBack()
  await page.getByRole('heading', { name: 'New personal access token' }).waitFor()
  await page.goForward()
  await page.getByRole('heading', { name: 'A token is shown once' }).waitFor()
  expect(await page.content()).not.toContain(secret)
  expect(await tokens()).toHaveLength(1)
})

test('a double click that is faster than the server makes one token, and shows it', async () => {
  await page.goto(site.origin + NEW)
  await expect.poll(focused).toMatchObject({ name: 'name' })
  await page.getByLabel('Name').fill('CI')
  const second = deferred()
  let posts = 0
  site.before = async ({ method }) => {
    if (method !== 'POST') return
    posts += 1
    if (posts === 2) second.resolve()
    await second.promise
  }
  const button = page.getByRole('button', { name: 'Make the token' })
  await button.scrollIntoViewIfNeeded()
  const at = (await button.boundingBox()) ?? { x: 0, y: 0 }
  await page.mouse.click(at.x + 9, at.y + 9)
  await expect.poll(() => posts, { timeout: 20_000 }).toBe(1)
  await page.mouse.click(at.x + 9, at.y + 9)
  await page.getByRole('heading', { name: 'Your token' }).waitFor()
  expect(posts).toBe(2)
  const secret = await page.locator('#secret').inputValue()
  expect((await tokens()).map(({ lastFour }) => lastFour)).toEqual([secret.slice(-4)])
})

test('what was wrong is told to screen readers too, and what was chosen stays; the pages have no faults that axe finds', async () => {
  const inspected = await openWindow(browser, [site.origin], { bypassCSP: true })
  await inspected.context.addCookies(await window.context.cookies())
  const faults = async () => {
    await inspected.page.evaluate(axe.source)
    const { violations } = await inspected.page.evaluate<axe.AxeResults>('axe.run()')
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  }
  await inspected.page.goto(site.origin + NEW)
  expect(await faults()).toEqual([])
  await inspected.page.getByLabel('Name').fill('\u200b')
  await inspected.page.getByLabel('Ends by itself').selectOption('never')
  await inspected.page.keyboard.press('Enter')
  expect(await inspected.page.getByRole('alert').innerText()).toContain('Give the token a name')
  expect(await inspected.page.getByLabel('Ends by itself').inputValue()).toBe('never')
  expect(await faults()).toEqual([])
  await inspected.page.getByLabel('Name').fill('CI')
  await inspected.page.getByRole('button', { name: 'Make the token' }).click()
  await inspected.page.getByRole('heading', { name: 'Your token' }).waitFor()
  expect(await faults()).toEqual([])
  expect(inspected.faults).toEqual([])
  await inspected.context.close()
})
