/** How clients come in, stay in and go: everything that they do with tokens. */
import assert from 'node:assert/strict'
import type { Person, ScriptedBrowser } from '../support/browser.ts'
import { postForm } from '../support/oauth.ts'
import { tail } from './child.ts'
import type { Desktop } from './desktop.ts'
import type { Report } from './report.ts'
import { ORIGIN, readJournal, type RunningServer, statusOf } from './server.ts'
import { type Station, storedTokens, takeTurn } from './station.ts'

const CONNECTIONS_MAX = 50

/** The client's own login, with its person at the browser that it opens. */
async function logIn(desktop: Desktop, { client, browser, run }: Station): Promise<void> {
  const { output } = await run('login')
  const arrivals = await desktop.arrivals()
  assert.ok(arrivals.length > 0, `no browser was opened:\n${tail(output)}`)
  for (const { href, searchParams } of arrivals.map((url) => new URL(url))) {
    assert.ok(searchParams.has('code'), `no code in ${href}`)
    assert.equal(searchParams.get('iss'), ORIGIN)
  }
  const [consent, done] = browser.pages.slice(-2)
  assert.match(consent?.text ?? '', client.consentName, 'the consent page names the client')
  assert.equal(done?.status, 200, `the client's callback answered ${done?.status}: ${done?.text}`)
}

/** Adding and logging in. Codex logs in while adding, and once more when told to: each login is a grant of its own. */
export async function connect(report: Report, desktop: Desktop, station: Station): Promise<void> {
  const { client, browser, run } = station
  desktop.use(browser)
  await report.step(client.name, 'adds the server with its own command', () => run('add'))
  await report.step(client.name, 'logs in through the real pages', () => logIn(desktop, station))
  await report.step(client.name, 'lists the server as connected', async () => {
    const { output } = await run('list')
    assert.match(tail(output), client.connected)
  })
}

/** The hour of an access token ends between two calls; nobody is to notice. */
export async function outliveToken(report: Report, station: Station, server: RunningServer): Promise<void> {
  const { client, browser } = station
  await report.step(client.name, 'goes on when its access token expires in the middle of a turn', async () => {
    const before = storedTokens(station)
    const pagesBefore = browser.pages.length
    let isExpired = false
    const task = { prompt: 'Implement the progress bar', paths: ['src/progress-bar.ts'], isReleasing: true }
    const turn = await takeTurn(station, task, async (tool) => {
      if (isExpired || tool !== 'claim_scope') return
      isExpired = true
      await server.expire(before.accessToken)
    })
    assert.ok(isExpired, 'the turn came to a claim')
    assert.ok(
      turn.answers.every(({ ok }) => ok),
      JSON.stringify(turn.answers),
    )
    const after = storedTokens(station)
    assert.notEqual(after.accessToken, before.accessToken)
    assert.notEqual(after.refreshToken, before.refreshToken, 'the refresh token was rotated, and the new one stored')
    assert.equal(await statusOf(after.accessToken), 200)
    assert.equal(browser.pages.length, pagesBefore, 'nobody had to sign in')
  })
}

/** Resolves to the access token that the client no longer has. */
export async function logOut(report: Report, station: Station, person: Person): Promise<string> {
  const { client, run } = station
  const guarantee = client.isLogoutRevoking
    ? 'logs out, and its grant is dead at once, with its sessions'
    : 'logs out, which only forgets'
  return report.step(client.name, guarantee, async () => {
    const tokens = storedTokens(station)
    assert.equal(await statusOf(tokens.accessToken), 200, 'the token was good until then')
    await run('logout')
    assert.throws(() => storedTokens(station), 'the client has forgotten its tokens')
    assert.equal(await statusOf(tokens.accessToken), client.isLogoutRevoking ? 401 : 200)
    if (client.isLogoutRevoking) await assertDead(station, tokens, person)
    return tokens.accessToken
  })
}

/** Nothing can be had of the grant any more, and nothing that hung on it is there. */
async function assertDead(
  { client }: Station,
  { clientId, refreshToken }: { clientId: string; refreshToken: string },
  person: Person,
): Promise<void> {
  const fields = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }
  const refused = await postForm(fetch, `${ORIGIN}/api/oauth/token`, fields)
  assert.equal(refused.status, 400, await refused.text())
  const { events } = await readJournal(person)
  const ofSessions = events.filter(
    ({ type, payload }) => type.startsWith('session.') && client.agentId.test(payload.agentId ?? ''),
  )
  const lastByAgent = new Map(ofSessions.map(({ type, payload }) => [payload.agentId, type]))
  assert.ok(lastByAgent.size > 0, 'the client had sessions')
  for (const [agentId, type] of lastByAgent) assert.equal(type, 'session.ended', `${agentId}: ${type}`)
}

export async function signInAgain(report: Report, desktop: Desktop, station: Station): Promise<void> {
  const { client, browser } = station
  await report.step(client.name, 'signs in again', async () => {
    desktop.use(browser)
    await logIn(desktop, station)
    assert.equal(await statusOf(storedTokens(station).accessToken), 200)
  })
}

/** Once the server takes none of its tokens any more, the client says so instead of going on trying. */
export async function askToSignIn(report: Report, { client, run }: Station): Promise<void> {
  const { command, says } = client.signedOut
  await report.step(client.name, 'asks to sign in again once its grant is revoked', async () => {
    const { output } = await run(command, 'Implement the progress bar')
    assert.match(tail(output), says)
  })
}

/** The person ends every connection on the page that lists them. */
export async function revokeAll(browser: ScriptedBrowser): Promise<void> {
  const isRevoke = /^(end|revoke|disconnect)\b/i
  let page = await browser.open(`${ORIGIN}/account/connections`)
  for (let count = 0; count < CONNECTIONS_MAX; count += 1) {
    const form = page.forms.find(({ buttons }) => buttons.some(({ label }) => isRevoke.test(label)))
    if (!form) return
    await browser.submit(form, {}, isRevoke)
    page = await browser.open(`${ORIGIN}/account/connections`)
  }
  assert.fail(`still something to revoke on ${page.url}: ${page.text}`)
}
