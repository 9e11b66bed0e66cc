/**
 * Leases follow the database's clock, and that clock is moved here: PostgreSQL runs under libfaketime. Steps of it never
 * bring anything back to life, and nothing ends early but by a step forward.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { JournalEvent } from '../../src/journal/event.ts'
import type { Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { findFaketime, startFakedClock, type FakedClock } from '../support/faked-clock.ts'
import { openSql } from '../support/global-setup.ts'

const MINUTE = 60
const faketime = await findFaketime()

let clock: FakedClock
let t: TestApp
let ada: Agent
let bob: Agent
let workspaceId = ''
let people = 0

beforeAll(async () => {
  if ('missing' in faketime) return
  clock = await startFakedClock(faketime.library)
  t = await createTestApp({ db: clock.db })
}, 180_000)
afterAll(() => t?.close())

/** Two agents of a new person, and so in a new workspace, at the real time. */
beforeEach(async (context) => {
  if ('missing' in faketime) context.skip(faketime.missing)
  await clock.setOffset(0)
  people += 1
  const name = `Ada${people}`
  ada = await t.agent(name, 'Claude Code')
  bob = await t.agent(name, 'Codex')
  workspaceId = (await ada.join())['workspace'].id
  await ada.ready()
  await bob.ready()
}, 60_000)

async function events(type?: string): Promise<JournalEvent[]> {
  const all = await t.app.journal.read(workspaceId, 0, 1000)
  return all.filter((event) => type === undefined || event.type === type)
}

/** The workspace's clock, as the next change will see it. */
async function workspaceNow(): Promise<number> {
  return t.app.journal.change({ workspace: workspaceId }, (ws) => Promise.resolve(ws.now.getTime()))
}

async function claimsOf(agent: Agent): Promise<{ claimId: string; expiresAt: string; fence: number }[]> {
  const { activeClaims } = await agent.call('read_team_state')
  return activeClaims.filter((claim: { mine: boolean }) => claim.mine)
}

test('the server’s clock is the one that is set', async () => {
  await clock.setOffset(10 * MINUTE)
  expect((await workspaceNow()) - Date.now()).toBeGreaterThan(9 * MINUTE * 1000)
})

test('a step forward within the lease ends nothing, and its holder can still renew', async () => {
  const { claim } = await ada.claim('src')
  await clock.setOffset(10 * MINUTE)
  expect(await bob.claim('src')).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
  expect(await ada.claim('src')).toMatchObject({ ok: true, renewed: true, claim: { fence: claim.fence } })
  expect(await events('claim.expired')).toEqual([])
})

test('a step forward past the lease ends it on record, and a step back brings nothing back', async () => {
  const { claim } = await ada.claim('src')
  await clock.setOffset(16 * MINUTE)
  expect(await claimsOf(bob)).toEqual([])
  await clock.setOffset(-10 * MINUTE)
  expect(await claimsOf(ada)).toEqual([])
  expect(await ada.call('release_scope', { claimId: claim.claimId })).toMatchObject({
    error: { code: 'CLAIM_EXPIRED' },
  })
  await bob.call('read_team_state')
  const next = await bob.claim('src')
  expect(next).toMatchObject({ ok: true })
  expect(next['claim'].fence).toBeGreaterThan(claim.fence)
  expect(await ada.claim('src')).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
  expect(await events('claim.expired')).toHaveLength(1)
})

test('a session that was told that it is over stays over when the clock steps back', async () => {
  await ada.claim('src')
  await clock.setOffset(31 * MINUTE)
  expect(await ada.call('read_team_state')).toMatchObject({ error: { code: 'NOT_JOINED' } })
  await clock.setOffset(0)
  expect(await ada.call('read_team_state')).toMatchObject({ error: { code: 'NOT_JOINED' } })
  expect((await events('session.ended')).map((event) => event.payload['agentId'])).toContain(ada.agentId)
})

