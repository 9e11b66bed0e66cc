import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { insertPersonalToken } from '../../src/auth/personal-tokens.ts'
import { newToken } from '../../src/auth/token-format.ts'
import { connect, type ConnectionTarget, type Database } from '../../src/db/client.ts'
import { databaseNow } from '../../src/db/clock.ts'
import { createJournal, type Journal } from '../../src/journal/journal.ts'
import { JOURNAL, verifyChain } from '../../src/journal/chain.ts'
import { exportEvent, type ExportedEvent } from '../../src/journal/event.ts'
import { newId } from '../../src/kernel/ids.ts'
import type { Claim } from '../../src/modules/claim/claim.ts'
import { claimAcquired, claimFacts } from '../../src/modules/claim/events.ts'
import { parsePattern } from '../../src/modules/claim/pattern.ts'
import { insertClaim } from '../../src/modules/claim/store.ts'
import { eventTypes } from '../../src/modules/index.ts'
import { sessionJoined } from '../../src/modules/session/events.ts'
import { actorOf, type Session } from '../../src/modules/session/session.ts'
import { insertSession } from '../../src/modules/session/store.ts'
import { reposOf } from '../../src/modules/tenancy/store.ts'
import { createUser } from '../../src/modules/tenancy/users.ts'
import type { Agent } from '../load/agents.ts'
import type { Load } from './load.ts'
import { log } from '../targets/target.ts'

/** How long what is seeded lives: longer than any run. */
const TTL_SECONDS = 3_600
const CLAIMS_PER_SESSION = 50

const TABLES = 'workspaces members repos sessions claims claim_paths runs values events journals personal_tokens'.split(
  ' ',
)

/** People, agents and claims for the rows to work with, made by the product itself wherever that is quick enough. */
export interface World {
  readonly target: ConnectionTarget
  readonly database: Database
  /**
   * Workspaces of one new person each, with agents that have joined over MCP on `port`, hold one claim, and are free to
   * claim more.
   */
  found(port: number, workspaces: number, agentsEach: number): Promise<Agent[][]>
  /** Live claims of other agents, 50 of each, as many as are missing to `total`, written by the journal itself. */
  fill(workspaceId: string, userId: string, present: number, total: number): Promise<void>
  /** The person whose agents these are. */
  userOf(agent: Agent): string
  /** Up-to-date statistics, as a database that has run for a while has them. */
  analyze(): Promise<void>
  /** Reads a journal and verifies its chain. @returns the number of its events. @throws where it is broken */
  verify(workspaceId: string): Promise<number>
  close(): Promise<void>
}

/** Where the embedded PostgreSQL of a data directory listens (src/db/embedded/index.ts says what one holds). */
export function embeddedTarget(dataDir: string): ConnectionTarget & { host: string; password: string } {
  const { application } = JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8')) as { application: string }
  const [host, password] = [join(dataDir, 'run'), application]
  return { host, port: 5432, database: 'orkestrate', username: 'orkestrate', password }
}

export function createWorld(target: ConnectionTarget, load: Load): World {
  // The time-outs are for a busy machine: what is seeded is not measured.
  const database = connect(target, { poolSize: 4, acquireTimeoutMs: 30_000, totalTimeoutMs: 60_000 })
  const journal = createJournal({ database, eventTypes, expire: [], log })
  const users = new Map<string, string>()
  let people = 0

  async function addPerson(tokens: readonly string[]): Promise<string> {
    people += 1
    return database.transaction(async (tx) => {
      const now = await databaseNow(tx)
      const userId = await createUser(tx, { email: `bench-${people}@example.org`, name: `Bench ${people}`, now })
      for (const token of tokens) {
        const row = { id: newId('pat'), userId, name: 'bench', createdAt: now, expiresAt: null, onlyWorkspaceId: null }
        await insertPersonalToken(tx, token, { ...row, scopes: ['mcp:read', 'mcp:write'] })
        users.set(token, userId)
      }
      return userId
    })
  }

  return {
    target,
    database,
    async found(port, workspaces, agentsEach) {
      const all: { name: string; tokens: string[] }[] = []
      for (let workspace = 0; workspace < workspaces; workspace += 1) {
        const tokens = Array.from({ length: agentsEach }, () => newToken('test'))
        await addPerson(tokens)
        all.push({ name: `repository-${people}`, tokens })
      }
      return load.join({ port, people: all })
    },
    userOf: (agent) => users.get(agent.token) ?? '',
    async fill(workspaceId, userId, present, total) {
      for (let made = present; made < total; made += CLAIMS_PER_SESSION) {
        await addBusyAgent(journal, workspaceId, userId, Math.min(CLAIMS_PER_SESSION, total - made))
      }
    },
    async analyze() {
      // Those of the product, table by table: autovacuum may hold one of the others for seconds.
      for (const table of TABLES) {
        await database.query((orm) => orm.execute(sql`analyze ${sql.identifier(table)}`))
      }
    },
    async verify(workspaceId) {
      const verdict = await verifyChain(exported(journal, workspaceId), { kind: JOURNAL, id: workspaceId })
      if (!verdict.ok) throw new Error(`the journal of ${workspaceId} is broken at ${verdict.seq}: ${verdict.reason}`)
      return verdict.events
    },
    async close() {
      await journal.close()
      await database.close()
    },
  }
}

async function* exported(journal: Journal, workspaceId: string): AsyncGenerator<ExportedEvent> {
  for (let after = 0; ;) {
    const page = await journal.read(workspaceId, after, 1_000)
    for (const event of page) yield exportEvent(event)
    const last = page.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

/** One agent with many claims, in one change: its session, its claims, and their events. */
async function addBusyAgent(journal: Journal, workspaceId: string, userId: string, claims: number): Promise<void> {
  await journal.change({ workspace: workspaceId }, async (ws) => {
    const [repo] = await reposOf(ws.tx, workspaceId)
    const repoId = repo?.id ?? ''
    const here = { repoId, branch: 'main', headSha: '0123456', toolName: 'bench', userId }
    const [id, agentId] = [newId('ses'), `busy-${ws.nextSeq}`]
    const times = { joinedAt: ws.now, lastSeenAt: ws.now, endedAt: null }
    const none = { state: null, alerts: [], dirty: false, grantId: newId('gr') }
    const session: Session = { ...here, ...times, ...none, id, workspaceId, agentId }
    const { toolName, branch, headSha } = session
    const joined = { sessionId: id, agentId, userId, toolName, repoId, branch, headSha, resumed: false }
    ws.append(sessionJoined, joined, actorOf(session))
    ws.write((tx) => insertSession(tx, session))
    const expiresAt = new Date(ws.now.getTime() + TTL_SECONDS * 1_000)
    for (let number = 0; number < claims; number += 1) {
      const patterns = [parsePattern(`held/${agentId}/directory-${number % 7}/file-${number}.ts`)]
      const lease = { fence: ws.nextSeq, ttlSeconds: TTL_SECONDS, acquiredAt: ws.now, expiresAt, reason: '' }
      const claim: Claim = { ...lease, id: newId('clm'), sessionId: id, repoId, mode: 'exclusive', patterns }
      const terms = { mode: claim.mode, fence: claim.fence, ttlSeconds: TTL_SECONDS, reason: '' }
      const payload = { ...claimFacts(claim, agentId), ...terms, expiresAt: expiresAt.toISOString() }
      ws.append(claimAcquired, payload, actorOf(session))
      ws.write((tx) => insertClaim(tx, workspaceId, claim))
    }
    ws.dueAt(expiresAt)
  })
}
