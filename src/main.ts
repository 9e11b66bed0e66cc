import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { createAdaptorServer, type ServerType } from '@hono/node-server'
import { createApp } from './app.ts'
import { ConfigError, loadConfig, type Config } from './config.ts'
import { connect, type ConnectionTarget } from './db/client.ts'
import { DataDirectoryInUse, EmbeddedPostgresError, startEmbeddedPostgres } from './db/embedded/index.ts'
import { isDatabaseOutOfReach } from './db/errors.ts'
import { migrate } from './db/migrate.ts'
import type { Log } from './kernel/log.ts'
import { createLog } from './logging.ts'
import { startSweeper } from './maintenance/sweeper.ts'
import { secretKeys } from './secret-key.ts'
import { clientSetups } from './web/setup.ts'

/** In-flight requests get this long after SIGTERM; most need milliseconds. */
const DRAIN_MS = 10_000

/** While draining, how often connections without a request are looked for. */
const IDLE_MS = 20

/** Longer than the 60 s after which proxies in front close idle connections, so that they and not we do it. */
const KEEP_ALIVE_MS = 65_000

/** A request's headers must be there within this, its whole body within REQUEST_MS: slow clients hold no socket for ever. */
const HEADERS_MS = 15_000
const REQUEST_MS = 60_000

async function main(): Promise<void> {
  const config = loadConfig(process.env)
  const log = createLog(config.logLevel)
  const closers: (() => Promise<unknown>)[] = []
  const stop = once(async () => {
    for (const close of closers.toReversed())
      await close().catch((err: unknown) => log.error({ err }, 'while stopping'))
  })
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      log.info({ signal }, 'stopping')
      stopping.abort()
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    })
  }

  try {
    const target = await databaseTarget(config, log, closers, stopping.signal)
    await migrate(target).catch((error: unknown) => Promise.reject(startFailure(config, error)))
    const database = connect(target)
    closers.push(() => database.close())

    const code = config.loopbackOnly ? {} : { bootstrapCode: randomBytes(9).toString('base64url') }
    const version = await packageVersion()
    const app = createApp({ config, database, secretKeys: await secretKeys(config), log, version, ...code })
    const sweeper = startSweeper({ database, journal: app.journal, log })
    closers.push(() => sweeper.stop())

    const servers = await listen(config, app.http.fetch)
    closers.push(() => app.close())
    closers.push(async () => {
      app.drain()
      await Promise.all(servers.map(closeServer))
    })
    log.info({ publicUrl: config.publicUrl, hosts: config.hosts, version }, 'listening')
    greet(config, code.bootstrapCode)
  } catch (error) {
    await stop()
    throw error
  }
}

/** DATABASE_URL, or a PostgreSQL of our own in DATA_DIR. */
async function databaseTarget(
  config: Config,
  log: Log,
  closers: (() => Promise<unknown>)[],
  signal: AbortSignal,
): Promise<ConnectionTarget> {
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl }
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log, signal })
  closers.push(() => postgres.stop())
  return postgres.connection
}

/** What a person can mend about DATABASE_URL, told without the URL, which holds a password; everything else as it is. */
function startFailure({ databaseUrl }: Config, error: unknown): unknown {
  if (databaseUrl === undefined || !isDatabaseOutOfReach(error)) return error
  return new StartError(
    `The database named by DATABASE_URL cannot be used: ${error.message}. Check that PostgreSQL is running there, and ` +
      'that host, port, database, user and password are right (special characters in a password are percent-encoded).',
  )
}

/** Listens on every address; one family of loopback may be missing on a machine, both may not. */
async function listen(
  config: Config,
  fetch: Parameters<typeof createAdaptorServer>[0]['fetch'],
): Promise<ServerType[]> {
  const servers: ServerType[] = []
  let failure: unknown
  for (const host of config.hosts) {
    const server = createAdaptorServer({
      fetch,
      serverOptions: { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
    })
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ port: config.port, host }, resolve)
      })
      servers.push(server)
    } catch (error) {
      failure = error
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') break
    }
  }
  const inUse = failure instanceof Error && 'code' in failure && failure.code === 'EADDRINUSE'
  if (servers.length > 0 && !inUse) return servers
  await Promise.all(servers.map(closeServer))
  throw inUse
    ? new StartError(`Port ${config.port} is in use. Stop the other program, or set PORT to another one.`)
    : failure
}

/** Stops accepting, lets requests in flight finish, and cuts what is still open after DRAIN_MS. */
async function closeServer(server: ServerType): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  // Again and again: a connection whose last answer has ended would wait for another request.
  const idle = setInterval(() => 'closeIdleConnections' in server && server.closeIdleConnections(), IDLE_MS)
  await Promise.race([closed, delay(DRAIN_MS, undefined, { ref: false })])
  clearInterval(idle)
  if ('closeAllConnections' in server) server.closeAllConnections()
}

/** What to do next, for a person at a terminal. */
function greet(config: Config, bootstrapCode: string | undefined): void {
  const setups = clientSetups(config.publicUrl).flatMap(({ client, commands }) => [
    `  ${client}`,
    ...commands.map((command) => `    ${command}`),
  ])
  const code = bootstrapCode === undefined ? [] : [`The first account needs this code: ${bootstrapCode}`, '']
  console.log(
    [
      '',
      `Orkestrate is running at ${config.publicUrl}`,
      '',
      ...code,
      'Connect your coding agents, in the repository you work on:',
      '',
      ...setups,
      '',
      'Ctrl-C stops it.',
      '',
    ].join('\n'),
  )
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8')
  const { version }: { version: string } = JSON.parse(text)
  return version
}

/** A start that failed for a reason that the message tells a person what to do about. */
class StartError extends Error {}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => (running ??= work())
}

main().catch((error: unknown) => {
  const known = [ConfigError, DataDirectoryInUse, EmbeddedPostgresError, StartError].some(
    (type) => error instanceof type,
  )
  console.error(known && error instanceof Error ? `\n${error.message}\n` : error)
  process.exit(1)
})
