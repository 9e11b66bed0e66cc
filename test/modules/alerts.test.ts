import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { exportEvent } from '../../src/journal/event.ts'
import { forceRelease } from '../../src/modules/claim/transfer.ts'
import { liveClaims } from '../../src/modules/claim/store.ts'
import { endSession } from '../../src/modules/index.ts'
import { sessionByAgentId } from '../../src/modules/session/store.ts'
import type { Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { auditClaims } from '../support/journal-audit.ts'

// What an agent is told that it did not ask for: once, with what to do about it.

let t: TestApp
let ada: Agent
let bob: Agent
let workspaceId = ''
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let dir = ''
let count = 0
beforeEach(async () => {
  count += 1
  dir = `area-${count}`
  ada = await t.agent('Ada', 'Claude Code')
  bob = await t.agent('Ada', 'Codex')
  workspaceId = (await ada.join())['workspace'].id
  await ada.ready()
  await bob.ready()
})

async function endSessionOf(agent: Agent): Promise<void> {
  await t.app.journal.change({ workspace: workspaceId }, async (ws) => {
    const session = await sessionByAgentId(ws.tx, workspaceId, agent.agentId)
    if (session === null) throw new Error('no such session')
    await endSession(ws, session, 'ended_by_admin', { kind: 'user', userId: 'usr_admin' })
  })
}

const journal = () => t.app.journal.read(workspaceId, 0, 1_000)
const read = (agent: Agent) => agent.call('read_team_state')

describe('a lease about to lapse', () => {
  test('is told with the call that just saved it, once', async () => {
    const { claim } = await ada.claim(`${dir}/a`)
    await t.elapse(850)
    const told = await read(ada)
    expect(told['alerts']).toMatchObject([
      { code: 'CLAIM_NEARLY_LAPSED', details: { claimId: claim.claimId, paths: [`${dir}/a`], ttlSeconds: 900 } },
    ])
    expect(told['alerts'][0].details.secondsLeft).toBeLessThanOrEqual(50)
    const mine = told['activeClaims'].find((held: { mine: boolean }) => held.mine)
    expect(mine.claimId).toBe(claim.claimId)
    expect((await read(ada))['alerts']).toEqual([])
    await t.elapse(600)
    expect((await read(ada))['alerts'], 'still live: it was renewed').toEqual([])
  })

  test('is told beside a refusal too, and is no warning while there is time', async () => {
    await ada.claim(`${dir}/a`)
    await t.elapse(500)
    expect((await read(ada))['alerts']).toEqual([])
    await t.elapse(850)
    const refused = await ada.call('release_scope', { claimId: 'clm_nothing' })
    expect(refused).toMatchObject({ error: { code: 'CLAIM_NOT_FOUND' }, alerts: [{ code: 'CLAIM_NEARLY_LAPSED' }] })
  })
})

describe('a claim that an administrator took', () => {
  test('is free at once; its holder is told who and why, and works on without it', async () => {
    const { claim } = await ada.claim(`${dir}/a`)
    await ada.call('update_my_state', { content: { objective: 'Rework a' } })
    await t.app.journal.change({ workspace: workspaceId }, async (ws) => {
      const held = (await liveClaims(ws.tx, workspaceId)).find(({ id }) => id === claim.claimId)
      if (held === undefined) throw new Error('no such claim')
      const actor = { kind: 'user', userId: 'usr_admin' } as const
      forceRelease(ws, held, { actor, name: 'Grace', reason: 'urgent fix on main' })
    })
    await bob.call('read_team_state')
    expect(await bob.claim(`${dir}/a`)).toMatchObject({ ok: true })

    const told = await read(ada)
    const details = { claimId: claim.claimId, paths: [`${dir}/a`], by: 'Grace', reason: 'urgent fix on main' }
    expect(told).toMatchObject({ phase: 'synced', nextRequiredTool: 'claim_scope' })
    expect(told['alerts']).toMatchObject([{ code: 'CLAIM_FORCE_RELEASED', details }])
    expect(told['alerts'][0].message).not.toContain('urgent')
    expect((await read(ada))['alerts']).toEqual([])
    expect(await ada.call('release_scope', { claimId: claim.claimId })).toMatchObject({ ok: true, released: true })
    const ended = (await journal()).findLast(({ payload }) => payload['claimId'] === claim.claimId)
    expect(ended).toMatchObject({ type: 'claim.released', payload: { reason: 'forced', note: 'urgent fix on main' } })
  })
})

describe('a claim handed over', () => {
  const handoff = async (from: Agent, to: Agent) => {
    await from.call('identify_intent', { userPrompt: 'x', forceIntent: 'handoff', targetAgentId: to.agentId })
    await read(from)
    return from.call('update_my_state', { content: { objective: 'Hand over', status: 'handoff' } })
  }

  test('goes to the agent that was named, with nobody in between and a higher fence; both are told', async () => {
    const { claim } = await ada.claim(`${dir}/a`)
    expect(await handoff(ada, bob)).toMatchObject({ nextRequiredTool: 'release_scope', nextStep: /"handoff"/ })
    const given = await ada.call('release_scope', { claimId: claim.claimId, reason: 'handoff' })
    expect(given).toMatchObject({ ok: true, released: true, remainingClaims: 0, transferredTo: bob.agentId })
    expect(given, 'the run is done').toMatchObject({ phase: 'joined', nextRequiredTool: 'identify_intent' })

    const told = await read(bob)
    const mine = told['activeClaims'].find((held: { mine: boolean }) => held.mine)
    expect(told['alerts']).toMatchObject([
      { code: 'CLAIM_RECEIVED', details: { claimId: mine.claimId, paths: [`${dir}/a`], from: ada.agentId } },
    ])
    expect(mine.fence).toBeGreaterThan(claim.fence)
    expect(await bob.claim(`${dir}/a`)).toMatchObject({ ok: true, renewed: true, claim: { claimId: mine.claimId } })
    expect(await ada.call('release_scope', { claimId: claim.claimId }), 'a retry is harmless').toMatchObject({
      ok: true,
      released: true,
    })
    expect(auditClaims((await journal()).map(exportEvent)).faults).toEqual([])
  })

  test('is touched by it: what the receiver had decided before is refused', async () => {
    const { claim } = await ada.claim(`${dir}/a`)
    await bob.claim(`${dir}/b`)
    await handoff(ada, bob)
    await ada.call('release_scope', { claimId: claim.claimId, reason: 'handoff' })
    const late = await bob.call('update_my_state', { content: { objective: 'b' } })
    expect(late).toMatchObject({ error: { code: 'STATE_CHANGED' } })
  })

  test('is released where the other agent cannot take it, and the answer says why', async () => {
    const { claim } = await ada.claim(`${dir}/a`)
    const eve = await t.agent('Ada', 'OpenCode')
    await eve.join()
    await handoff(ada, eve)
    await endSessionOf(eve)
    const released = await ada.call('release_scope', { claimId: claim.claimId, reason: 'handoff' })
    expect(released).toMatchObject({ ok: true, released: true, notTransferred: 'no_live_session' })
    expect(released).not.toHaveProperty('transferredTo')
    await read(bob)
    expect(await bob.claim(`${dir}/a`)).toMatchObject({ ok: true, renewed: false })
  })

  test('is an ordinary release for any other reason, or without a named agent', async () => {
    const { claim } = await ada.claim(`${dir}/a`)
    await handoff(ada, bob)
    const released = await ada.call('release_scope', { claimId: claim.claimId, reason: 'completed' })
    expect(released).not.toHaveProperty('transferredTo')
    expect((await read(bob))['alerts']).toEqual([])
  })
})

describe('a session', () => {
  test('taken over through another sign-in: the old one is told to stop, the new one that it was in use', async () => {
    await ada.claim(`${dir}/a`)
    const later = await t.agent('Ada', 'Claude Code')
    const joined = await later.join({ agentId: ada.agentId })
    expect(joined).toMatchObject({ session: { resumed: true }, alerts: [{ code: 'SESSION_IN_USE' }] })
    expect(await read(ada)).toMatchObject({
      error: { code: 'NOT_JOINED', reason: 'resumed_elsewhere' },
      nextRequiredTool: 'join_workspace',
      alerts: [{ code: 'SESSION_TAKEN_OVER', details: { agentId: ada.agentId } }],
    })
    expect((await read(later))['alerts']).toEqual([])
  })

  test('resumed after a pause was not in use, and says nothing', async () => {
    await t.elapse(120)
    expect((await ada.join({ agentId: ada.agentId }))['alerts']).toEqual([])
  })

  test('that was ended by an administrator is told so, with the way back', async () => {
    await endSessionOf(ada)
    expect(await read(ada)).toMatchObject({
      error: { code: 'NOT_JOINED', reason: 'ended_by_admin', agentId: ada.agentId },
      alerts: [{ code: 'SESSION_ENDED' }],
    })
    expect(await ada.join({ agentId: ada.agentId })).toMatchObject({ ok: true, session: { resumed: true } })
  })
})

test('alerts that do not fit into an answer come with the next ones, each once, the oldest first', async () => {
  for (let n = 0; n < 8; n += 1) {
    await ada.claim(
      ...Array.from({ length: 12 }, (_, i) => `${dir}/a-rather-long-directory-name-${n}/and-a-file-${i}.ts`),
    )
  }
  await t.elapse(901)
  const told: string[] = []
  for (let answers = 0; answers < 20; answers += 1) {
    const { alerts, text } = await read(ada)
    expect(text.length).toBeLessThan(9_000)
    if (alerts.length === 0) break
    told.push(...alerts.map(({ details }: { details: { paths: string[] } }) => details.paths[0]))
  }
  expect(told).toEqual(Array.from({ length: 8 }, (_, n) => `${dir}/a-rather-long-directory-name-${n}/and-a-file-0.ts`))
})
