/**
 * Races on a real PostgreSQL through two server processes that share nothing but the database. RACE_ROUNDS makes it
 * longer, RACE_SEED repeats what the agents ask for.
 */
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readRemoteJournal } from '../../scripts/journal/remote.ts'
import { JOURNAL, verifyChain } from '../../src/journal/chain.ts'
import type { ExportedEvent } from '../../src/journal/event.ts'
import { createAgent, type Agent, type ToolAnswer } from '../support/agent.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { auditClaims } from '../support/journal-audit.ts'
import { obtainTokens } from '../support/oauth.ts'
import { createRandom } from '../support/random.ts'
import { freePort, startServer, type ServerProcess } from '../support/server-process.ts'
import { openGateway } from '../support/tcp-gateway.ts'

const AGENTS = 16
const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 10)
const SEED = Number(process.env['RACE_SEED'] ?? randomInt(2 ** 31))

let db: TestDatabase
let gateway: Awaited<ReturnType<typeof openGateway>>
let dataDir: string
let servers: ServerProcess[] = []
let accessToken: string
let workspaceId: string
let agents: Agent[]

beforeAll(async () => {
  db = await createTestDatabase()
  gateway = await openGateway(db.target)
  dataDir = await mkdtemp(join(tmpdir(), 'ork-races-'))
  const ports = [await freePort(), await freePort()]
  const publicUrl = `http://localhost:${ports[0]}`
  const shared = { DATABASE_URL: gateway.url, PUBLIC_URL: publicUrl, SECRET_KEY: 'k'.repeat(40), LOG_LEVEL: 'warn' }
  servers = await Promise.all(ports.map((port) => startServer({ dataDir, port, env: shared })))
  const person = { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' }
  const tokens = await obtainTokens(fetch, { publicUrl, person })
  accessToken = tokens.accessToken
  // Every other agent speaks to the other process.
  agents = Array.from({ length: AGENTS }, (_, n) =>
    createAgent(fetch, `${servers[n % 2]?.origin}/api/mcp`, accessToken),
  )
  for (const agent of agents) {
    const joined = await agent.join()
    workspaceId = joined['workspace'].id
    await agent.call('identify_intent', { userPrompt: 'Race', forceIntent: 'implement' })
    await agent.call('read_team_state')
    // Keeps the task open when everything else is released.
    expect(await agent.claim(`anchor/${agent.agentId}`)).toMatchObject({ ok: true })
  }
}, 180_000)

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()))
  await gateway.close()
  await db.drop()
  await rm(dataDir, { recursive: true, force: true })
})

/** Different ways to want the same file, each in conflict with every other. */
const CONTESTED = [
  'src/auth/login.ts',
  'src/auth',
  'src',
  'SRC/Auth/',
  'src/**/login.ts',
  'src/*/login.ts',
  'src/auth/*.ts',
]

const winnersOf = (answers: readonly ToolAnswer[]) => answers.filter(({ ok }) => ok)

async function journal(): Promise<ExportedEvent[]> {
  const events: ExportedEvent[] = []
  const url = servers[1]?.origin ?? ''
  for await (const event of readRemoteJournal({ url, workspaceId, token: accessToken }))
    events.push(event as ExportedEvent)
  return events
}

