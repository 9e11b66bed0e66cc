import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'

let t: TestApp
let ada: Agent
let bob: Agent
let dir = ''
let count = 0

beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())
beforeEach(async () => {
  count += 1
  dir = `area-${count}`
  ada = await t.agent('Ada', 'Claude Code')
  bob = await t.agent('Ada', 'Codex')
})

const declare = (agent: Agent, forceIntent: string, more: object = {}) =>
  agent.call('identify_intent', { userPrompt: 'the task', forceIntent, ...more })

test('without a declared task writing is refused, and the answer names identify_intent', async () => {
  await ada.join()
  await ada.call('read_team_state')
  expect(await ada.claim(`${dir}/a`)).toMatchObject({
    error: { code: 'WORKFLOW_REQUIRED' },
    nextRequiredTool: 'identify_intent',
  })
})

test('a step out of order is refused with the tool that comes first, and that tool is then accepted', async () => {
  await ada.join()
  await declare(ada, 'implement')
  const early = await ada.claim(`${dir}/a`)
  expect(early).toMatchObject({ error: { code: 'WORKFLOW_STEP_VIOLATION' }, nextRequiredTool: 'read_team_state' })
  expect(early['allowedTools']).not.toContain('claim_scope')
  const read = await ada.call('read_team_state')
  expect(read['nextRequiredTool']).toBe('claim_scope')
  expect(await ada.call('update_my_state', { content: { objective: 'x' } })).toMatchObject({
    error: { code: 'WORKFLOW_STEP_VIOLATION' },
    nextRequiredTool: 'claim_scope',
  })
})

test.each(['plan', 'review', 'observe', 'delegate', 'handoff'])(
  'an intent that does not edit cannot claim: %s',
  async (intent) => {
    await ada.join()
    expect(await declare(ada, intent)).toMatchObject({ ok: true, editable: false, confidence: 1 })
    await ada.call('read_team_state')
    expect(await ada.claim(`${dir}/a`)).toMatchObject({ error: { code: 'INTENT_DISALLOWS_WRITE' } })
    expect(await ada.call('update_my_state', { content: { objective: 'o', footprint: ['a'] } })).toMatchObject({
      error: { code: 'INTENT_DISALLOWS_WRITE' },
    })
    const published = await ada.call('update_my_state', { content: { objective: 'look at it' } })
    expect(published).toMatchObject({ ok: true, phase: 'active' })
    const done = await ada.call('update_my_state', { content: { objective: 'looked at it', status: 'done' } })
    expect(done).toMatchObject({ ok: true, phase: 'joined', nextRequiredTool: 'identify_intent' })
  },
)

test('a change that touches the request refuses it with the changes and the hash; that hash is enough to go on', async () => {
  await ada.ready()
  await bob.ready()
  const stale = ada.stateHash
  const { claim } = await bob.claim(`${dir}/a`)
  await bob.call('release_scope', { claimId: claim.claimId })
  const refused = await ada.call('claim_scope', { expectedStateHash: stale, paths: [`${dir}/a/b`] })
  expect(refused).toMatchObject({
    error: {
      code: 'STATE_CHANGED',
      changes: expect.arrayContaining([expect.objectContaining({ type: 'claim.acquired' })]) as unknown,
    },
    nextRequiredTool: 'read_team_state',
    phase: 'synced',
  })
  const again = await ada.call('claim_scope', { expectedStateHash: stale, paths: [`${dir}/a/b`] })
  expect(again).toMatchObject({ error: { code: 'WORKFLOW_RESYNC_REQUIRED' }, nextRequiredTool: 'read_team_state' })
  expect(
    await ada.call('claim_scope', { expectedStateHash: refused['stateHash'], paths: [`${dir}/a/b`] }),
  ).toMatchObject({
    ok: true,
  })
})

test('a change elsewhere refuses nothing', async () => {
  await ada.ready()
  await bob.ready()
  const stale = ada.stateHash
  await bob.claim(`${dir}/elsewhere`)
  await bob.call('update_my_state', { content: { objective: 'o', footprint: [`${dir}/elsewhere/x`] } })
  expect(await ada.call('claim_scope', { expectedStateHash: stale, paths: [`${dir}/here`] })).toMatchObject({
    ok: true,
  })
})

