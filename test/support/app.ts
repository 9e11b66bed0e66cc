import { Writable } from 'node:stream'
import { createApp, type App } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { connect, type Database } from '../../src/db/client.ts'
import { startSweeper } from '../../src/maintenance/sweeper.ts'
import { createLog } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { obtainTokens, type FetchLike, type ObtainedTokens } from './oauth.ts'

export const SECRET = 'test secret key with more than thirty-two characters'

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
  login(name: string, clientName?: string): Promise<ObtainedTokens>
  /** A second replica on the same database. */
  replica(): { app: App; database: Database; close(): Promise<void> }
  close(): Promise<void>
}

export async function createTestApp(options: { sweep?: boolean; env?: Record<string, string> } = {}): Promise<TestApp> {
  const db = await createTestDatabase()
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
  const build = (database: Database) =>
    createApp({ config, database, secretKeys: [SECRET], log, version: '0.0.0-test' })
  const app = build(db.database)
  const sweeper = options.sweep === true ? startSweeper({ database: db.database, journal: app.journal, log }) : null
  const fetch: FetchLike = (url, init) => app.http.request(new URL(url, publicUrl).href, init)
  return {
    app,
    database: db.database,
    db,
    publicUrl,
    fetch,
    logLines,
    login: (name, clientName = 'Claude Code') =>
      obtainTokens(fetch, {
        publicUrl,
        clientName,
        person: { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` },
      }),
    replica() {
      const database = connect(db.target)
      const other = build(database)
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
    },
  }
}