describe('many agents on two servers that ask at the same moment', () => {
  test(
    `for paths that all overlap: one of ${AGENTS} gets them, the others are told who`,
    { timeout: 300_000 },
    async () => {
      const random = createRandom(SEED)
      for (let round = 0; round < ROUNDS; round += 1) {
        const wanted = agents.map(() => `round-${round}/${random.pick(CONTESTED)}`)
        const answers = await Promise.all(agents.map((agent, n) => agent.claim(wanted[n] ?? '')))
        const [winner, ...others] = winnersOf(answers)
        expect(others, `RACE_SEED=${SEED}, round ${round}`).toEqual([])
        const refusals = answers.filter(({ ok }) => !ok)
        expect(refusals).toHaveLength(AGENTS - 1)
        for (const { error } of refusals) {
          expect(error).toMatchObject({ code: 'SCOPE_CONFLICT', conflicts: [{ claimId: winner?.['claim'].claimId }] })
        }
      }
    },
  )

  test('for the same value’s next version: one writes it', { timeout: 300_000 }, async () => {
    let version = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const entries = [{ key: 'contested', value: round, expectedVersion: version }]
      const answers = await Promise.all(agents.map((agent) => agent.call('write_values', { entries })))
      const [winner, ...others] = winnersOf(answers)
      expect(others).toEqual([])
      version = winner?.['values'][0].version
      for (const { ok, error } of answers) if (!ok) expect(error.code).toBe('VERSION_CONFLICT')
    }
  })

  test('with one agentId nobody has: all get the same session', async () => {
    const answers = await Promise.all(
      agents.map((_, n) =>
        createAgent(fetch, `${servers[n % 2]?.origin}/api/mcp`, accessToken).join({ agentId: 'wanted', workspaceId }),
      ),
    )
    expect(winnersOf(answers)).toHaveLength(AGENTS)
    expect(new Set(answers.map((answer) => answer['session'].id)).size).toBe(1)
    expect(answers.filter((answer) => !answer['session'].resumed)).toHaveLength(1)
  })
})

test('claiming and releasing at random, all at once, never lets two hold one file', { timeout: 300_000 }, async () => {
  const random = createRandom(SEED)
  const paths = ['a', 'a/b', 'a/b/c', 'A/B', 'b', 'a/*/c', '**/c', 'b/c', 'a/d', 'b/**']
  const codes = new Set<string>()
  await Promise.all(
    agents.map(async (agent, index) => {
      const own = random.fork(String(index))
      const held: string[] = []
      for (let step = 0; step < ROUNDS; step += 1) {
        const claimId = own.next() < 0.5 ? held.pop() : undefined
        const mode = own.next() < 0.8 ? 'exclusive' : 'shared'
        const answer =
          claimId === undefined
            ? await agent.call('claim_scope', { paths: [`chaos/${own.pick(paths)}`], mode })
            : await agent.call('release_scope', { claimId })
        if (answer.ok && claimId === undefined && !answer['renewed']) held.push(answer['claim'].claimId)
        codes.add(answer.ok ? 'ok' : answer['error'].code)
      }
    }),
  )
  expect(codes).toContain('SCOPE_CONFLICT')
  expect([...codes].filter((code) => !['ok', 'SCOPE_CONFLICT', 'STATE_CHANGED'].includes(code))).toEqual([])
})

test('afterwards journal and tables agree: no overlap ever, fences only grew, the chain holds', async () => {
  const events = await journal()
  expect(await verifyChain(events, { kind: JOURNAL, id: workspaceId })).toMatchObject({
    ok: true,
    events: events.length,
  })
  const { faults, live, granted } = auditClaims(events)
  expect(faults, `RACE_SEED=${SEED}`).toEqual([])
  expect(granted).toBeGreaterThan(AGENTS + ROUNDS)
  const rows = await db.database.read({ workspace: workspaceId }, (orm) =>
    orm.execute<{ id: string; fence: string; paths: string }>(sql`
      select c.id, c.fence, count(p.ordinal) as paths from claims c
        left join claim_paths p on p.workspace_id = c.workspace_id and p.claim_id = c.id
       where c.ended_at is null group by c.workspace_id, c.id, c.fence order by c.fence`),
  )
  const stored = rows.map(({ id, fence, paths }) => [id, Number(fence), Number(paths)])
  expect(stored).toEqual(live.map(({ claimId, fence, patterns }) => [claimId, fence, patterns.length]))
  const orphans = await db.database.read({ workspace: workspaceId }, (orm) =>
    orm.execute(sql`
      select 1 from claim_paths p join claims c on c.workspace_id = p.workspace_id and c.id = p.claim_id
       where c.ended_at is not null`),
  )
  expect(orphans).toHaveLength(0)
})
