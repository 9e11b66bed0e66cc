import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { JOURNAL, verifyChain } from '../../src/journal/chain.ts'
import type { ExportedEvent } from '../../src/journal/event.ts'
import { runAfterRestore } from '../../src/after-restore.ts'
import { createLog } from '../../src/logging.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { dropDatabase, openSql } from '../support/global-setup.ts'
import { auditClaims } from '../support/journal-audit.ts'
import { freshTeam, type Team } from '../support/team.ts'

// A backup is a copy of the database, made by PostgreSQL from its files: what matters here is that time goes back.

let t: TestApp
let team: Team
/** Everything that was ever given, whatever the database knows of it now. */
const given = { fences: [] as number[], versions: [] as number[] }

beforeAll(async () => {
  t = await createTestApp()
  team = await freshTeam(t)
  await team.admit(team.bob, 'member')
  for (const { agent } of [team.ada, team.bob]) {
    await agent.join({ workspaceId: team.id })
    await agent.call('identify_intent', { userPrompt: 'Add a button' })
  }
})
afterAll(() => t.close())

async function claim(who: 'ada' | 'bob', path: string): Promise<string> {
  const { agent } = team[who]
  await agent.call('read_team_state')
  const answer = await agent.claim(path)
  expect(answer).toMatchObject({ ok: true })
  given.fences.push(answer['claim'].fence)
  return answer['claim'].claimId
}

async function write(value: number): Promise<void> {
  const answer = await team.ada.agent.call('write_values', { entries: [{ key: 'k', value }] })
  given.versions.push(answer['values'][0].version)
}

const name = () => (t.db.target as { database: string }).database

/** Puts a copy of the one database in the place of the other, of which every connection ends. */
async function copy(from: string, to: string): Promise<void> {
  const admin = openSql(inject('postgres'))
  await dropDatabase(admin, to)
  await admin`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${from} and backend_type = 'client backend'`
  await admin.unsafe(`create database ${to} template ${from}`)
  await admin.end()
  // Connections that were ended are replaced by themselves, one call late.
  await vi.waitFor(async () => expect((await t.fetch('/readyz')).status).toBe(200), 30_000)
}

const exported = async (): Promise<ExportedEvent[]> =>
  (await team.ada.rest.get(`${team.at}/events?limit=1000`)).body.events

describe('after a backup was restored, `npm run restored`', () => {
  test('lets fences and versions go on beyond all that was ever given, also by the time that is lost, and after a second restore', async () => {
    const backup = `${name()}_backup`
    onTestFinished(async () => {
      const admin = openSql(inject('postgres'))
      await dropDatabase(admin, backup)
      await admin.end()
    })
    const held = await claim('ada', 'src/held')
    await write(1)
    await copy(name(), backup)
    for (const [n, lost] of ['lost/1', 'lost/2', 'lost/3'].entries()) {
      await claim('bob', lost)
      await write(n + 2)
    }
    for (const round of [1, 2]) {
      await copy(backup, name())
      const log = createLog('silent')
      expect(await runAfterRestore(t.db.target, log)).toEqual({ workspaces: 1, claimsEnded: 1 })
      expect(await runAfterRestore(t.db.target, log)).toEqual({ workspaces: 1, claimsEnded: 0 })

      const beyond = { fence: Math.max(...given.fences), version: Math.max(...given.versions) }
      // The claim of the backup does not stand in anybody's way.
      await claim('bob', 'src/held')
      await claim('bob', `again/${round}`)
      await write(10 * round)
      const [first, second] = given.fences.slice(-2)
      expect(first).toBeGreaterThan(beyond.fence)
      expect(second).toBeGreaterThan(first ?? Infinity)
      expect(given.versions.at(-1)).toBeGreaterThan(beyond.version)
      expect(Number.isSafeInteger(second)).toBe(true)

      const events = await exported()
      expect(await verifyChain(events, { kind: JOURNAL, id: team.id })).toMatchObject({ ok: true })
      expect(auditClaims(events).faults).toEqual([])
      const ended = events.find(({ type, payload }) => type === 'claim.released' && payload['claimId'] === held)
      expect(ended).toMatchObject({ actor: { kind: 'system' }, payload: { reason: 'forced' } })
      expect(events.filter(({ type }) => type === 'workspace.recovered')).toHaveLength(2)
    }
  })

  test('tells whoever held a claim, with their next call', async () => {
    await claim('ada', 'src/told')
    await runAfterRestore(t.db.target, createLog('silent'))
    const answer = await team.ada.agent.call('read_team_state')
    expect(answer['alerts']).toContainEqual(expect.objectContaining({ code: 'CLAIM_FORCE_RELEASED' }))
  })
})
