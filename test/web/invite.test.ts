import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../support/app.ts'
import { enter, formTo, visitor, type Visitor } from '../support/oauth.ts'
import { freshTeam, type Team } from '../support/team.ts'

// The way into a workspace by a link, as a person in a browser goes it.

let t: TestApp
let team: Team
beforeAll(async () => {
  t = await createTestApp()
  team = await freshTeam(t)
})
afterAll(() => t.close())

async function signedIn(name: string): Promise<Visitor> {
  const browser = visitor(t.fetch, t.publicUrl)
  await enter(browser, { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` })
  return browser
}

test('whoever is not signed in signs in first, and comes back to the invitation', async () => {
  const { secret } = await team.invite()
  const answer = await t.fetch(`/invite/${secret}`, { redirect: 'manual' })
  expect(answer.status).toBe(303)
  expect(answer.headers.get('location')).toBe(`/login?next=${encodeURIComponent(`/invite/${secret}`)}`)
})

test('the page says who asks, where to and as what; looking joins nothing, pressing Join does', async () => {
  const { secret } = await team.invite('viewer')
  const browser = await signedIn('Grace')
  const page = await browser.open(`/invite/${secret}`)
  expect(page.text).toContain('Join “Widgets”?')
  expect(page.text).toContain(`Ada${team.n} invites you as viewer`)
  expect((await team.ada.rest.get(`${team.at}/members`)).body.members).toHaveLength(1)
  await browser.submit(page, formTo(page, `/invite/${secret}`))
  expect((await team.ada.rest.get(`${team.at}/members`)).body.members).toMatchObject([
    {},
    { name: 'Grace', role: 'viewer' },
  ])
  expect((await browser.open(`/invite/${secret}`)).text).toContain('not valid any more')
})

test('a link that is no good says so on a page, in the same words whatever the reason', async () => {
  const browser = await signedIn('Heidi')
  const { secret } = await team.invite('member', { email: 'somebody.else@example.org' })
  const pages = await Promise.all(['ork_inv_nothing', secret].map((one) => browser.open(`/invite/${one}`)))
  expect(new Set(pages.map(({ text }) => text.replace(/req_\w+/u, ''))).size).toBe(1)
  expect(pages[0]?.text).toContain('Ask whoever invited you for a new one')
})

test('a form of another site joins nobody', async () => {
  const { secret } = await team.invite()
  const browser = await signedIn('Ivan')
  const answer = await t.fetch(`/invite/${secret}`, {
    method: 'POST',
    headers: { cookie: browser.cookie(), 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  })
  expect(answer.status).toBe(403)
  expect((await team.ada.rest.get(`${team.at}/invites`)).body.invites[0]).toMatchObject({ uses: 0, state: 'open' })
})

test('where SIGNUP is by invitation, a link that lets somebody in lets them make an account, and nothing else does', async () => {
  const closed = await createTestApp({ db: t.db, env: { SIGNUP: 'invite' } })
  const account = { name: 'Judy', email: 'judy@example.org', password: 'a long password of Judy' }
  const signUp = async (next: string) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
    const body = new URLSearchParams({ ...account, next }).toString()
    return closed.fetch('/signup', { method: 'POST', headers, body, redirect: 'manual' })
  }
  const { secret, inviteId } = await team.invite()
  const page = await closed.fetch(`/signup?${new URLSearchParams({ next: `/invite/${secret}` }).toString()}`)
  expect(page.status).toBe(200)
  expect((await closed.fetch('/signup')).status).toBe(403)
  for (const next of ['/', '/invite/ork_inv_nothing', `/invite/${secret}/x`])
    expect((await signUp(next)).status).not.toBe(303)
  const made = await signUp(`/invite/${secret}`)
  expect([made.status, made.headers.get('location')]).toEqual([303, `/invite/${secret}`])
  await team.ada.rest.delete(`${team.at}/invites/${inviteId}`)
  account.email = 'late@example.org'
  expect((await signUp(`/invite/${secret}`)).status).not.toBe(303)
  await closed.app.close()
})
