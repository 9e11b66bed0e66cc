import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAgent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { enter, formTo, visitor } from '../support/oauth.ts'
import { restClient, type RestAnswer, type RestClient } from '../support/rest.ts'
import { tokenKind } from '../../src/auth/token-format.ts'

// Personal access tokens: for CI and headless agents, wherever an OAuth access token works (design, section 4).

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let count = 0
let browser: RestClient
const inBrowser = async (name: string): Promise<RestClient> => {
  const person = { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` }
  const visit = visitor(t.fetch, t.publicUrl)
  await enter(visit, person)
  return restClient(t.fetch, { cookie: visit.cookie(), 'sec-fetch-site': 'same-origin' })
}
beforeEach(async () => {
  count += 1
  browser = await inBrowser(`Ada${count}`)
})

const make = async (more: object = {}): Promise<RestAnswer> => browser.post('/api/tokens', { name: 'CI', ...more })
const withToken = (secret: string) => restClient(t.fetch, { authorization: `Bearer ${secret}` })
const agentWith = (secret: string) => createAgent(t.fetch, `${t.publicUrl}/api/mcp`, secret)
const secretOf = ({ body }: RestAnswer): string => body.token.secret

test('a token is shown once, has a checksum, says where it is from, and is stored as its hash alone (S-12, S-13, ASVS 11.4.2)', async () => {
  const made = await make()
  expect(made.status).toBe(201)
  const secret = secretOf(made)
  expect(secret).toMatch(/^ork_test_[a-z2-7]{32}[0-9a-z]{7}$/u)
  expect(tokenKind(secret)).toBe('test')
  expect(tokenKind(secret.replace(/.$/u, (c) => (c === '0' ? '1' : '0')))).toBe(null)
  const listed = await browser.get('/api/tokens')
  expect(listed.body.tokens).toMatchObject([
    {
      name: 'CI',
      prefix: 'ork_test_',
      lastFour: secret.slice(-4),
      scopes: ['mcp:read', 'mcp:write'],
      lastUsedAt: null,
    },
  ])
  const rows = await t.database.query((orm) => orm.execute('select * from personal_tokens'))
  expect(JSON.stringify(rows) + JSON.stringify(listed.body) + t.logLines.join('')).not.toContain(secret)
})

test('it works for agents and for REST, and says when it was last used', async () => {
  const secret = secretOf(await make())
  const agent = agentWith(secret)
  expect(await agent.ready()).toMatchObject({ ok: true })
  expect(await agent.claim('src/a')).toMatchObject({ ok: true })
  expect((await withToken(secret).get('/api/workspaces')).body.workspaces).toMatchObject([{ name: 'widgets' }])
  expect((await browser.get('/api/tokens')).body.tokens[0].lastUsedAt).toMatch(/Z$/u)
})

test('scopes hold: a token that reads writes nothing, over MCP and over REST', async () => {
  const secret = secretOf(await make({ scopes: ['mcp:read'] }))
  const agent = agentWith(secret)
  await agent.ready()
  expect(await agent.claim('src/a')).toMatchObject({ error: { code: 'FORBIDDEN_SCOPE' } })
  expect(await withToken(secret).post('/api/workspaces', { name: 'x' })).toMatchObject({
    status: 403,
    body: { code: 'FORBIDDEN_SCOPE' },
  })
})

describe('a token that is bound to a workspace', () => {
  test('opens that one alone; the others are as if they were not there', async () => {
    const one = (await browser.post('/api/workspaces', { name: 'One' })).body.workspace.id
    const two = (await browser.post('/api/workspaces', { name: 'Two' })).body.workspace.id
    const secret = secretOf(await make({ workspaceId: one }))
    const rest = withToken(secret)
    expect((await rest.get('/api/workspaces')).body.workspaces).toMatchObject([{ id: one }])
    expect(await rest.get(`/api/workspaces/${two}/state`)).toMatchObject({
      status: 404,
      body: { code: 'WORKSPACE_NOT_FOUND' },
    })
    expect(await rest.post('/api/workspaces', { name: 'Three' })).toMatchObject({ status: 403 })
    expect(await rest.post('/api/workspaces', { action: 'switch', workspaceId: two })).toMatchObject({ status: 404 })
    const agent = agentWith(secret)
    expect(await agent.join({ workspaceId: two })).toMatchObject({ error: { code: 'WORKSPACE_NOT_FOUND' } })
    expect(await agent.join()).toMatchObject({ ok: true, workspace: { id: one } })
  })

  test('is made for one’s own workspaces only, and makes no new one when that is gone', async () => {
    const eve = await inBrowser(`Eve${count}`)
    const hers = (await eve.post('/api/workspaces', { name: 'Hers' })).body.workspace.id
    expect(await make({ workspaceId: hers })).toMatchObject({ status: 404, body: { code: 'WORKSPACE_NOT_FOUND' } })
    const mine = (await browser.post('/api/workspaces', { name: 'Mine' })).body.workspace.id
    const secret = secretOf(await make({ workspaceId: mine }))
    await browser.confirmed('DELETE', `/api/workspaces/${mine}`)
    expect(await agentWith(secret).join()).toMatchObject({ error: { code: 'WORKSPACE_NOT_FOUND' } })
    expect((await browser.get('/api/workspaces')).body.workspaces).toEqual([])
  })
})

test('a token never makes a token, nor does an OAuth access token', async () => {
  const secret = secretOf(await make())
  expect(await withToken(secret).post('/api/tokens', { name: 'x' })).toMatchObject({
    status: 403,
    body: { code: 'FORBIDDEN_TOKEN' },
  })
  const { accessToken } = await t.login(`Ada${count}`)
  expect(await withToken(accessToken).post('/api/tokens', { name: 'x' })).toMatchObject({ status: 403 })
  expect((await browser.get('/api/tokens')).body.tokens).toHaveLength(1)
})

test('a page of another site makes no token', async () => {
  const cross = restClient(t.fetch, { cookie: 'ork_session=nothing', 'sec-fetch-site': 'cross-site' })
  expect(await cross.post('/api/tokens', { name: 'x' })).toMatchObject({ status: 401 })
})

test('revoked it opens nothing: here at once, elsewhere soon; its agents end and their claims are free', async () => {
  const made = await make()
  const agent = agentWith(secretOf(made))
  await agent.ready()
  await agent.claim('src/a')
  const other = t.replica()
  const authorization = `Bearer ${secretOf(made)}`
  const elsewhere = async () =>
    (await other.app.http.request(`${t.publicUrl}/api/workspaces`, { headers: { authorization } })).status
  expect(await elsewhere()).toBe(200)
  expect(await browser.delete(`/api/tokens/${made.body.token.id}`)).toMatchObject({ status: 200 })
  expect((await withToken(secretOf(made)).get('/api/workspaces')).status).toBe(401)
  await expect.poll(elsewhere, { timeout: 3_000 }).toBe(401)
  await other.close()
  const [{ id }] = (await browser.get('/api/workspaces')).body.workspaces
  expect((await browser.get(`/api/workspaces/${id}/claims`)).body.claims).toEqual([])
  expect((await browser.get('/api/tokens')).body.tokens).toEqual([])
  expect(await browser.delete(`/api/tokens/${made.body.token.id}`)).toMatchObject({ status: 404 })
})

test('somebody else’s token is like one that does not exist', async () => {
  const made = await make()
  const eve = await inBrowser(`Eve${count}`)
  expect(await eve.delete(`/api/tokens/${made.body.token.id}`)).toMatchObject({
    status: 404,
    body: { code: 'NOT_FOUND' },
  })
  expect((await withToken(secretOf(made)).get('/api/workspaces')).status).toBe(200)
})

test('it ends when it says', async () => {
  const made = await make({ expiresInDays: 1 })
  const other = await make({ expiresInDays: null })
  await t.database.query((orm) =>
    orm.execute(`update personal_tokens set expires_at = clock_timestamp() where expires_at is not null`),
  )
  expect((await withToken(secretOf(made)).get('/api/workspaces')).status).toBe(401)
  expect((await withToken(secretOf(other)).get('/api/workspaces')).status).toBe(200)
  expect(other.body.token.expiresAt).toBe(null)
  expect((await browser.get('/api/tokens')).body.tokens).toHaveLength(1)
})

test('the person sees it among their connections, and revokes it there; ending all ends it too (S-40, ASVS 10.4.9)', async () => {
  const visit = visitor(t.fetch, t.publicUrl)
  await enter(visit, { email: `paula${count}@example.org`, name: 'Paula', password: 'a long password of Paula' })
  const paula = restClient(t.fetch, { cookie: visit.cookie(), 'sec-fetch-site': 'same-origin' })
  const secrets = [await paula.post('/api/tokens', { name: 'One' }), await paula.post('/api/tokens', { name: 'Two' })]
  const opens = async () =>
    Promise.all(secrets.map(async (made) => (await withToken(secretOf(made)).get('/api/workspaces')).status))
  const page = await visit.open('/account/connections')
  expect(page.text).toContain(`ork_test_…${secretOf(secrets[0] as RestAnswer).slice(-4)}`)
  const form = page.forms.find(({ controls }) => controls.some(({ value }) => value === secrets[0]?.body.token.id))
  expect(form).toBeDefined()
  if (form !== undefined) await visit.submit(page, form)
  expect(await opens()).toEqual([401, 200])
  const all = await visit.open('/account/connections/end')
  await visit.submit(all, formTo(all, '/account/connections/end'))
  expect(await opens()).toEqual([401, 401])
})
