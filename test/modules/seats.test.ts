import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createAgent, GIT, type Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { restClient } from '../support/rest.ts'

// A replica remembers which session the calls of a sign-in are for. Whatever happens on another one, which never tells it,
// the next call is for the session that it would be looked up for.

let t: TestApp
let other: ReturnType<TestApp['replica']>
let people = 0
let accessToken: string
let name: string
/** The same sign-in on one replica and on the other; calls name no agentId unless a test does. */
let here: Agent
let there: Agent
beforeAll(async () => {
  t = await createTestApp()
  other = t.replica({}, 'deaf')
})
afterAll(async () => {
  await other.close()
  await t.close()
})
beforeEach(async () => {
  people += 1
  name = `Ada${people}`
  accessToken = (await t.login(name)).accessToken
  ;[here, there] = [agentHere(accessToken), agentThere(accessToken)]
  await here.join()
  expect((await read(here))['agents']).toMatchObject([{ agentId: here.agentId }])
})

const agentHere = (token: string) => createAgent(t.fetch, `${t.publicUrl}/api/mcp`, token)
const agentThere = (token: string) =>
  createAgent(async (url, init) => other.app.http.request(url, init), `${t.publicUrl}/api/mcp`, token)
const read = (agent: Agent, agentId?: string) => agent.call('read_team_state', { agentId })
const code = async (agent: Agent, agentId?: string) => (await read(agent, agentId))['error']?.code

test('a second agent joins elsewhere: who names none is asked which, at once, and each is found by its name', async () => {
  await there.join()
  expect(await code(here)).toBe('AGENT_AMBIGUOUS')
  for (const agentId of [here.agentId, there.agentId]) {
    for (const replica of [here, there]) expect(await code(replica, agentId)).toBeUndefined()
  }
})

test('a claim goes to the agent that names itself, not to the one that was remembered', async () => {
  await there.join()
  await there.call('identify_intent', { userPrompt: 'Add a button', forceIntent: 'implement' })
  await read(there, there.agentId)
  const claimed = await here.call('claim_scope', {
    agentId: there.agentId,
    paths: ['src'],
    expectedStateHash: there.stateHash,
  })
  expect(claimed.ok).toBe(true)
  const { activeClaims } = await read(here, here.agentId)
  expect(activeClaims).toMatchObject([{ agentId: there.agentId, mine: false }])
})

test('the only agent ends elsewhere, and another takes its place: the next call is for that one', async () => {
  const rest = restClient(async (url, init) => other.app.http.request(new URL(url, t.publicUrl), init), {
    authorization: `Bearer ${accessToken}`,
  })
  const workspaceId = (await rest.get('/api/workspaces')).body.workspaces[0].id
  const [session] = (await rest.get(`/api/workspaces/${workspaceId}/sessions`)).body.sessions
  await rest.confirmed('DELETE', `/api/workspaces/${workspaceId}/sessions/${session.id}`, { reason: 'stuck' })
  expect(await code(here)).toBe('NOT_JOINED')
  await there.join()
  expect(await read(here)).toMatchObject({ ok: true, agents: [{ agentId: there.agentId }] })
})

test('the session goes on through another sign-in elsewhere: the first one is told so, and the new one is served', async () => {
  const second = (await t.login(name)).accessToken
  const resumed = agentThere(second)
  await resumed.join({ agentId: here.agentId })
  expect((await read(here, here.agentId))['error']).toMatchObject({ code: 'NOT_JOINED', reason: 'resumed_elsewhere' })
  expect(await code(here)).toBe('NOT_JOINED')
  expect(await code(agentHere(second))).toBeUndefined()
  // And back again.
  await here.join({ agentId: here.agentId })
  expect([await code(here), await code(agentHere(second))]).toEqual([undefined, 'NOT_JOINED'])
})

test('the same name in another workspace: calls are for the one that was joined last', async () => {
  const rest = restClient(t.fetch, { authorization: `Bearer ${accessToken}` })
  const remote = 'git@github.com:acme/gadgets.git'
  const workspaceId = (await rest.post('/api/workspaces', { name: 'Gadgets', repoUrl: remote })).body.workspace.id
  await read(here, here.agentId)
  await there.join({ workspaceId, agentId: here.agentId }, { ...GIT, remote })
  const { agentId } = here
  await here.call('identify_intent', { agentId, userPrompt: 'Add a button', forceIntent: 'implement' })
  await read(here, agentId)
  expect(await here.call('claim_scope', { agentId, paths: ['src'], expectedStateHash: here.stateHash })).toMatchObject({
    ok: true,
  })
  expect((await rest.get(`/api/workspaces/${workspaceId}/claims`)).body.claims).toMatchObject([{ agentId }])
})
