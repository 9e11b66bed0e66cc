/** People signing in elsewhere, for the tests of both upstreams. */
import { expect } from 'vitest'
import type { ScriptedBrowser } from '../support/browser.ts'
import { formTo, postForm, type VisitedPage, type Visitor } from '../support/oauth.ts'
import { throughUpstream } from '../support/oidc-upstream.ts'
import type { Harness } from './harness.ts'

export const callbacks = (upstream: 'oidc' | 'supabase') =>
  ['http://localhost:7300', 'https://ork.example'].map((origin) => `${origin}/auth/callback/${upstream}`)

/** Presses the upstream's button on the sign-in page. @returns the upstream's address. */
export async function leave(
  browser: Visitor,
  upstream: 'oidc' | 'supabase',
  options: { next?: string; code?: string } = {},
): Promise<string> {
  const page = await browser.open(`/login?${new URLSearchParams({ next: options.next ?? '/next' }).toString()}`)
  const code = options.code === undefined ? {} : { code: options.code }
  const away = await browser.submit(page, formTo(page, '/auth/start'), code, `upstream=${upstream}`)
  if (away.leftTo === undefined) throw new Error(`still at ${away.url} (${away.status}): ${away.text.slice(0, 500)}`)
  return away.leftTo
}

/** The whole way at the OpenID Connect issuer. @returns the page where it ends. */
export async function enterByOidc(
  browser: Visitor,
  at: ScriptedBrowser,
  login: string,
  options: { next?: string; code?: string } = {},
): Promise<VisitedPage> {
  return browser.open(await throughUpstream(at, await leave(browser, 'oidc', options), login))
}

/** Goes through GoTrue and its Google. @returns the address that the browser is sent back to. */
export async function throughGoogle(
  at: ScriptedBrowser,
  url: string,
  email: string,
  decision: 'Continue' | 'Cancel' = 'Continue',
): Promise<string> {
  const page = await at.open(url)
  const [form] = page.forms
  if (form === undefined) throw new Error(`not Google: ${page.url} (${page.status}) ${page.text.slice(0, 500)}`)
  return (await at.submit(form, { email }, decision)).url
}

export async function enterBySupabase(
  browser: Visitor,
  at: ScriptedBrowser,
  email: string,
  options: { next?: string; code?: string } = {},
): Promise<VisitedPage> {
  return browser.open(await throughGoogle(at, await leave(browser, 'supabase', options), email))
}

export const whoIs = (harness: Harness, browser: Visitor) =>
  harness.auth.browserUser(new Request(`${harness.publicUrl}/`, { headers: { cookie: browser.cookie() } }))

/** Nobody is signed in, the person is told on a page, and there is a way on. */
export async function expectRefused(
  harness: Harness,
  browser: Visitor,
  page: VisitedPage,
  status = 400,
): Promise<void> {
  expect({ status: page.status, title: page.title }).toEqual({
    status,
    title: 'This sign-in cannot be finished · Orkestrate',
  })
  expect(page.links.some(({ href }) => /\/(login|account\/password)/.test(href))).toBe(true)
  expect(await whoIs(harness, browser)).toBeNull()
}

/** Posts the form that starts a sign-in elsewhere. */
export const start = (at: Harness, headers: Record<string, string> = {}, fields: Record<string, string> = {}) =>
  postForm(at.fetch, `${at.publicUrl}/auth/start`, { upstream: 'oidc', next: '/next', ...fields }, headers)

/** What the browser's cookies would be if the answer's were kept by hand. */
export const cookieOf = (answer: Response) => answer.headers.getSetCookie().map((header) => header.split(';')[0] ?? '')
