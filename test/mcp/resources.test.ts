import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defineEvent, SYSTEM } from '../../src/journal/event.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import { rpcMessage } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { modernPost } from '../support/modern.ts'
import { enter, postForm, visitor, type ObtainedTokens } from '../support/oauth.ts'
import { restClient } from '../support/rest.ts'
import { freshTeam, type Team } from '../support/team.ts'

const HAPPENED = defineEvent<{ text: string }>('test.happened', { teamState: false })

let t: TestApp
let team: Team
let ada: ObtainedTokens
beforeAll(async () => {
  t = await createTestApp()
  team = await freshTeam(t)
  ada = await t.login(`Ada${team.n}`)
})
afterAll(() => t.close())

const uri = (name: string, id = team.id) => `orkestrate://workspaces/${id}/${name}`

/** Calls a method in both generations, which answer the same; the newer one says more. */
async function call(method: string, params: Record<string, unknown> = {}, token = ada.accessToken) {
  const modern = await rpcMessage(await modernPost(t.fetch, token, method, params))
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
  }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const legacy = await rpcMessage(await t.fetch('/api/mcp', { method: 'POST', headers, body }))
  expect(legacy.error).toEqual(modern.error)
  return modern
}

async function read(of: string, token = ada.accessToken) {
  const { result, error } = await call('resources/read', { uri: of }, token)
  return error === undefined ? JSON.parse(result.contents[0].text) : { error }
}

