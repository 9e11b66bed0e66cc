import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { createAdaptorServer, type ServerType } from '@hono/node-server'
import { runAfterRestore } from './after-restore.ts'
import { createApp } from './app.ts'
import { ConfigError, loadConfig, type Config } from './config.ts'
import { connect, type ConnectionTarget } from './db/client.ts'
import { DataDirectoryInUse, EmbeddedPostgresError, startEmbeddedPostgres } from './db/embedded/index.ts'
import { isDatabaseOutOfReach } from './db/errors.ts'
import { migrate, MigrationError } from './db/migrate.ts'
import { RowSecurityError } from './db/row-security.ts'
import { adjustLimits } from './kernel/limits.ts'
import type { Log } from './kernel/log.ts'
import { PROJECT } from './kernel/project.ts'
import { createLog } from './logging.ts'
import { startRepeating } from './maintenance/repeatedly.ts'
import { startSweeper } from './maintenance/sweeper.ts'
import { createRegistry } from './observe/registry.ts'
import { observeRuntime } from './observe/runtime.ts'
import { startTracing } from './observe/tracing.ts'
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

/** How often is looked for what another process, or a moment without a database, left half done. */
const UPKEEP_MS = 60_000

/**
 * Collect what is old when there is half as much again of it, not four times as much: with 5,000 event streams open and 200
 * agents at work the process takes 530 MB instead of 860, for a pause of 15 ms every eight seconds.
 */
const HEAP_GROWTH = '--heap-growing-percent=50'

async function main(): Promise<void> {
  setFlagsFromString(HEAP_GROWTH)
  const config = loadConfig(process.env)
  adjustLimits(config.limits)
  const log = createLog(config.logLevel)
  const closers: (() => Promise<unknown>)[] = []
  const stop = once(async () => {
    for (const close of closers.toReversed())
      await close().catch((err: unknown) => log.error({ err }, 'while stopping'))
  })
  const { stopping, hurry } = onSignals(log, stop)

  try {
    const version = await packageVersion()
    if (config.tracesTo !== undefined) {
      const tracing = await startTracing({ endpoint: config.tracesTo, version, log })
      closers.push(() => tracing.stop())
    }
    const target = await databaseTarget(config, log, closers, stopping)
    await migrate(target, { log }).catch((error: unknown) => Promise.reject(startFailure(config, error)))
    if (process.argv[2] === 'after-restore') {
      const { workspaces, claimsEnded } = await runAfterRestore(target, log)
      console.log(`${workspaces} workspaces go on from the backup with new fences; ${claimsEnded} claims were ended.`)
      await stop()
      return
    }
    const metrics = createRegistry()
    const database = connect(target, {}, metrics)
    closers.push(() => database.close())

    const code = config.loopbackOnly ? {} : { bootstrapCode: randomBytes(9).toString('base64url') }
    const runtime = observeRuntime(metrics, version)
    closers.push(async () => runtime.stop())
    const app = createApp({
      config,
      database,
      secretKeys: await secretKeys(config),
      log,
      version,
      metrics,
      eventLoopDelay: () => runtime.eventLoopDelay(),
      ...code,
    })
    const sweeper = startSweeper({ database, journal: app.journal, log, metrics })
    closers.push(() => sweeper.stop())
    const work = (leaving: AbortSignal) => app.auth.finishRevocations(leaving)
    const finisher = startRepeating({ log, everyMs: UPKEEP_MS, what: 'revocations', work })
    closers.push(() => finisher.stop())

    const servers = await listen(config, app.fetch)
    closers.push(() => app.close())
    closers.push(async () => {
      app.leave()
      await elapse(config.drainSeconds * 1_000, hurry)
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

/**
 * Stops the process in order when it is told to.
 *
 * @returns `stopping`: it was told. `hurry`: by Ctrl-C, or twice, so that somebody is waiting.
 */
function onSignals(log: Log, stop: () => Promise<void>): { stopping: AbortSignal; hurry: AbortSignal } {
  const stopping = new AbortController()
  const hurry = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      log.info({ signal }, 'stopping')
      if (signal === 'SIGINT' || stopping.signal.aborted) hurry.abort()
      stopping.abort()
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    })
  }
  return { stopping: stopping.signal, hurry: hurry.signal }
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

/** Resolves after that time, or as soon as the signal says. */
async function elapse(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined)
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
  const text = await readFile(join(PROJECT, 'package.json'), 'utf8')
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
  const known = [
    ConfigError,
    DataDirectoryInUse,
    EmbeddedPostgresError,
    MigrationError,
    RowSecurityError,
    StartError,
  ].some((type) => error instanceof type)
  console.error(known && error instanceof Error ? `\n${error.message}\n` : error)
  process.exit(1)
})
