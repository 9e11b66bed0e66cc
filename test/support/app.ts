import { Writable } from 'node:stream'
import { sql } from 'drizzle-orm'
import { createApp, type App } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { connect, type Database } from '../../src/db/client.ts'
import type { Pace } from '../../src/kernel/limits.ts'
import { startSweeper } from '../../src/maintenance/sweeper.ts'
import { createRegistry, type Registry } from '../../src/observe/registry.ts'
import { judgeOf } from '../openapi/judge.ts'
import { createAgent, type Agent } from './agent.ts'
import { createLog } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { obtainTokens, visitor, type FetchLike, type ObtainedTokens, type Visitor } from './oauth.ts'
import { inEveryWorkspace } from './workspaces.ts'

export const SECRET = 'test secret key with more than thirty-two characters'

/** Tests sign in thousands of times; what a hash really costs is in test/auth/passwords.test.ts and secrets.test.ts. */
export const CHEAP_ARGON2 = { memoryCost: 8, timeCost: 1, parallelism: 1 }

/** The whole product on a database of its own, called without a port. */
export interface TestApp {
  readonly app: App
  readonly database: Database
  readonly db: TestDatabase
  readonly publicUrl: string
  readonly fetch: FetchLike
  /** Every line that was logged, as text. */
  readonly logLines: string[]
  /** A person with an account, signed in with a new client. The same name is the same person. */
  login(name: string, clientName?: string, scope?: string): Promise<ObtainedTokens>
  /** An agent with a login of its own. */
  agent(name: string, clientName?: string): Promise<Agent>
  /** Lets that much time pass for leases, sessions and their clocks, by moving what is stored into the past. */
  elapse(seconds: number): Promise<void>
  /** A second replica on the same database; a deaf one hears nothing of what the others tell. */
  replica(pace?: Partial<Pace>, hearing?: 'deaf'): { app: App; database: Database; close(): Promise<void> }
  close(): Promise<void>
}

export async function createTestApp(
  options: {
    sweep?: boolean
    env?: Record<string, string>
    pace?: Partial<Pace>
    db?: TestDatabase
    metrics?: Registry
  } = {},
): Promise<TestApp> {
  const db = options.db ?? (await createTestDatabase())
  const config = loadConfig({ PUBLIC_URL: 'http://localhost:7300', ...options.env })
  const { publicUrl } = config
  const logLines: string[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logLines.push(chunk.toString())
      done()
    },
  })
  const log = createLog('trace', sink)
  const build = (database: Database, pace: Partial<Pace> = {}, metrics = createRegistry()) =>
    createApp({
      config,
      database,
      secretKeys: [SECRET],
      log,
      version: '0.0.0-test',
      pace,
      metrics,
      argon2: CHEAP_ARGON2,
    })
  const app = build(db.database, options.pace, options.metrics)
  const sweeper = options.sweep === true ? startSweeper({ database: db.database, journal: app.journal, log }) : null
  const { fetch, verdict } = await judgeOf((url, init) => app.http.request(url, init), publicUrl)
  const browsers = new Map<string, Visitor>()
  const login: TestApp['login'] = (name, clientName = 'Claude Code', scope = 'mcp:read mcp:write') =>
    obtainTokens(fetch, {
      publicUrl,
      scope,
      clientName,
      browser: known(browsers, name, () => visitor(fetch, publicUrl)),
      person: { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` },
    })
  return {
    app,
    database: db.database,
    db,
    publicUrl,
    fetch,
    logLines,
    login,
    agent: async (name, clientName) =>
      createAgent(fetch, `${publicUrl}/api/mcp`, (await login(name, clientName)).accessToken),
    async elapse(seconds) {
      const by = sql.raw(`interval '${seconds} seconds'`)
      await inEveryWorkspace(db.database, async (tx) => {
        await tx.execute(sql`update journals set clock = clock - ${by}, next_due_at = next_due_at - ${by}`)
        await tx.execute(sql`update claims set acquired_at = acquired_at - ${by}, expires_at = expires_at - ${by}`)
        await tx.execute(sql`update sessions set joined_at = joined_at - ${by}, last_seen_at = last_seen_at - ${by}`)
        return []
      })
    },
    replica(pace = options.pace, hearing) {
      const database = connect(db.target)
      const nowhere = connect({ url: 'postgres://nobody@127.0.0.1:9/none' })
      const dedicated: Database['dedicated'] = (settings) => nowhere.dedicated(settings)
      const other = build(hearing === 'deaf' ? { ...database, dedicated } : database, pace)
      return {
        app: other,
        database,
        async close() {
          await other.close()
          await database.close()
        },
      }
    },
    async close() {
      await sweeper?.stop()
      await app.close()
      await db.drop()
      verdict()
    },
  }
}

function known<T>(map: Map<string, T>, key: string, make: () => T): T {
  const value = map.get(key) ?? make()
  map.set(key, value)
  return value
}
