/** The account log of a person whose programs speak MCP. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAgent, GIT } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { auditedPeople, said } from './audited.ts'

let t: TestApp
beforeAll(async () => {
  t = await createTestApp({ env: { TRUST_PROXY: '1' } })
})
afterAll(() => t.close())

const { somebody, holds } = auditedPeople(() => t)

test('what an agent is refused over MCP: which tool or method, which token, and in which workspace', async () => {
  const ada = await somebody()
  const workspaceId: string = (await ada.rest.post('/api/workspaces', { name: 'widgets', repoUrl: GIT.remote })).body
    .workspace.id
  const bob = await somebody()
  const { link } = (await ada.rest.post(`/api/workspaces/${workspaceId}/invites`, { role: 'viewer' })).body
  await bob.rest.post('/api/invites/accept', { secret: link.split('/').at(-1) })
  const agentWith = async (...scopes: string[]) => {
    const { token } = (await bob.rest.post('/api/tokens', { name: 'CI', scopes })).body
    const actor = { kind: 'token', userId: bob.userId, grantId: token.id }
    return { agent: createAgent(t.fetch, `${t.publicUrl}/api/mcp`, token.secret), actor }
  }
  const [reader, writer, both] = [
    await agentWith('mcp:read'),
    await agentWith('mcp:write'),
    await agentWith('mcp:read', 'mcp:write'),
  ]
  await bob.news()
  const refused = async (actor: object, code: string, operation: string, place: string | null) => {
    const payload = { code, operation, workspaceId: place, unrecorded: 0 }
    expect(said(await bob.news())).toEqual([['access.refused', actor, payload]])
  }

  await both.agent.join({ workspaceId })
  expect(await bob.news()).toEqual([])
  expect((await both.agent.claim('src/a'))['error'].code).toBe('FORBIDDEN_ROLE')
  await refused(both.actor, 'FORBIDDEN_ROLE', 'claim_scope', workspaceId)

  await reader.agent.join({ workspaceId })
  expect((await reader.agent.call('release_claim', {}))['error'].code).toBe('FORBIDDEN_SCOPE')
  await refused(reader.actor, 'FORBIDDEN_SCOPE', 'release_scope', workspaceId)

  expect((await writer.agent.join({ workspaceId }))['error'].code).toBe('FORBIDDEN_SCOPE')
  await refused(writer.actor, 'FORBIDDEN_SCOPE', 'join_workspace', null)
  const uri = `orkestrate://workspaces/${workspaceId}/state`
  for (const [method, params] of [
    ['resources/list', {}],
    ['resources/read', { uri }],
  ] as const) {
    await writer.agent.post({ jsonrpc: '2.0', id: 1, method, params })
    await refused(writer.actor, 'FORBIDDEN_SCOPE', method, null)
  }

  // Faults of the call, and of the order of calls, are nobody's attempt at what they may not do.
  await both.agent.call('claim_scope', { paths: 'x' })
  await reader.agent.post({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'orkestrate://nothing' } })
  expect(await bob.news()).toEqual([])
  await holds(bob)
})

test('an agent’s first join founds a workspace, on record as what a program of the person did', async () => {
  const ada = await somebody()
  const { accessToken } = await ada.connect()
  await ada.news()
  const joined = await createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken).join()
  expect(said(await ada.news())).toMatchObject([
    [
      'membership.began',
      { kind: 'token', userId: ada.userId },
      { workspaceId: joined['workspace'].id, how: 'founded' },
    ],
  ])
})