test('a step back ends nothing early and brings nothing back, and renewing goes on', async () => {
  const gone = await ada.claim('docs')
  await ada.call('release_scope', { claimId: gone['claim'].claimId })
  await ada.call('identify_intent', { userPrompt: 'Go on', forceIntent: 'implement' })
  await ada.call('read_team_state')
  const { claim } = await ada.claim('src')
  await clock.setOffset(-10 * MINUTE)

  expect(await claimsOf(ada)).toMatchObject([{ claimId: claim.claimId, expiresAt: claim.expiresAt }])
  await bob.call('read_team_state')
  expect(await bob.claim('src')).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
  expect(await bob.claim('docs')).toMatchObject({ ok: true })
  const renewed = await ada.claim('src')
  expect(renewed).toMatchObject({ ok: true, renewed: true, claim: { fence: claim.fence } })
  expect(Date.parse(renewed['claim'].expiresAt)).toBeGreaterThanOrEqual(Date.parse(claim.expiresAt))

  const times = (await events()).map((event) => event.at.getTime())
  expect(times).toEqual([...times].sort((a, b) => a - b))
})

test('the workspace’s time never runs backwards, also when the last calls left no event', async () => {
  const before = (await events()).length
  const seen: number[] = []
  for (const minutes of [10, -10, 5, 0, 12, -5]) {
    await clock.setOffset(minutes * MINUTE)
    await ada.call('read_team_state')
    const { agents } = await bob.call('read_team_state')
    seen.push(Date.parse(agents.find((agent: { agentId: string }) => agent.agentId === ada.agentId).lastSeenAt))
  }
  expect(seen).toEqual([...seen].sort((a, b) => a - b))
  expect(await events()).toHaveLength(before)
})

test('a lease that a call has promised is not cut short by a step back', async () => {
  await ada.claim('src')
  await clock.setOffset(10 * MINUTE)
  const { claim } = await ada.claim('src')
  await clock.setOffset(0)
  const again = await ada.claim('src')
  expect(Date.parse(again['claim'].expiresAt)).toBeGreaterThanOrEqual(Date.parse(claim.expiresAt))
})

test('a claim that waited is judged by the time after the wait: what lapsed meanwhile does not block it', async () => {
  const { claim } = await ada.call('claim_scope', { paths: ['src'], ttlSeconds: 30 })
  await bob.call('read_team_state')
  // No conflict: the lease is over, which is news to bob. Its event came first, and the claim goes through after it.
  const waited = await behindTheLock(bob, 'src', claim)
  expect(waited['error']).toMatchObject({ code: 'STATE_CHANGED', changes: [{ type: 'claim.expired' }] })
  const [expired] = await events('claim.expired')
  expect(expired?.at.getTime()).toBeGreaterThanOrEqual(Date.parse(claim.expiresAt))
  expect(await bob.claim('src')).toMatchObject({ ok: true })
})

test('a renewal that waited past the end of its lease is a new claim with a higher fence', async () => {
  const { claim } = await ada.call('claim_scope', { paths: ['src'], ttlSeconds: 30 })
  const waited = await behindTheLock(ada, 'src', claim)
  expect(waited).toMatchObject({ ok: true, renewed: false })
  expect(waited['claim'].fence).toBeGreaterThan(claim.fence)
})

/**
 * The agent claims while somebody else has the workspace's lock, which is free again when the lease has run out. The step
 * comes before and the last two seconds are real, for a step under a waiting statement is also one past its time limit.
 */
async function behindTheLock(agent: Agent, path: string, lease: { expiresAt: string; ttlSeconds: number }) {
  const holder = openSql(clock.db.target)
  const { call } = await holder.begin(async (tx) => {
    await tx`select set_config('orkestrate.workspace_id', ${workspaceId}, true)`
    await tx`select 1 from journals where workspace_id = ${workspaceId} for update`
    await clock.setOffset(lease.ttlSeconds - 2)
    const call = agent.claim(path)
    await expect
      .poll(async () => (await tx`select 1 from pg_stat_activity where wait_event_type = 'Lock'`).length, {
        timeout: 5000,
      })
      .toBe(1)
    await expect
      .poll(async () => (await tx`select clock_timestamp() > ${lease.expiresAt} as over`)[0]?.['over'], {
        timeout: 5000,
      })
      .toBe(true)
    return { call }
  })
  await holder.end()
  return call
}

test('a lease that ran out is due without anybody’s call, and not before', async () => {
  await clock.setOffset(-10 * MINUTE)
  await ada.call('claim_scope', { paths: ['src'], ttlSeconds: 30 })
  expect(await t.app.journal.due(10)).not.toContain(workspaceId)
  await clock.setOffset(31)
  expect(await t.app.journal.due(10)).toContain(workspaceId)
  await t.app.journal.change({ workspace: workspaceId }, () => Promise.resolve())
  expect(await events('claim.expired')).toHaveLength(1)
  expect(await t.app.journal.due(10)).not.toContain(workspaceId)
})
