/** Two replicas of the product on one PostgreSQL, behind HAProxy: what every scenario plays on. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { freePort } from '../support/server-process.ts'
import { dropDatabase, openSql, withDatabase } from '../support/global-setup.ts'
import { type Proxy, startProxy } from './haproxy.ts'
import { createReplica, type Replica } from './replica.ts'

export interface Stage {
  /** The proxy's origin: PUBLIC_URL, the issuer, and where clients go. */
  readonly publicUrl: string
  readonly proxy: Proxy
  readonly replicas: readonly Replica[]
  /** One replica goes by SIGTERM and comes again, as in a rolling restart. Resolves when the proxy sends it requests. */
  restart(index: number): Promise<void>
  /** The same, but it goes by kill -9. */
  killAndStart(index: number): Promise<void>
  /** Starts what does not run, so that one scenario's end is not the next one's. */
  heal(): Promise<void>
  stop(): Promise<void>
}

/** Far beyond what a scenario asks for: what is tested here is not the bounds. */
const LIMITS = 'callsPerMinute=1000000,sensitiveCallsPerMinute=1000000,streamsPerUser=200,sessionsPerGrant=500'

export async function setStage(): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'ork-replicas-'))
  // As root PostgreSQL runs as another user, who must be able to get here.
  await chmod(folder, 0o755)
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async () => {
    for (const close of closers.toReversed()) await close()
  }
  try {
    const database = await openDatabase(folder)
    closers.push(database.close)
    const port = await freePort()
    const publicUrl = `http://localhost:${port}`
    const env = {
      DATABASE_URL: database.url,
      PUBLIC_URL: publicUrl,
      SECRET_KEY: 'the same key of forty characters or more',
      TRUST_PROXY: '1',
      // As it is by default: what the proxy's configuration counts on.
      DRAIN_SECONDS: '',
      LOG_LEVEL: 'warn',
      LIMITS,
    }
    const replicas: Replica[] = []
    for (const name of ['one', 'two']) replicas.push(await createReplica(join(folder, name), env))
    closers.push(() => Promise.all(replicas.filter(({ running }) => running).map((replica) => replica.kill())))
    const proxy = await startProxy(
      folder,
      port,
      replicas.map(({ origin }) => origin),
    )
    closers.push(() => proxy.stop())
    const stage = stageOf({ publicUrl, proxy, replicas, stop })
    await stage.heal()
    return stage
  } catch (error) {
    await stop()
    throw error
  }
}

function stageOf(parts: Pick<Stage, 'publicUrl' | 'proxy' | 'replicas' | 'stop'>): Stage {
  const { proxy, replicas } = parts
  const at = (index: number): Replica => {
    const replica = replicas[index]
    if (replica === undefined) throw new Error(`there is no replica ${index}`)
    return replica
  }
  const start = async (index: number) => {
    if (!at(index).running) await at(index).start()
    await proxy.until(index, 'UP')
  }
  return {
    ...parts,
    async restart(index) {
      await at(index).retire()
      await proxy.until(index, 'DOWN')
      await start(index)
    },
    async killAndStart(index) {
      await at(index).kill()
      await at(index).start()
    },
    async heal() {
      await Promise.all(replicas.map((_, index) => start(index)))
    },
  }
}

/** A database of its own: in TEST_DATABASE_URL's cluster, or in one that lives as long as the run. */
async function openDatabase(folder: string): Promise<{ url: string; close: () => Promise<void> }> {
  const url = process.env['TEST_DATABASE_URL']
  if (url === undefined) return embeddedDatabase(folder)
  const name = `ork_replicas_${randomBytes(6).toString('hex')}`
  const sql = openSql({ url })
  await sql.unsafe(`create database ${name}`)
  const target = withDatabase({ url }, name)
  return {
    url: 'url' in target ? target.url : '',
    async close() {
      await dropDatabase(sql, name)
      await sql.end()
    },
  }
}

async function embeddedDatabase(folder: string): Promise<{ url: string; close: () => Promise<void> }> {
  const quiet = () => undefined
  const port = await freePort()
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, 'database'),
    log: { info: quiet, warn: quiet, error: quiet },
    // Durable as in production: what is acknowledged here must be there.
    settings: { listen_addresses: '127.0.0.1', port: String(port), max_connections: '200' },
  })
  const { username, password, database } = postgres.connection
  return { url: `postgres://${username}:${password}@127.0.0.1:${port}/${database}`, close: () => postgres.stop() }
}