test('a holder whose hash went stale keeps claim and phase, and reading clears it', async () => {
  await ada.ready()
  const stale = ada.stateHash
  const { claim } = await ada.claim(`${dir}/a`)
  await ada.call('update_my_state', { content: { objective: 'working' } })
  const refused = await ada.call('update_my_state', {
    expectedStateHash: `${stale.split('-')[0]}-0000000000000000`,
    content: { objective: 'still working' },
  })
  expect(refused).toMatchObject({
    error: { code: 'STATE_HASH_UNKNOWN' },
    phase: 'active',
    nextRequiredTool: 'read_team_state',
  })
  const read = await ada.call('read_team_state')
  expect(read).toMatchObject({ phase: 'active', nextRequiredTool: null })
  expect(read['activeClaims'].map((c: { claimId: string }) => c.claimId)).toContain(claim.claimId)
  expect(await ada.call('update_my_state', { content: { objective: 'still working' } })).toMatchObject({ ok: true })
})

test('a footprint outside the own claims is refused with the paths that are missing', async () => {
  await ada.ready()
  await ada.claim(`${dir}/a`)
  const refused = await ada.call('update_my_state', {
    content: { objective: 'o', footprint: [`${dir}/a/x.ts`, `${dir}/b`] },
  })
  expect(refused).toMatchObject({ error: { code: 'FOOTPRINT_OUTSIDE_CLAIM', missing: [`${dir}/b`] } })
})

test('a chain starts the next intent when one is done, and ends in the open', async () => {
  await ada.join()
  expect(await declare(ada, 'review', { chain: ['implement'] })).toMatchObject({
    run: { chainRemaining: ['implement'] },
  })
  await ada.call('read_team_state')
  const next = await ada.call('update_my_state', { content: { objective: 'reviewed', status: 'done' } })
  expect(next).toMatchObject({ phase: 'identified', nextRequiredTool: 'read_team_state' })
  await ada.call('read_team_state')
  const { claim } = await ada.claim(`${dir}/a`)
  await ada.call('update_my_state', { content: { objective: 'done', status: 'done' } })
  const end = await ada.call('release_scope', { claimId: claim.claimId })
  expect(end).toMatchObject({ phase: 'joined', nextRequiredTool: 'identify_intent' })
})

test('a new task ends the running one, on record, and its claims stay', async () => {
  await ada.ready()
  await ada.claim(`${dir}/a`)
  await declare(ada, 'implement')
  const read = await ada.call('read_team_state')
  expect(read['activeClaims'].filter((c: { mine: boolean }) => c.mine)).toHaveLength(1)
  expect(await ada.claim(`${dir}/a`)).toMatchObject({ renewed: true, phase: 'claimed' })
})

test('run, phase and claims survive a restart of the server', async () => {
  await ada.ready()
  await ada.claim(`${dir}/a`)
  const { accessToken } = await t.login('Ada', 'Claude Code')
  const replica = t.replica()
  const { createAgent } = await import('../support/agent.ts')
  const resumed = createAgent((url, init) => replica.app.http.request(url, init), `${t.publicUrl}/api/mcp`, accessToken)
  const joined = await resumed.join({ agentId: ada.agentId })
  expect(joined).toMatchObject({ session: { resumed: true }, phase: 'claimed', nextRequiredTool: 'update_my_state' })
  expect(joined['claims']).toMatchObject([{ paths: [`${dir}/a`] }])
  await replica.close()
})

test('a handoff ends by releasing what is held', async () => {
  await ada.ready()
  const { claim } = await ada.claim(`${dir}/a`)
  await bob.join()
  await declare(ada, 'handoff', { targetAgentId: bob.agentId })
  await ada.call('read_team_state')
  const published = await ada.call('update_my_state', { content: { objective: 'hand over', status: 'handoff' } })
  expect(published).toMatchObject({ phase: 'active', nextRequiredTool: 'release_scope' })
  const end = await ada.call('release_scope', { claimId: claim.claimId, reason: 'handoff' })
  expect(end).toMatchObject({ ok: true, phase: 'joined' })
})
