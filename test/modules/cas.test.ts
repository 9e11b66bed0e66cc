import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { inEveryWorkspace } from '../support/workspaces.ts'

let t: TestApp
let ada: Agent
let bob: Agent
beforeAll(async () => {
  t = await createTestApp()
  ada = await t.agent('Ada', 'Claude Code')
  bob = await t.agent('Ada', 'Codex')
  await ada.ready()
  await bob.ready()
})
afterAll(() => t.close())

const casMode = (mode: 'scoped' | 'strict') =>
  inEveryWorkspace(t.database, (tx) =>
    tx.execute(sql`update workspaces set policy = ${JSON.stringify({ casMode: mode })}::jsonb`),
  )

const publish = (agent: Agent, expectedStateHash: string) =>
  agent.call('update_my_state', { expectedStateHash, content: { objective: 'o' } })

describe('strict', () => {
  test('refuses whatever happened in between, also elsewhere, and accepts the current position', async () => {
    await casMode('strict')
    await ada.call('read_team_state')
    const stale = ada.stateHash
    await bob.call('read_team_state')
    await bob.claim('strict/bob')
    const refused = await ada.call('claim_scope', { expectedStateHash: stale, paths: ['strict/ada'] })
    expect(refused).toMatchObject({
      error: { code: 'STATE_CHANGED', changedBy: { type: 'claim.acquired', by: bob.agentId, paths: ['strict/bob'] } },
    })
    expect(
      await ada.call('claim_scope', { expectedStateHash: refused['stateHash'], paths: ['strict/ada'] }),
    ).toMatchObject({
      ok: true,
    })
    await casMode('scoped')
  })
})

describe('scoped', () => {
  test('lets a caller’s own writes never refuse its next one', async () => {
    await ada.call('read_team_state')
    const stale = ada.stateHash
    await ada.claim('own/a')
    await publish(ada, ada.stateHash)
    expect(await publish(ada, stale)).toMatchObject({ ok: true })
    expect(await ada.call('claim_scope', { expectedStateHash: stale, paths: ['own/b'] })).toMatchObject({ ok: true })
  })

  test('refuses a state that was decided before one’s own claim lapsed', async () => {
    await ada.claim('lapse/a')
    const stale = ada.stateHash
    await t.elapse(1000)
    const refused = await publish(ada, stale)
    // The claims are gone, so the workflow sends the caller to claim again before it publishes.
    expect(['STATE_CHANGED', 'WORKFLOW_STEP_VIOLATION']).toContain(refused['error'].code)
    expect(refused['alerts'].map((alert: { code: string }) => alert.code)).toContain('CLAIM_LAPSED')
  })

  test('knows a position that never was from one that is past', async () => {
    await ada.call('read_team_state')
    const [seq = '0', hash = ''] = ada.stateHash.split('-')
    const flipped = hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))
    for (const unknown of [
      `${seq}-${flipped}`,
      `${Number(seq) + 1}-${hash}`,
      'x',
      `${seq}-${hash.slice(1)}`,
      `-1-${hash}`,
    ]) {
      expect(await ada.call('claim_scope', { expectedStateHash: unknown, paths: ['unknown/a'] })).toMatchObject({
        error: { code: 'STATE_HASH_UNKNOWN' },
        nextRequiredTool: 'read_team_state',
      })
      await ada.call('read_team_state')
    }
  })
})

describe('reading since a position', () => {
  test('is unchanged: true where nothing changed team state, and shows what did', async () => {
    await ada.call('read_team_state')
    const since = ada.stateHash
    await bob.call('identify_intent', { userPrompt: 'x', forceIntent: 'implement' })
    expect(await ada.call('read_team_state', { sinceStateHash: since })).toMatchObject({
      unchanged: true,
      stateHash: since,
    })
    await bob.call('read_team_state')
    await bob.claim('since/bob')
    const read = await ada.call('read_team_state', { sinceStateHash: since })
    expect(read['changes']).toMatchObject([{ type: 'claim.acquired', by: bob.agentId, paths: ['since/bob'] }])
    expect(await ada.call('read_team_state', { sinceStateHash: read['stateHash'] })).toMatchObject({ unchanged: true })
  })

  test('comes in pages that each fit an answer, every change once', async () => {
    await ada.call('read_team_state')
    const since = ada.stateHash
    const long = (n: number) => Array.from({ length: 15 }, (_, index) => `pages/${n}/${'x'.repeat(60)}-${index}`)
    for (let n = 0; n < 8; n += 1) await bob.claim(...long(n))
    const seen: number[] = []
    let cursor: string | undefined
    do {
      const page = await ada.call('read_team_state', {
        sinceStateHash: since,
        ...(cursor === undefined ? {} : { cursor }),
      })
      expect(page.text.length).toBeLessThan(9_000)
      seen.push(...page['changes'].map((change: { seq: number }) => change.seq))
      cursor = page['nextCursor']
    } while (cursor !== undefined)
    expect(seen).toHaveLength(8)
    expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b))
  })

  test('a whole team that is too large for one answer comes in pages, every agent and claim once', async () => {
    const claims = new Set<string>()
    const agents = new Set<string>()
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await ada.call('read_team_state', cursor === undefined ? {} : { cursor })
      expect(page.text.length).toBeLessThan(9_000)
      for (const { claimId } of page['activeClaims']) claims.add(claimId)
      for (const { agentId } of page['agents']) agents.add(agentId)
      cursor = page['nextCursor']
      pages += 1
    } while (cursor !== undefined)
    expect(pages).toBeGreaterThan(1)
    expect(agents.size).toBe(2)
    const live = await inEveryWorkspace(t.database, (tx) =>
      tx.execute(sql`select id from claims where ended_at is null`),
    )
    expect(claims.size).toBe(live.length)
  })

  test('filters by paths: only agents and claims that touch them', async () => {
    const read = await ada.call('read_team_state', { paths: ['pages/3/**'] })
    expect(read['activeClaims']).toHaveLength(1)
    expect(read['agents'].map((agent: { agentId: string }) => agent.agentId)).toEqual([bob.agentId])
  })
})

test('no answer grows past what clients show, whatever is claimed and published', async () => {
  const carol = await t.agent('Ada', 'Big')
  await carol.ready()
  const paths = Array.from({ length: 200 }, (_, index) => `big/${'y'.repeat(900)}/${index}`)
  const sizes = [
    await carol.claim(...paths),
    await carol.call('update_my_state', {
      content: {
        objective: 'o'.repeat(500),
        footprint: paths,
        notes: 'n'.repeat(2000),
        plan: Array.from({ length: 30 }, () => 'p'.repeat(300)),
      },
    }),
    await bob.call('read_team_state', { paths: ['big'] }),
    await bob.claim(...paths.map((path) => `${path}/inner`)),
    await bob.claim(...Array.from({ length: 200 }, (_, index) => `../${'z'.repeat(900)}${index}`)),
    await carol.join({ agentId: carol.agentId }),
  ].map((answer) => answer.text.length)
  expect(Math.max(...sizes)).toBeLessThan(9_500)
})