async function personalToken(name: string, more: object): Promise<string> {
  const person = { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` }
  const browser = visitor(t.fetch, t.publicUrl)
  await enter(browser, person)
  const rest = restClient(t.fetch, { cookie: browser.cookie(), 'sec-fetch-site': 'same-origin' })
  return (await rest.post('/api/tokens', { name: 'x', ...more })).body.token.secret
}

test('the resources of the caller’s workspaces are listed, and may be kept for a short time by the caller alone', async () => {
  const { result } = await call('resources/list')
  expect(result.resources.map((one: { uri: string }) => one.uri)).toEqual(
    ['claims', 'state', 'events'].map((n) => uri(n)),
  )
  expect(result).toMatchObject({ cacheScope: 'private', ttlMs: 10_000 })
  const templates = await call('resources/templates/list')
  expect(templates.result.resourceTemplates).toMatchObject([
    {
      name: 'claims',
      uriTemplate: 'orkestrate://workspaces/{workspaceId}/claims{?cursor}',
      mimeType: 'application/json',
    },
    { name: 'state', uriTemplate: 'orkestrate://workspaces/{workspaceId}/state{?path,cursor}' },
    { name: 'events', uriTemplate: 'orkestrate://workspaces/{workspaceId}/events{?after,limit}' },
  ])
})

test('they are listed in pages, and a cursor that is none is refused', async () => {
  const name = `Pager${team.n}`
  const { accessToken } = await t.login(name)
  const rest = restClient(t.fetch, { authorization: `Bearer ${accessToken}` })
  const ids: string[] = []
  for (let n = 0; n <= LIMITS.workspacesPerResourcePage; n += 1) {
    ids.push((await rest.post('/api/workspaces', { name: `W${n}` })).body.workspace.id)
  }
  const first = (await call('resources/list', {}, accessToken)).result
  const second = (await call('resources/list', { cursor: first.nextCursor }, accessToken)).result
  expect(first.resources).toHaveLength(3 * LIMITS.workspacesPerResourcePage)
  expect(second.nextCursor).toBeUndefined()
  expect([...first.resources, ...second.resources].map((one) => one.uri)).toEqual(
    ids.flatMap((id) => ['claims', 'state', 'events'].map((n) => uri(n, id))),
  )
  expect((await call('resources/list', { cursor: team.id }, accessToken)).error).toMatchObject({
    code: -32602,
    data: { code: 'INVALID_INPUT' },
  })
})

test('a resource says what REST says', async () => {
  await team.ada.agent.ready()
  await team.ada.agent.claim('src/a')
  for (const path of ['claims', 'state', 'events?after=2&limit=2']) {
    const { body } = await team.ada.rest.get(`${team.at}/${path}`)
    const seen = await read(uri(path))
    // Seconds pass between the two.
    const timeless = (value: unknown) => JSON.stringify(value).replaceAll(/"expiresInSeconds":\d+/gu, '')
    expect(timeless(seen)).toBe(timeless(body))
  }
  expect(await read(uri('state?path=src/b'))).toMatchObject({ activeClaims: [] })
})

test('pages are bounded, and each names where the next begins', async () => {
  const other = await freshTeam(t)
  const { accessToken } = await t.login(`Ada${other.n}`)
  const chars = Math.ceil(LIMITS.resourcePageBytes / 3)
  const last = await t.app.journal.change({ workspace: other.id }, async (ws) => {
    for (let n = 0; n < 7; n += 1) ws.append(HAPPENED, { text: 'x'.repeat(chars) }, SYSTEM)
    return ws.nextSeq - 1
  })
  const seen: number[] = []
  for (let page = { nextAfter: 0, hasMore: true }; page.hasMore;) {
    const next = await read(uri(`events?after=${page.nextAfter}`, other.id), accessToken)
    expect(JSON.stringify(next, null, 2).length).toBeLessThan(LIMITS.resourcePageBytes * 1.1)
    seen.push(...next.events.map((event: { seq: number }) => event.seq))
    page = next
  }
  expect(seen).toEqual(Array.from({ length: last }, (_, n) => n + 1))
})

describe('who may not read', () => {
  test('sees of another workspace what there is of none: -32602 with the URI', async () => {
    const others = await freshTeam(t)
    const { result } = await call('resources/list')
    expect(JSON.stringify(result)).not.toContain(others.id)
    for (const name of ['state', 'claims', 'events', 'events?limit=0x']) {
      const answers = await Promise.all([others.id, 'ws_missing'].map((id) => read(uri(name, id))))
      const [theirs, none] = answers.map(({ error }) => JSON.stringify(error).replaceAll(/ws_\w+/gu, ''))
      expect(theirs).toBe(none)
      if (!name.includes('?')) {
        expect(answers[0]).toMatchObject({ error: { code: -32602, data: { uri: uri(name, others.id) } } })
      }
    }
  })

  test.each([
    'test://nothing',
    'orkestrate://workspaces',
    'orkestrate://workspaces/ws_x/members',
    'orkestrate://workspaces/ws_x/state/',
    'orkestrate://workspaces/../state',
    `orkestrate://workspaces/ws_x/state?cursor=${'x'.repeat(3_000)}`,
  ])('finds nothing at %.60s', async (strange) => {
    expect(await read(strange)).toMatchObject({ error: { code: -32602, data: { uri: strange } } })
  })

  test('learns which part of a query is wrong', async () => {
    expect(await read(uri('events?after=x'))).toMatchObject({
      error: { code: -32602, data: { code: 'INVALID_INPUT', issues: [{ path: 'after' }] } },
    })
  })

  test('a viewer reads; one who was removed does not', async () => {
    await team.admit(team.bob, 'viewer')
    const { accessToken } = await t.login(`Bob${team.n}`)
    expect(await read(uri('state'), accessToken)).toMatchObject({ agents: [{}] })
    await team.ada.rest.confirmed('DELETE', `${team.at}/members/${team.bob.userId}`)
    expect(await read(uri('state'), accessToken)).toMatchObject({ error: { code: -32602 } })
    expect((await call('resources/list', {}, accessToken)).result.resources).toEqual([])
  })

  test('a token that is bound to a workspace finds no other, and one without mcp:read none', async () => {
    const two = (await team.ada.rest.post('/api/workspaces', { name: 'Two' })).body.workspace.id
    const bound = await personalToken(`Ada${team.n}`, { workspaceId: two })
    expect((await call('resources/list', {}, bound)).result.resources).toHaveLength(3)
    expect(await read(uri('state', two), bound)).toMatchObject({ agents: [] })
    expect(await read(uri('state'), bound)).toMatchObject({ error: { code: -32602, data: { uri: uri('state') } } })
    const writer = await personalToken(`Ada${team.n}`, { scopes: ['mcp:write'] })
    expect(await read(uri('state'), writer)).toMatchObject({
      error: { code: -32600, data: { code: 'FORBIDDEN_SCOPE', requiredScope: 'mcp:read' } },
    })
    expect((await call('resources/list', {}, writer)).error).toMatchObject({ data: { code: 'FORBIDDEN_SCOPE' } })
  })

  test('a revoked token is 401, before anything else', async () => {
    const { accessToken, clientId } = await t.login(`Ada${team.n}`)
    await postForm(t.fetch, `${t.publicUrl}/api/oauth/revoke`, { token: accessToken, client_id: clientId })
    expect((await modernPost(t.fetch, accessToken, 'resources/read', { uri: uri('state') })).status).toBe(401)
  })
})
