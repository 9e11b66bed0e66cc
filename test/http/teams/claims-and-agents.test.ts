import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../../support/app.ts'
import { expectRefused, freshTeam, type Person, type Team } from '../../support/team.ts'

// What administrators do to agents, over REST.

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let ada: Person
let bob: Person
let at: string
let n: number
let admit: Team['admit']
beforeEach(async () => {
  ;({ ada, bob, at, n, admit } = await freshTeam(t))
})

describe('claims and agents', () => {
  beforeEach(async () => {
    await admit(bob, 'member')
    await ada.agent.ready()
    await bob.agent.ready()
  })

  test('an admin takes a claim, with a reason on record; the holder is told', async () => {
    const { claim } = await bob.agent.claim('src/a')
    const listed = await ada.rest.get(`${at}/claims`)
    expect(listed.body.claims).toMatchObject([{ claimId: claim.claimId, user: `Bob${n}`, paths: ['src/a'] }])
    const taken = await ada.rest.confirmed('DELETE', `${at}/claims/${claim.claimId}`, { reason: 'urgent' })
    expect(taken).toMatchObject({ status: 200, body: { released: { claimId: claim.claimId } } })
    expect((await bob.agent.call('read_team_state'))['alerts']).toMatchObject([
      { code: 'CLAIM_FORCE_RELEASED', details: { by: `Ada${n}`, reason: 'urgent' } },
    ])
    const last = (await ada.rest.get(`${at}/events?limit=1000`)).body.events.findLast(
      (event: { type: string }) => event.type === 'claim.released',
    )
    expect(last).toMatchObject({
      actor: { kind: 'user', userId: ada.userId },
      payload: { reason: 'forced', note: 'urgent' },
    })
  })

  test('a list of claims keeps its ETag while their seconds count down, and has another once they change', async () => {
    await ada.agent.claim('src/a')
    const seen = await ada.rest.get(`${at}/claims`)
    const etag = seen.headers.get('etag') ?? ''
    const secondsLeft = async () => (await ada.rest.get(`${at}/claims`)).body.claims[0].expiresInSeconds
    await expect.poll(secondsLeft, { timeout: 10_000 }).toBeLessThan(seen.body.claims[0].expiresInSeconds)
    expect((await ada.rest.get(`${at}/claims`, { 'if-none-match': etag })).status).toBe(304)
    await bob.agent.claim('src/b')
    const changed = await ada.rest.get(`${at}/claims`, { 'if-none-match': etag })
    expect(changed).toMatchObject({ status: 200, body: { claims: [{}, { paths: ['src/b'] }] } })
  })

  test('who may take claims is policy; one’s own agents’ are always one’s own', async () => {
    const { claim } = await ada.agent.claim('src/a')
    expectRefused(await bob.rest.delete(`${at}/claims/${claim.claimId}`), 403, 'FORBIDDEN_ROLE')
    await ada.rest.patch(`${at}/policy`, { forceReleaseRole: 'member' })
    expect(await bob.rest.confirmed('DELETE', `${at}/claims/${claim.claimId}`)).toMatchObject({ status: 200 })
    await ada.rest.patch(`${at}/policy`, { forceReleaseRole: 'owner' })
    await bob.agent.call('read_team_state')
    const own = await bob.agent.claim('src/b')
    expect(await bob.rest.confirmed('DELETE', `${at}/claims/${own['claim'].claimId}`)).toMatchObject({ status: 200 })
  })

  test('an admin ends an agent with its claims; it is told, and may come back', async () => {
    await bob.agent.claim('src/a')
    const { body } = await ada.rest.get(`${at}/sessions`)
    const session = body.sessions.find((one: { agentId: string }) => one.agentId === bob.agent.agentId)
    expect(session).toMatchObject({ userId: bob.userId, toolName: 'Claude Code', branch: 'main' })
    expect(await ada.rest.confirmed('DELETE', `${at}/sessions/${session.id}`)).toMatchObject({ status: 200 })
    expect(await bob.agent.call('read_team_state')).toMatchObject({
      error: { code: 'NOT_JOINED', reason: 'ended_by_admin' },
    })
    expect((await ada.rest.get(`${at}/claims`)).body.claims).toEqual([])
    expect(await bob.agent.join({ agentId: bob.agent.agentId })).toMatchObject({ ok: true })
  })

  test('a cursor that no answer ever gave is refused, not answered with an empty page', async () => {
    await bob.agent.claim('src/a')
    for (const cursor of ['nonsense', '', '-1', '1e3', '9'.repeat(16)]) {
      const answer = await ada.rest.get(`${at}/claims?cursor=${cursor}`)
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } })
    }
  })

  test('runs are listed, the newest first', async () => {
    const { body } = await ada.rest.get(`${at}/runs`)
    expect(body.runs.map((run: { agentId: string }) => run.agentId)).toEqual([bob.agent.agentId, ada.agent.agentId])
    await bob.agent.call('identify_intent', { userPrompt: 'x', forceIntent: 'review' })
    expect((await ada.rest.get(`${at}/runs`)).body.runs).toHaveLength(2)
    expect((await ada.rest.get(`${at}/runs?ended=true`)).body.runs).toMatchObject([
      { intentId: 'review', endedAt: null },
      { intentId: 'implement', endReason: 'superseded' },
      {},
    ])
  })
})
