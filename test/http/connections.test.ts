import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/kernel/limits.ts'
import { createAgent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { enter, newPkce, formTo, registerClient, visitor, type Visitor } from '../support/oauth.ts'
import { restClient, type RestAnswer, type RestClient } from '../support/rest.ts'
import { expectRefused } from '../support/team.ts'

// What acts in a person's name, over REST, and how they end it: one by one, or all at once.

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let count = 0
let name: string
let visit: Visitor
let browser: RestClient
const inBrowser = async (who: string): Promise<[Visitor, RestClient]> => {
  const seen = visitor(t.fetch, t.publicUrl)
  await enter(seen, { email: `${who.toLowerCase()}@example.org`, name: who, password: `a long password of ${who}` })
  return [seen, restClient(t.fetch, { cookie: seen.cookie(), 'sec-fetch-site': 'same-origin' })]
}
beforeEach(async () => {
  count += 1
  name = `Ada${count}`
  ;[visit, browser] = await inBrowser(name)
})

const withToken = (secret: string) => restClient(t.fetch, { authorization: `Bearer ${secret}` })
const opens = async (secret: string) => (await withToken(secret).get('/api/workspaces')).status
const agentWith = (secret: string) => createAgent(t.fetch, `${t.publicUrl}/api/mcp`, secret)
const connections = async (): Promise<{ id: string; clientName: string; agents: number }[]> =>
  (await browser.get('/api/connections')).body.connections
const previewed = () => browser.delete('/api/connections')
const confirm = ({ body }: RestAnswer, path = '/api/connections', who = browser) =>
  who.delete(path, { 'confirm-token': body.confirmToken })

/** An agent at work in a workspace of the person's, which a client of this name brought. */
async function atWork(clientName: string) {
  const { accessToken } = await t.login(name, clientName)
  const agent = agentWith(accessToken)
  await agent.ready()
  return { accessToken, agent }
}

describe('connections', () => {
  test('are listed with their client, rights, times and agents, the newest first, and other browsers are counted', async () => {
    await atWork('Claude Code')
    await t.login(name, 'Codex', 'mcp:read')
    await inBrowser(name)
    const { body } = await browser.get('/api/connections')
    expect(body.connections).toMatchObject([
      { clientName: 'Codex', publishedAt: null, scopes: ['mcp:read'], lastUsedAt: null, agents: 0 },
      { clientName: 'Claude Code', publishedAt: null, scopes: ['mcp:read', 'mcp:write'], agents: 1 },
    ])
    // Two more: the one that signs in for the clients, and the one above.
    expect(body.otherBrowsers).toBe(2)
  })

  test('a long list goes on after its cursor, and what is no cursor is refused', async () => {
    const { accessToken } = await t.login(name, 'First')
    expect(await opens(accessToken)).toBe(200)
    await t.database.query((orm) =>
      orm.execute(`
      insert into oauth_grants select (jsonb_populate_record(g, jsonb_build_object('id',
        'gr_' || translate(lpad(n::text, 26, 'a'), '0189', 'bcde')))).*
      from oauth_grants g join users u on u.id = g.user_id, generate_series(1, ${LIMITS.itemsPerPage}) n
      where u.email = '${name.toLowerCase()}@example.org'`),
    )
    const first = (await browser.get('/api/connections')).body
    const second = (await browser.get(`/api/connections?cursor=${first.nextCursor}`)).body
    const all = [...first.connections, ...second.connections].map(({ id }: { id: string }) => id)
    expect(all).toHaveLength(LIMITS.itemsPerPage + 1)
    expect(new Set(all).size).toBe(all.length)
    expect(second).not.toHaveProperty('nextCursor')
    expectRefused(await browser.get('/api/connections?cursor=nonsense'), 400, 'INVALID_INPUT')
  })

  test('the newest is first, whatever the ids are', async () => {
    await t.login(name, 'First')
    const [own] = await connections()
    // In base32, 2 is younger than z and sorts before it.
    const [newer, older] = [`gr_${'2'.repeat(26)}`, `gr_${'z'.repeat(26)}`]
    await t.database.query((orm) =>
      orm.execute(`
      insert into oauth_grants select (jsonb_populate_record(g, jsonb_build_object('id', other.id, 'created_at', g.created_at + by))).*
      from oauth_grants g, (values ('${newer}', interval '1 s'), ('${older}', interval '-1 s')) as other (id, by)
      where g.id = '${own?.id}'`),
    )
    expect((await connections()).map(({ id }) => id)).toEqual([newer, own?.id, older])
  })

  test('one that is ended opens nothing, its agents end, and the others go on', async () => {
    const claude = await atWork('Claude Code')
    const codex = await t.login(name, 'Codex')
    await claude.agent.claim('src/a')
    const id = (await connections()).find(({ clientName }) => clientName === 'Claude Code')?.id ?? ''
    const ended = await browser.delete(`/api/connections/${id}`)
    expect(ended).toMatchObject({ status: 200, body: { ended: { id, clientName: 'Claude Code' } } })
    expect([await opens(claude.accessToken), await opens(codex.accessToken)]).toEqual([401, 200])
    const [workspace] = (await browser.get('/api/workspaces')).body.workspaces
    expect((await browser.get(`/api/workspaces/${workspace.id}/claims`)).body.claims).toEqual([])
    expectRefused(await browser.delete(`/api/connections/${id}`), 404, 'NOT_FOUND')
  })

  test('somebody else’s is like one that does not exist', async () => {
    const { accessToken } = await t.login(name)
    const [mine] = await connections()
    const [, eve] = await inBrowser(`Eve${count}`)
    expectRefused(await eve.delete(`/api/connections/${mine?.id}`), 404, 'NOT_FOUND')
    expect(await opens(accessToken)).toBe(200)
  })

  test('no token sees or ends them, not even one with all scopes: it is for the person alone', async () => {
    const { accessToken } = await t.login(name)
    const { token } = (await browser.post('/api/tokens', { name: 'CI' })).body
    const [mine] = await connections()
    for (const rest of [withToken(accessToken), withToken(token.secret)]) {
      expectRefused(await rest.get('/api/connections'), 403, 'FORBIDDEN_TOKEN')
      expectRefused(await rest.delete(`/api/connections/${mine?.id}`), 403, 'FORBIDDEN_TOKEN')
      expectRefused(await rest.delete('/api/connections'), 403, 'FORBIDDEN_TOKEN')
    }
    expect(await opens(accessToken)).toBe(200)
  })
})

describe('ending everything', () => {
  test('first says exactly what would end, and has ended nothing', async () => {
    const { agent, accessToken } = await atWork('Claude Code')
    const { token } = (await browser.post('/api/tokens', { name: 'CI' })).body
    const { status, body } = await previewed()
    const [workspace] = (await browser.get('/api/workspaces')).body.workspaces
    expect(status).toBe(200)
    expect(body).toMatchObject({ preview: true, confirmToken: expect.any(String), expiresAt: expect.any(String) })
    expect(body.effects).toEqual({
      ends: { connections: 1, tokens: 1, browsers: 2, agents: 1, openConsents: 0 },
      thisBrowserToo: true,
      connections: [{ id: expect.stringMatching(/^gr_/u), clientName: 'Claude Code' }],
      tokens: [{ id: token.id, name: 'CI' }],
      agents: [{ agentId: agent.agentId, workspaceId: workspace.id }],
    })
    expect([await opens(accessToken), await opens(token.secret)]).toEqual([200, 200])
  })

  test('confirmed it ends every connection, token, agent and browser, this one too', async () => {
    const { agent, accessToken } = await atWork('Claude Code')
    await agent.claim('src/a')
    const { token } = (await browser.post('/api/tokens', { name: 'CI' })).body
    const [, other] = await inBrowser(name)
    const [workspace] = (await browser.get('/api/workspaces')).body.workspaces
    const done = await confirm(await previewed())
    expect(done).toMatchObject({
      status: 200,
      body: { ended: { connections: 1, tokens: 1, browsers: 3, agents: 1, openConsents: 0 } },
    })
    expect([await opens(accessToken), await opens(token.secret)]).toEqual([401, 401])
    for (const gone of [browser, other]) expectRefused(await gone.get('/api/workspaces'), 401, 'UNAUTHENTICATED')
    const [, again] = await inBrowser(name)
    const events = (await again.get(`/api/workspaces/${workspace.id}/events?limit=1000`)).body.events
    expect(events.map(({ type }: { type: string }) => type)).toEqual(
      expect.arrayContaining(['claim.released', 'session.ended']),
    )
    expect((await again.get('/api/connections')).body).toMatchObject({ connections: [], otherBrowsers: 0 })
  })

  test('may keep this browser, and then the token works once', async () => {
    const { accessToken } = await atWork('Claude Code')
    const [, other] = await inBrowser(name)
    const path = '/api/connections?keepThisBrowser=true'
    const preview = await browser.delete(path)
    expect(preview.body.effects).toMatchObject({ thisBrowserToo: false, ends: { browsers: 2 } })
    expect(await confirm(preview, path)).toMatchObject({ status: 200, body: { ended: { browsers: 2 } } })
    expect(await opens(accessToken)).toBe(401)
    expectRefused(await other.get('/api/workspaces'), 401, 'UNAUTHENTICATED')
    expect((await browser.get('/api/connections')).body).toMatchObject({ connections: [], otherBrowsers: 0 })
    expectRefused(await confirm(preview, path), 409, 'CONFIRM_STALE')
  })

  test.each([
    ['a client that is connected', () => t.login(name, 'Another')],
    ['a token that is made', () => browser.post('/api/tokens', { name: 'Another' })],
    ['a browser that signs in', () => inBrowser(name)],
    ['an agent that joins', (secret: string) => agentWith(secret).join()],
    ['a connection that ends', async () => browser.delete(`/api/connections/${(await connections())[0]?.id}`)],
  ])('%s in between spoils the token, and nothing ends', async (_what, happen) => {
    await t.login(name, 'Claude Code')
    const { secret } = (await browser.post('/api/tokens', { name: 'CI' })).body.token
    const preview = await previewed()
    await happen(secret)
    expectRefused(await confirm(preview), 409, 'CONFIRM_STALE')
    expect(await opens(secret)).toBe(200)
  })

  test('what is only used in between spoils nothing', async () => {
    const { agent, accessToken } = await atWork('Claude Code')
    const preview = await previewed()
    await agent.claim('src/a')
    expect(await opens(accessToken)).toBe(200)
    expect((await confirm(preview)).status).toBe(200)
  })

  test('the token is bound to the person and to what is kept', async () => {
    const { accessToken } = await t.login(name)
    const preview = await previewed()
    expectRefused(await confirm(preview, '/api/connections?keepThisBrowser=true'), 409, 'CONFIRM_INVALID')
    const [, eve] = await inBrowser(`Eve${count}`)
    expectRefused(await confirm(preview, '/api/connections', eve), 409, 'CONFIRM_INVALID')
    expectRefused(await browser.delete('/api/connections', { 'confirm-token': 'nonsense' }), 409, 'CONFIRM_INVALID')
    expect(await opens(accessToken)).toBe(200)
  })

  test('a consent that no client has redeemed yet ends too: its code is good for nothing', async () => {
    const redirectUri = 'http://127.0.0.1:19876/callback'
    const clientId = await registerClient(t.fetch, t.publicUrl, { client_name: 'Late', redirect_uris: [redirectUri] })
    const pkce = newPkce()
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: pkce.challenge,
      code_challenge_method: 'S256',
      resource: `${t.publicUrl}/api/mcp`,
      scope: 'mcp:read',
    })
    const page = await visit.open(`/oauth/authorize?${query.toString()}`)
    const allowed = await visit.submit(page, formTo(page, '/oauth/authorize'), {}, 'decision=allow')
    const code = new URL(allowed.leftTo ?? 'none:').searchParams.get('code') ?? ''
    const preview = await previewed()
    expect(preview.body.effects.ends).toMatchObject({ connections: 0, openConsents: 1 })
    expect((await confirm(preview)).status).toBe(200)
    const form = { grant_type: 'authorization_code', client_id: clientId, code, code_verifier: pkce.verifier }
    const answer = await t.fetch('/api/oauth/token', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_grant' }])
  })

  test('of two that confirm at once one ends everything, and the other is told so', async () => {
    await atWork('Claude Code')
    const path = '/api/connections?keepThisBrowser=true'
    const preview = await browser.delete(path)
    const answers = await Promise.all([confirm(preview, path), confirm(preview, path)])
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
    const [workspace] = (await browser.get('/api/workspaces')).body.workspaces
    const { events } = (await browser.get(`/api/workspaces/${workspace.id}/events?limit=1000`)).body
    expect(events.filter(({ type }: { type: string }) => type === 'session.ended')).toHaveLength(1)
  })
})
