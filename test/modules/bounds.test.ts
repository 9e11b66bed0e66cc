import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { adjustLimits, LIMITS } from '../../src/kernel/limits.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { expectRefused, freshTeam, type Team } from '../support/team.ts'

// The bounds of a workspace and of a person, set by LIMITS as whoever runs the server sets them.

const TEXT =
  'membersPerWorkspace=2,reposPerWorkspace=2,invitesPerWorkspace=2,sessionsPerWorkspace=2,sessionsPerGrant=3,' +
  'claimsPerSession=2,valuesPerWorkspace=3,valueBytesPerWorkspace=100,workspacesPerUser=2,tokensPerUser=2'

let t: TestApp
let team: Team
beforeAll(async () => {
  adjustLimits(loadConfig({ LIMITS: TEXT }).limits)
  t = await createTestApp()
})
afterAll(() => t.close())
beforeEach(async () => {
  team = await freshTeam(t)
})

const tooMany = (what: string, max: number) => ({ code: 'WORKSPACE_LIMIT', what, count: max, max })

test('members: one more is not let in, and the invitation stays good for when there is room', async () => {
  const { secret } = await team.invite('member', { maxUses: 5 })
  expect(await team.accept(team.bob, secret)).toMatchObject({ status: 200 })
  const eve = await team.person(`Eve${team.n}`)
  const refused = await team.accept(eve, secret)
  expectRefused(refused, 409, 'WORKSPACE_LIMIT')
  expect(refused.body).toMatchObject({ ...tooMany('members', 2), detail: 'There can be at most 2 members.' })
  const { members } = (await team.ada.rest.get(`${team.at}/members`)).body
  expect(members).toHaveLength(2)
  await team.ada.rest.confirmed('DELETE', `${team.at}/members/${team.bob.userId}`)
  expect(await team.accept(eve, secret)).toMatchObject({ status: 200 })
})

test('repositories: one more is not bound', async () => {
  const bind = (name: string) =>
    team.ada.rest.post('/api/workspaces', {
      action: 'bind-repo',
      workspaceId: team.id,
      repoUrl: `https://example.org/acme/${name}`,
    })
  expect((await bind('second')).status).toBe(201)
  const refused = await bind('third')
  expectRefused(refused, 409, 'WORKSPACE_LIMIT')
  expect(refused.body).toMatchObject(tooMany('repositories', 2))
  expect((await bind('second')).status).toBeLessThan(300)
})

test('invitations: one more is not made while two are open', async () => {
  const [first] = [await team.invite(), await team.invite()]
  const refused = await team.ada.rest.post(`${team.at}/invites`, { role: 'member' })
  expectRefused(refused, 409, 'WORKSPACE_LIMIT')
  expect(refused.body).toMatchObject(tooMany('open invitations', 2))
  await team.ada.rest.delete(`${team.at}/invites/${first.inviteId}`)
  expect(await team.ada.rest.post(`${team.at}/invites`, { role: 'member' })).toMatchObject({ status: 201 })
})

test('agents: one more does not join, whoever’s it is; one that is there comes back', async () => {
  const join = async (agentId: string) => team.ada.agent.join({ agentId, workspaceId: team.id })
  expect([await join('one'), await join('two')]).toMatchObject([{ ok: true }, { ok: true }])
  await team.admit(team.bob, 'member')
  expect(await team.bob.agent.join({ workspaceId: team.id })).toMatchObject({
    ok: false,
    error: tooMany('agents', 2),
  })
  expect(await join('two')).toMatchObject({ ok: true, session: { resumed: true } })
})

test('agents of one sign-in: one more does not join any of the person’s workspaces', async () => {
  const other = (await team.ada.rest.post('/api/workspaces', { name: 'Other' })).body.workspace.id
  const join = async (agentId: string, workspaceId: string) => team.ada.agent.join({ agentId, workspaceId })
  await join('one', team.id)
  await join('two', team.id)
  expect(await join('three', other)).toMatchObject({ ok: true })
  expect(await join('four', other)).toMatchObject({ ok: false, error: { code: 'SESSION_LIMIT' } })
})

test('claims of an agent, and with it of a workspace: one more is not held; renewing is none more', async () => {
  const { agent } = team.ada
  await agent.ready()
  expect([await agent.claim('a'), await agent.claim('b')]).toMatchObject([{ ok: true }, { ok: true }])
  expect(await agent.claim('c')).toMatchObject({ ok: false, error: { code: 'CLAIM_LIMIT' } })
  expect(await agent.claim('b')).toMatchObject({ ok: true, renewed: true })
})

test('values: neither more nor larger ones than there may be; replacing and deleting go on', async () => {
  const write = (key: string, value: unknown) => team.ada.rest.put(`${team.at}/values/${key}`, value)
  for (const key of ['a', 'b', 'c']) expect((await write(key, 1)).status).toBeLessThan(300)
  expectRefused(await write('d', 1), 409, 'VALUES_LIMIT')
  expect((await write('c', 2)).status).toBe(200)
  expectRefused(await write('c', 'x'.repeat(120)), 409, 'VALUES_LIMIT')
  expect((await team.ada.rest.get(`${team.at}/values`)).body.values).toMatchObject([
    { key: 'a', value: 1 },
    { key: 'b', value: 1 },
    { key: 'c', value: 2 },
  ])
})

test('workspaces of a person: one more is not founded, nor come into', async () => {
  expect(await team.ada.rest.post('/api/workspaces', { name: 'Second' })).toMatchObject({ status: 201 })
  const refused = await team.ada.rest.post('/api/workspaces', { name: 'Third' })
  expectRefused(refused, 409, 'WORKSPACE_LIMIT')
  expect(refused.body).toMatchObject(tooMany('workspaces of a person', 2))
  for (const name of ['Bobs', 'Other']) await team.bob.rest.post('/api/workspaces', { name })
  expectRefused(await team.accept(team.bob, (await team.invite()).secret), 409, 'WORKSPACE_LIMIT')
})

test('every bound of LIMITS is one that there is', () => {
  expect(Object.keys(loadConfig({ LIMITS: TEXT }).limits).every((name) => name in LIMITS)).toBe(true)
  expect(LIMITS).toMatchObject({ membersPerWorkspace: 2, tokensPerUser: 2 })
})
