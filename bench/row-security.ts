/**
 * What the second wall between tenants costs a call: `claim_scope` and two reads through the dispatcher, on the embedded
 * PostgreSQL as it ships, in two databases of the same content, of which one has row-level security disabled. They are
 * called in turn, so that whatever else the machine does meets both. Run with `npx tsx bench/row-security.ts [calls]`, on
 * Linux; prints the median milliseconds of a call, by the clock and in CPU time of the server and its backend together,
 * which a busy machine disturbs less, and their ratio. Setting the scope is in both figures.
 */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { connect, type ConnectionTarget, type Database } from '../src/db/client.ts'
import { databaseNow } from '../src/db/clock.ts'
import { startEmbeddedPostgres } from '../src/db/embedded/index.ts'
import { migrate } from '../src/db/migrate.ts'
import { createJournal } from '../src/journal/journal.ts'
import { createDispatch, type Answer, type Dispatch } from '../src/kernel/dispatch.ts'
import type { Log } from '../src/kernel/log.ts'
import { createConfirmations } from '../src/modules/confirmation.ts'
import { createConduct } from '../src/modules/conduct.ts'
import { createEntrance } from '../src/modules/entrance.ts'
import { eventTypes, expire, tools } from '../src/modules/index.ts'
import { createUser } from '../src/modules/tenancy/users.ts'

/** Live claims in the workspace, of that many sessions of others. */
const CLAIMS = 300
const SESSIONS = 10

const TABLES = 'workspaces members repos sessions claims claim_paths runs values events journals'.split(' ')

const quiet = () => undefined
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: console.error }

interface Agent {
  stateHash: string
  /** The backend that works for it. */
  backend: number
  call(tool: string, input?: object): Promise<Answer>
}

function createAgent(dispatch: Dispatch, userId: string, grantId: string): Agent {
  const scopes = ['mcp:read', 'mcp:write'] as const
  const client = { clientId: 'cl_bench', clientName: 'Bench', workspaceId: null }
  const principal = { userId, userName: 'Bench', grantId, ...client, scopes }
  const agent: Agent = {
    stateHash: '',
    backend: 0,
    async call(tool, input = {}) {
      const answer = await dispatch(principal, tool, input)
      if (!answer.ok) throw new Error(`${tool}: ${JSON.stringify(answer)}`)
      agent.stateHash = answer.stateHash ?? agent.stateHash
      return answer
    },
  }
  return agent
}

async function ready(agent: Agent): Promise<void> {
  const checkout = { repoRoot: '/bench', branch: 'main', headSha: '0123456', dirty: false, collectedAt: '' }
  await agent.call('join_workspace', { gitContext: { ...checkout, remote: 'https://example.org/bench/bench.git' } })
  await agent.call('identify_intent', { userPrompt: 'Add a field', forceIntent: 'implement' })
  await agent.call('read_team_state')
}

/** A workspace in use, and an agent of its own that is ready to claim. */
async function furnish(database: Database): Promise<Agent> {
  const journal = createJournal({ database, eventTypes, expire, log })
  const confirmations = createConfirmations({ seal: async () => '', open: async () => null })
  const conduct = createConduct(
    createEntrance({ database, journal, holdGrant: async () => true, log, confirmations }),
    tools,
  )
  const dispatch = createDispatch({ tools, conduct, limited: async () => null, refused: () => undefined, log })
  const userId = await database.transaction(async (tx) =>
    createUser(tx, { email: 'bench@example.org', name: 'Bench', now: await databaseNow(tx) }),
  )
  for (let session = 0; session < SESSIONS; session += 1) {
    const other = createAgent(dispatch, userId, `gr_${session}`)
    await ready(other)
    for (let claim = 0; claim < CLAIMS / SESSIONS; claim += 1) {
      const paths = [`src/held-${session}/${claim}`]
      await other.call('claim_scope', { paths, expectedStateHash: other.stateHash, ttlSeconds: 3600 })
    }
  }
  const agent = createAgent(dispatch, userId, 'gr_bench')
  await ready(agent)
  // A run ends with its last claim: this one is kept.
  await agent.call('claim_scope', { paths: ['src/kept'], expectedStateHash: agent.stateHash })
  const [row] = await database.query((orm) => orm.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`))
  return Object.assign(agent, { backend: row?.pid ?? 0 })
}

interface Cost {
  readonly clockMs: number
  readonly cpuMs: number
}

/** Milliseconds on a CPU so far, of this process and of a backend. */
function cpuMs(backend: number): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000 + Number(readFileSync(`/proc/${backend}/schedstat`, 'utf8').split(' ')[0]) / 1_000_000
}

/** Makes one call and tells what it cost. What is claimed is released again, unmeasured. */
async function measured(agent: Agent, tool: string): Promise<Cost> {
  const input = tool === 'claim_scope' ? { paths: ['src/own'], expectedStateHash: agent.stateHash } : {}
  const [clock, cpu] = [performance.now(), cpuMs(agent.backend)]
  const answer = await agent.call(tool, input)
  const cost = { clockMs: performance.now() - clock, cpuMs: cpuMs(agent.backend) - cpu }
  // oxlint-disable-next-line typescript/no-explicit-any -- the payload of one tool
  if (tool === 'claim_scope') await agent.call('release_scope', { claimId: (answer as any).claim.claimId })
  return cost
}

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN

async function compare(walled: Agent, open: Agent, tool: string, calls: number): Promise<object> {
  const [on, off]: [Cost[], Cost[]] = [[], []]
  for (let call = 0; call < calls; call += 1) {
    if (call % 2 === 0) on.push(await measured(walled, tool))
    off.push(await measured(open, tool))
    if (call % 2 === 1) on.push(await measured(walled, tool))
  }
  const ratio = (kind: keyof Cost) => {
    const [a, b] = [median(on.map((cost) => cost[kind])), median(off.map((cost) => cost[kind]))]
    return `${a.toFixed(2)} / ${b.toFixed(2)} = ${(a / b).toFixed(3)}`
  }
  return { 'clock, on / off': ratio('clockMs'), 'CPU, on / off': ratio('cpuMs') }
}

/** A database of the server at `base`, migrated, and disconnected from it. */
async function createDatabase(base: ConnectionTarget, name: string): Promise<Database> {
  const admin = connect(base)
  await admin.query((orm) => orm.execute(sql`create database ${sql.identifier(name)}`))
  await admin.close()
  const target = { ...base, database: name }
  await migrate(target)
  // One connection, so that it is known which backend works; the time-out is for a busy machine.
  return connect(target, { poolSize: 1, totalTimeoutMs: 60_000 })
}

async function main(calls: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ork-bench-'))
  const postgres = await startEmbeddedPostgres({ dataDir, log })
  try {
    const walled = await createDatabase(postgres.connection, 'walled')
    const open = await createDatabase(postgres.connection, 'open')
    for (const table of TABLES) {
      await open.query((orm) => orm.execute(sql`alter table ${sql.identifier(table)} disable row level security`))
    }
    const agents = [await furnish(walled), await furnish(open)] as const
    const rows: Record<string, object> = {}
    for (const tool of ['claim_scope', 'read_values', 'read_team_state']) {
      await compare(...agents, tool, 20)
      rows[tool] = await compare(...agents, tool, calls)
    }
    console.table(rows)
    await Promise.all([walled.close(), open.close()])
  } finally {
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

await main(Number(process.argv[2] ?? 400))
process.exit()
