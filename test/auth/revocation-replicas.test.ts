import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUTH_LIMITS } from '../../src/auth/limits.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { enter, formTo, postForm, visitor, type Visitor } from '../support/oauth.ts'
import { restClient } from '../support/rest.ts'

// What ends on one replica is told to the others. Nothing here looks by itself, and no answer about a token grows old: what
// ends on the other replica ends because it was told.

const NEVER = 3_600_000

let t: TestApp
let other: ReturnType<TestApp['replica']>
beforeAll(async () => {
  Object.assign(AUTH_LIMITS, { tokenCacheMs: NEVER })
  t = await createTestApp({ pace: { recheckMs: NEVER, healMs: NEVER } })
  other = t.replica()
})
afterAll(async () => {
  await other.close()
  await t.close()
})

let count = 0
let visit: Visitor
let workspaceId: string
const own = () => restClient(t.fetch, { cookie: visit.cookie(), 'sec-fetch-site': 'same-origin' })
beforeEach(async () => {
  count += 1
  visit = visitor(t.fetch, t.publicUrl)
  await enter(visit, person())
  workspaceId = (await own().post('/api/workspaces', { name: 'Widgets' })).body.workspace.id
})
const person = () => ({ name: 'Ada', email: `ada${count}@example.org`, password: `a long password of Ada ${count}` })

const elsewhere = (path: string, headers: Record<string, string>) =>
  other.app.http.request(t.publicUrl + path, { headers })

/** An event stream on the other replica that has shown its first event. */
async function follow(headers: Record<string, string>): Promise<{ ended: Promise<void> }> {
  const answer = await elsewhere(`/api/workspaces/${workspaceId}/events`, { accept: 'text/event-stream', ...headers })
  expect(answer.status).toBe(200)
  const reader = answer.body?.getReader()
  await reader?.read()
  const toItsEnd = async () => {
    while ((await reader?.read())?.done === false);
  }
  return { ended: toItsEnd() }
}

async function newToken(): Promise<{ id: string; authorization: string }> {
  const { token } = (await own().post('/api/tokens', { name: 'CI' })).body
  return { id: token.id, authorization: `Bearer ${token.secret}` }
}

const status = async (headers: Record<string, string>) => (await elsewhere('/api/workspaces', headers)).status

describe('on the other replica too, streams end and nothing is opened any more', () => {
  test('when a personal access token is revoked; another of the person’s goes on (S-09, ASVS 7.4.1)', async () => {
    const [{ id, ...gone }, { id: _id, ...kept }] = [await newToken(), await newToken()]
    const [ending, going] = [await follow(gone), await follow(kept)]
    expect(await status(gone)).toBe(200)
    await own().delete(`/api/tokens/${id}`)
    await ending.ended
    expect([await status(gone), await status(kept)]).toEqual([401, 200])
    expect(await Promise.race([going.ended.then(() => 'ended'), Promise.resolve('goes on')])).toBe('goes on')
  })

  test('when a grant is ended on the Connections page', async () => {
    const { accessToken } = await t.login(`Eve${count}`)
    const eve = restClient(t.fetch, { authorization: `Bearer ${accessToken}` })
    workspaceId = (await eve.post('/api/workspaces', { name: 'Hers' })).body.workspace.id
    const headers = { authorization: `Bearer ${accessToken}` }
    const stream = await follow(headers)
    const browser = visitor(t.fetch, t.publicUrl)
    await enter(browser, { name: 'Eve', email: `eve${count}@example.org`, password: `a long password of Eve${count}` })
    const page = await browser.open('/account/connections')
    await browser.submit(page, formTo(page, '/account/connections'))
    await stream.ended
    expect(await status(headers)).toBe(401)
  })

  test('when a client revokes its own access token (RFC 7009)', async () => {
    const { accessToken, clientId } = await t.login(`Kim${count}`)
    const headers = { authorization: `Bearer ${accessToken}` }
    workspaceId = (await restClient(t.fetch, headers).post('/api/workspaces', { name: 'Theirs' })).body.workspace.id
    const stream = await follow(headers)
    await postForm(t.fetch, `${t.publicUrl}/api/oauth/revoke`, { client_id: clientId, token: accessToken })
    await stream.ended
    expect(await status(headers)).toBe(401)
  })
})

describe('a browser’s streams on the other replica end', () => {
  const browser = (from: Visitor) => ({ cookie: from.cookie(), 'sec-fetch-site': 'same-origin' })

  test('when it is signed out', async () => {
    const stream = await follow(browser(visit))
    const page = await visit.open('/logout')
    await visit.submit(page, formTo(page, '/logout'))
    await stream.ended
    expect(page.status).toBe(200)
  })

  test('when another browser signs out everywhere else, whose own go on', async () => {
    const [here, there] = [visitor(t.fetch, t.publicUrl), visit]
    await enter(here, person())
    const [ending, going] = [await follow(browser(there)), await follow(browser(here))]
    const page = await here.open('/account/connections')
    await here.submit(page, formTo(page, '/account/browsers'))
    await ending.ended
    expect(await status(browser(here))).toBe(200)
    expect(await Promise.race([going.ended.then(() => 'ended'), Promise.resolve('goes on')])).toBe('goes on')
  })

  test('when the password is changed', async () => {
    const stream = await follow(browser(visit))
    const page = await visit.open('/account/password')
    const { password: current } = person()
    const after = await visit.submit(page, formTo(page, '/account/password'), {
      current,
      next: 'another long password',
    })
    expect(after.text).toContain('Password changed')
    await stream.ended
  })
})

test('a replica whose listening connection was cut looks at everything when it hears again', async () => {
  const { id, authorization } = await newToken()
  const stream = await follow({ authorization })
  expect(await status({ authorization })).toBe(200)
  // As if what was told of it had been lost.
  await t.database.query((orm) =>
    orm.execute(`update personal_tokens set revoked_at = clock_timestamp() where id = '${id}'`),
  )
  expect(await status({ authorization })).toBe(200)
  await t.database.query((orm) =>
    orm.execute(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen "ork_revoked"%'`),
  )
  await stream.ended
  expect(await status({ authorization })).toBe(401)
})
