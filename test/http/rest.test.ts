import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../support/app.ts'
import { visitor } from '../support/oauth.ts'
import { enter } from '../support/oauth.ts'

let t: TestApp
let bearer: { authorization: string }
beforeAll(async () => {
  t = await createTestApp()
  bearer = { authorization: `Bearer ${(await t.login('Ada')).accessToken}` }
})
afterAll(() => t.close())

const post = (body: unknown, headers: Record<string, string>) =>
  t.fetch('/api/workspaces', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

test('a person creates workspaces and switches between them; the newest is active', async () => {
  const first = (await (await post({ name: 'First' }, bearer)).json()) as { workspace: { id: string } }
  const created = await post({ action: 'create', name: 'Second' }, bearer)
  expect(created.status).toBe(201)
  const list = async () => {
    const { workspaces } = (await (await t.fetch('/api/workspaces', { headers: bearer })).json()) as {
      workspaces: { name: string; active: boolean; role: string }[]
    }
    return workspaces.map(({ name, active, role }) => ({ name, active, role }))
  }
  expect(await list()).toEqual([
    { name: 'First', active: false, role: 'owner' },
    { name: 'Second', active: true, role: 'owner' },
  ])
  const switched = await post({ action: 'switch', workspaceId: first.workspace.id }, bearer)
  expect([switched.status, ((await switched.json()) as { workspace: object }).workspace]).toMatchObject([
    200,
    { name: 'First', active: true },
  ])
  expect((await list()).map(({ active }) => active)).toEqual([true, false])
})

test('an agent that joins takes its repository to the active workspace, which has none yet', async () => {
  const agent = await t.agent('Ada')
  expect(await agent.join()).toMatchObject({
    workspace: { name: 'First' },
    repo: { canonicalRemote: 'github.com/acme/widgets' },
  })
})

test('the journal is read in pages that say where to go on', async () => {
  const { workspaces } = (await (await t.fetch('/api/workspaces', { headers: bearer })).json()) as {
    workspaces: { id: string }[]
  }
  const seen: number[] = []
  for (let after = 0, more = true; more;) {
    const page = (await (
      await t.fetch(`/api/workspaces/${workspaces[0]?.id}/events?after=${after}&limit=2`, { headers: bearer })
    ).json()) as { events: { seq: number }[]; nextAfter: number; hasMore: boolean }
    seen.push(...page.events.map(({ seq }) => seq))
    after = page.nextAfter
    more = page.hasMore
  }
  expect(seen).toEqual(seen.map((_, index) => index + 1))
  expect(seen.length).toBeGreaterThan(3)
})

test('what somebody else has is answered exactly like what does not exist', async () => {
  const { workspaces } = (await (await t.fetch('/api/workspaces', { headers: bearer })).json()) as {
    workspaces: { id: string }[]
  }
  const mallory = { authorization: `Bearer ${(await t.login('Mallory')).accessToken}` }
  const answer = async (id: string | undefined) => {
    const response = await t.fetch(`/api/workspaces/${id}/events`, { headers: mallory })
    const { requestId: _requestId, ...body } = (await response.json()) as Record<string, unknown>
    return { status: response.status, body }
  }
  expect(await answer(workspaces[0]?.id)).toEqual(await answer('ws_nothing'))
  expect((await answer('ws_nothing')).status).toBe(404)
})

test('a browser session reads, and writes only from our own pages', async () => {
  const browser = visitor(t.fetch, t.publicUrl)
  await enter(browser, { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' })
  const cookie = { cookie: browser.cookie() }
  expect((await t.fetch('/api/workspaces', { headers: cookie })).status).toBe(200)
  expect(
    (await post({ name: 'Forged' }, { ...cookie, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }))
      .status,
  ).toBe(403)
  expect(
    (await post({ name: 'Mine' }, { ...cookie, 'sec-fetch-site': 'same-origin', origin: t.publicUrl })).status,
  ).toBe(201)
})

test('without a token REST is 401 with the way to get one, and faults are problem details', async () => {
  const anonymous = await t.fetch('/api/workspaces')
  expect(anonymous.status).toBe(401)
  expect(anonymous.headers.get('www-authenticate')).toContain('resource_metadata=')
  const faulty = await post({ action: 'explode' }, bearer)
  expect(faulty.status).toBe(400)
  expect(faulty.headers.get('content-type')).toBe('application/problem+json')
  expect(await faulty.json()).toMatchObject({ status: 400, code: 'INVALID_INPUT', issues: [{ path: 'action' }] })
})
