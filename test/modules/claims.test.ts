import { sql } from 'drizzle-orm'
import { afterAll, beforeEach, beforeAll, describe, expect, test } from 'vitest'
import { createAgent, type Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { openSql } from '../support/global-setup.ts'
import { inEveryWorkspace } from '../support/workspaces.ts'

let t: TestApp
let ada: Agent
let bob: Agent

beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

/** Two agents of one person on two clients: the same workspace, two sessions. Paths are fresh in every test. */
let dir = ''
let count = 0
beforeEach(async () => {
  count += 1
  dir = `area-${count}`
  ada = await t.agent('Ada', 'Claude Code')
  bob = await t.agent('Ada', 'Codex')
  await ada.ready()
  await bob.ready()
})

describe('an overlapping live claim of another session', () => {
  test('refuses the whole request, names the holder, and offers the free part', async () => {
    const held = await ada.claim(`${dir}/auth`)
    await ada.call('update_my_state', { content: { objective: 'Rework the login' } })
    const refused = await bob.claim(`${dir}/auth/login.ts`, `${dir}/billing`)
    expect(refused).toMatchObject({
      ok: false,
      isError: true,
      error: {
        code: 'SCOPE_CONFLICT',
        retryable: true,
        conflicts: [
          {
            path: `${dir}/auth/login.ts`,
            holder: { agentId: ada.agentId, user: 'Ada' },
            claimId: held['claim'].claimId,
            heldPaths: [`${dir}/auth`],
            mode: 'exclusive',
            expiresAt: expect.stringMatching(/Z$/) as string,
            objective: 'Rework the login',
          },
        ],
        freePaths: [`${dir}/billing`],
      },
      nextRequiredTool: 'claim_scope',
    })
    expect(refused['recovery'].length).toBeGreaterThan(0)
    expect((await bob.call('read_team_state'))['activeClaims'].filter((c: { mine: boolean }) => c.mine)).toEqual([])
    expect(await bob.claim(...refused['error'].freePaths)).toMatchObject({ ok: true })
  })

  test('refuses whatever the branch, and whatever the case of the letters', async () => {
    await ada.claim(`${dir}/Straße/Über.ts`)
    await bob.join({ agentId: bob.agentId }, { branch: 'another-branch' })
    expect(await bob.claim(`${dir}/STRASSE/über.ts`)).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
  })

  test('is reported before a stale hash', async () => {
    const stale = bob.stateHash
    await ada.claim(`${dir}/a`)
    const refused = await bob.call('claim_scope', { expectedStateHash: stale, paths: [`${dir}/a`] })
    expect(refused['error'].code).toBe('SCOPE_CONFLICT')
  })

  test('does not refuse a shared claim where both are shared, and refuses an exclusive one there', async () => {
    expect(await ada.call('claim_scope', { paths: [`${dir}/docs`], mode: 'shared' })).toMatchObject({ ok: true })
    await bob.call('read_team_state')
    expect(await bob.call('claim_scope', { paths: [`${dir}/docs/a`], mode: 'shared' })).toMatchObject({ ok: true })
    expect(await bob.claim(`${dir}/docs/b`)).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
  })

  test('meets globs exactly: a glob refuses the files it matches and no others', async () => {
    await ada.claim(`${dir}/**/*.test.ts`)
    await bob.call('read_team_state')
    expect(await bob.claim(`${dir}/deep/down/x.test.ts`)).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
    expect(await bob.claim(`${dir}/deep/down/x.ts/y.md`)).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
    expect(await bob.claim(`${dir}/deep/*.md`)).toMatchObject({ ok: true })
  })
})

describe('asking again', () => {
  test('for paths already held renews that claim with the same fence, also with the hash of before', async () => {
    const before = ada.stateHash
    const first = await ada.claim(`${dir}/x`, `${dir}/y`)
    await t.elapse(100)
    const again = await ada.call('claim_scope', { expectedStateHash: before, paths: [`${dir}/y/`, `${dir}/x`] })
    expect(again).toMatchObject({
      ok: true,
      renewed: true,
      claim: { claimId: first['claim'].claimId, fence: first['claim'].fence },
    })
    expect(Date.parse(again['claim'].expiresAt) - Date.now()).toBeGreaterThan(890_000)
  })

  test('for other paths is a further claim with a higher fence, and own overlaps are no conflict', async () => {
    const first = await ada.claim(`${dir}/x`)
    const second = await ada.claim(`${dir}/x/inner`, `${dir}/z`)
    expect(second).toMatchObject({ ok: true, renewed: false })
    expect(second['claim'].fence).toBeGreaterThan(first['claim'].fence)
  })
})

describe('a lease', () => {
  test('is given the TTL that was asked for, within the policy, and the answer says what was given', async () => {
    const short = await ada.call('claim_scope', { paths: [`${dir}/s`], ttlSeconds: 1 })
    const long = await ada.call('claim_scope', { paths: [`${dir}/l`], ttlSeconds: 86_400 })
    expect([short['claim'].ttlSeconds, long['claim'].ttlSeconds]).toEqual([30, 3600])
  })

  test('that ran out blocks nobody, and its holder is told until it has heard', async () => {
    const { claim } = await ada.claim(`${dir}/auth`)
    await ada.call('update_my_state', { content: { objective: 'Rework the login' } })
    await t.elapse(901)
    await bob.call('read_team_state')
    expect(await bob.claim(`${dir}/auth`)).toMatchObject({ ok: true })

    const told = await ada.call('read_team_state')
    expect(told['alerts']).toMatchObject([
      { code: 'CLAIM_LAPSED', details: { claimId: claim.claimId, paths: [`${dir}/auth`] } },
    ])
    expect(told).toMatchObject({ phase: 'synced', nextRequiredTool: 'claim_scope' })
    expect((await ada.call('read_team_state'))['alerts']).toEqual([])
    expect(await ada.call('release_scope', { claimId: claim.claimId })).toMatchObject({
      error: { code: 'CLAIM_EXPIRED' },
    })
    expect(await ada.claim(`${dir}/auth`)).toMatchObject({ error: { code: 'SCOPE_CONFLICT' } })
  })

  test('is renewed by any call of its session once less than half of it is left', async () => {
    await ada.claim(`${dir}/auth`)
    await t.elapse(400)
    const early = (await ada.call('read_team_state'))['activeClaims'].find((c: { mine: boolean }) => c.mine)
    expect(early.expiresInSeconds).toBeLessThan(501)
    await t.elapse(100)
    await ada.call('read_team_state')
    const renewed = (await bob.call('read_team_state'))['activeClaims'].find(
      (c: { agentId: string; paths: string[] }) => c.agentId === ada.agentId && c.paths.includes(`${dir}/auth`),
    )
    expect(renewed.expiresInSeconds).toBeGreaterThan(890)
  })
})

describe('releasing', () => {
  test('lets the next one in at once, is harmless twice, and is refused for what is somebody else’s', async () => {
    const { claim } = await ada.claim(`${dir}/auth`)
    expect(await bob.call('release_scope', { claimId: claim.claimId })).toMatchObject({
      error: { code: 'CLAIM_NOT_FOUND' },
    })
    expect(await ada.call('release_scope', { claimId: claim.claimId })).toMatchObject({ ok: true, remainingClaims: 0 })
    expect(await ada.call('release_scope', { claimId: claim.claimId })).toMatchObject({ ok: true, released: true })
    expect(await ada.call('release_claim', { claimId: claim.claimId })).toMatchObject({ ok: true, released: true })
    await bob.call('read_team_state')
    expect(await bob.claim(`${dir}/auth`)).toMatchObject({ ok: true })
  })
})

describe('a path that is none', () => {
  test.each(['/etc/passwd', 'C:/x', 'a\\b', '../x', './x', 'a//b', '', 'a/**b', `${'a/'.repeat(70)}b`, 'a\u0007b'])(
    'is refused with its reason, and nothing is claimed: %j',
    async (path) => {
      const refused = await ada.claim(`${dir}/ok`, path)
      expect(['PATH_INVALID', 'INVALID_INPUT']).toContain(refused['error'].code)
      expect((await ada.call('read_team_state'))['activeClaims'].filter((c: { mine: boolean }) => c.mine)).toEqual([])
    },
  )
})

test('of many agents that race for one path through two replicas exactly one wins, and no two live claims overlap', async () => {
  const replica = t.replica()
  const { accessToken } = await t.login('Ada', 'Racer')
  const urls = [t.fetch, (url: string, init?: RequestInit) => replica.app.http.request(url, init)]
  const racers = await Promise.all(
    Array.from({ length: 16 }, async (_, index) => {
      const racer = createAgent(urls[index % 2] ?? t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
      await racer.join({ agentId: `racer-${count}-${index}` })
      await racer.call('identify_intent', { userPrompt: 'Fix it', forceIntent: 'implement' })
      await racer.call('read_team_state')
      return racer
    }),
  )
  const answers = await Promise.all(racers.map((racer) => racer.claim(`${dir}/hot`)))
  expect(answers.filter((answer) => answer.ok)).toHaveLength(1)
  for (const answer of answers) if (!answer.ok) expect(answer['error'].code).toBe('SCOPE_CONFLICT')
  const live = await inEveryWorkspace(t.database, (tx) =>
    tx.execute(sql`select 1 from claim_paths where display = ${`${dir}/hot`}`),
  )
  expect(live).toHaveLength(1)
  await replica.close()
})

test('claims work on a database whose default is another isolation level', async () => {
  const admin = openSql(t.db.target)
  await admin.unsafe(
    `do $$ begin execute format('alter database %I set default_transaction_isolation = serializable', current_database()); end $$`,
  )
  await admin.end()
  const { accessToken } = await t.login('Ada', 'Late')
  const replica = t.replica()
  const late = createAgent((url, init) => replica.app.http.request(url, init), `${t.publicUrl}/api/mcp`, accessToken)
  await late.ready()
  expect(await late.claim(`${dir}/x`)).toMatchObject({ ok: true })
  await replica.close()
})
