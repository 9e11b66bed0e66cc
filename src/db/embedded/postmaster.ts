import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asSuperuser, type Credentials, type Endpoint } from './cluster.ts'
import { EmbeddedPostgresError, errorCode } from './errors.ts'
import type { Layout } from './layout.ts'
import { boundLog, logSince, sizeOf } from './log-file.ts'
import type { Native } from './native.ts'
import { asAccount, isAlive, processIdentity, programEnvironment, runProgram } from './processes.ts'

/** All that is needed to start this cluster's postmaster, or to recognise it. */
export interface PostmasterPlan {
  readonly layout: Layout
  readonly native: Native
  readonly credentials: Credentials
  /** Where a new postmaster is to listen. */
  readonly endpoint: Endpoint
  readonly settings: Readonly<Record<string, string>>
}

export interface RunningPostmaster {
  readonly pid: number
  readonly adopted: boolean
  /** Where it does listen: an adopted one was told so by the server that started it. */
  readonly endpoint: Endpoint
}

const POLL_MS = 10
/** After a kill -9 of the postmaster its backends leave within about a second (measured); only then may another start. */
const LEAVING_MS = 5_000
/** Recovery after a crash replays at most max_wal_size (1 GB). */
const READY_MS = 120_000
const FAST_STOP_MS = 60_000

const othersAreLeaving = /lock file ".*" already exists|pre-existing shared memory block/

/**
 * Adopts the living postmaster of this cluster, or starts one, and returns when it has answered a query.
 *
 * @throws EmbeddedPostgresError with the last lines of the log when it does not come up.
 * @throws the signal's reason when aborted; nothing that was started here is left running then.
 */
export async function bringUp(plan: PostmasterPlan, signal: AbortSignal): Promise<RunningPostmaster> {
  const { cluster, logFile } = plan.layout
  await boundLog(logFile)
  const giveUpAt = Date.now() + LEAVING_MS
  for (;;) {
    signal.throwIfAborted()
    const recorded = await readPidFile(cluster)
    if (recorded !== undefined && isPostmaster(plan.layout, recorded.pid)) {
      const { pid } = recorded
      const endpoint = await becomeReady(plan, pid, () => isPostmaster(plan.layout, pid), signal)
      if (endpoint !== undefined) return { pid, adopted: true, endpoint }
      continue
    }
    const offset = await sizeOf(logFile)
    const started = await startOne(plan, signal)
    if (started !== undefined) return started
    const lines = await logSince(logFile, offset)
    if (!othersAreLeaving.test(lines) || Date.now() > giveUpAt) {
      throw new EmbeddedPostgresError(`PostgreSQL did not start (log: ${logFile}). Its last lines:\n${lines}`)
    }
    await removeStalePidFile(plan.layout)
    await sleep(50, undefined, { signal })
  }
}

async function startOne(plan: PostmasterPlan, signal: AbortSignal): Promise<RunningPostmaster | undefined> {
  const child = await spawnPostmaster(plan)
  const { pid } = child
  if (pid === undefined) throw new EmbeddedPostgresError(`${plan.native.postgres} could not be started.`)
  try {
    const running = (): boolean => child.exitCode === null && child.signalCode === null
    const endpoint = await becomeReady(plan, pid, running, signal)
    return endpoint === undefined ? undefined : { pid, adopted: false, endpoint }
  } catch (error) {
    await stopPostmaster(plan, pid)
    throw error
  }
}

/** Detached, in a session of its own: it must outlive a kill -9 of ours, and a Ctrl-C in the terminal is for us to handle. */
async function spawnPostmaster(plan: PostmasterPlan): Promise<ChildProcess> {
  const { layout, native, endpoint, settings } = plan
  const log = await open(layout.logFile, 'a', 0o600)
  try {
    const options = Object.entries({ ...listening(endpoint), ...settings }).flatMap(([k, v]) => ['-c', `${k}=${v}`])
    const child = spawn(native.postgres, ['-D', layout.cluster, ...options], {
      ...asAccount(layout.account),
      cwd: '/',
      env: programEnvironment(),
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      windowsHide: true,
    })
    // Without a listener a failure to start it would be thrown; it shows in the missing pid.
    child.once('error', () => undefined)
    child.unref()
    return child
  } finally {
    await log.close()
  }
}

function listening({ host, port }: Endpoint): Record<string, string> {
  if (process.platform === 'win32') return { listen_addresses: host, port: String(port) }
  return {
    listen_addresses: '',
    port: String(port),
    // A list: quoted, so that a comma in the path is no separator.
    unix_socket_directories: `"${host.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
  }
}

/**
 * Waits until the postmaster has answered a query. Asks only after it called itself ready in postmaster.pid, for a
 * connection before that is an error in its log. Resolves with undefined when it died before.
 */
async function becomeReady(
  plan: PostmasterPlan,
  pid: number,
  running: () => boolean,
  signal: AbortSignal,
): Promise<Endpoint | undefined> {
  const giveUpAt = Date.now() + READY_MS
  let lastError: unknown
  while (running()) {
    const recorded = await readPidFile(plan.layout.cluster)
    if (recorded?.pid === pid && recorded.ready) {
      try {
        await asSuperuser(recorded.endpoint, plan.credentials, (sql) => sql`select 1`)
        return recorded.endpoint
      } catch (error) {
        lastError = error
        // The wrong password: waiting does not help.
        if (errorCode(error) === '28P01') break
      }
    }
    if (Date.now() > giveUpAt) break
    await sleep(POLL_MS, undefined, { signal })
  }
  if (!running()) return undefined
  throw new EmbeddedPostgresError(
    `PostgreSQL (pid ${pid}) is running for ${plan.layout.cluster} but does not let us in. Log: ${plan.layout.logFile}`,
    { cause: lastError },
  )
}

interface PidFile {
  readonly pid: number
  readonly endpoint: Endpoint
  readonly ready: boolean
  readonly sharedMemoryId: string | undefined
}

/** The lines of postmaster.pid: pid, data directory, start time, port, socket directory, address, shm key and id, status. */
async function readPidFile(cluster: string): Promise<PidFile | undefined> {
  let text: string
  try {
    text = await readFile(join(cluster, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  const [pid, , , port, socketDir, address, sharedMemory, status] = text.split('\n').map((line) => line.trim())
  if (!Number.isSafeInteger(Number(pid)) || Number(pid) <= 1) return undefined
  return {
    pid: Number(pid),
    endpoint: { host: socketDir || address || '', port: Number(port) },
    ready: status === 'ready',
    sharedMemoryId: sharedMemory?.split(/\s+/)[1],
  }
}

/**
 * Whether this pid is alive and this cluster's postmaster. On Linux its command line and owner say so (its working
 * directory would too, but reading that takes CAP_SYS_PTRACE, which root in a container lacks), which also tells
 * zombies and reused pids; elsewhere only liveness is known.
 */
export function isPostmaster({ cluster, account }: Layout, pid: number): boolean {
  if (process.platform !== 'linux') return isAlive(pid)
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const owner = account?.uid ?? process.getuid?.()
    return args[1] === '-D' && args[2] === cluster && statSync(`/proc/${pid}`).uid === owner
  } catch {
    return false
  }
}

/**
 * PostgreSQL believes a leftover postmaster.pid as long as any process of the same user has that pid, which in a
 * container, where the same few pids come again on each start, may be for ever. So it is removed if the pid is no
 * postmaster of this cluster and nobody is attached to the cluster's shared memory (PostgreSQL's own test for
 * backends that survived their postmaster). Linux only, where both can be known.
 */
async function removeStalePidFile(layout: Layout): Promise<void> {
  if (process.platform !== 'linux') return
  const recorded = await readPidFile(layout.cluster)
  if (recorded === undefined || isPostmaster(layout, recorded.pid)) return
  const segments = (await readFile('/proc/sysvipc/shm', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/))
  const [header, ...rows] = segments
  const [id, attached] = [header?.indexOf('shmid') ?? -1, header?.indexOf('nattch') ?? -1]
  if (id < 0 || attached < 0) return
  const inUse = rows.some((row) => row[id] === recorded.sharedMemoryId && row[attached] !== '0')
  if (!inUse) await rm(join(layout.cluster, 'postmaster.pid'), { force: true })
}

/**
 * Stops the postmaster, if it still is one, and waits until it is gone: a fast stop (sessions are ended, a checkpoint
 * is written; 16-20 ms when idle), and when that takes more than a minute an immediate one (recovery on the next start).
 */
export async function stopPostmaster({ layout, native }: Omit<PostmasterPlan, 'endpoint'>, pid: number): Promise<void> {
  if (process.platform === 'win32') {
    await runProgram(native.pgCtl, ['stop', '-D', layout.cluster, '-m', 'fast', '-w'], undefined)
    return
  }
  const identity = isPostmaster(layout, pid) ? processIdentity(pid) : undefined
  if (identity === undefined) return
  const immediateAt = Date.now() + FAST_STOP_MS
  let signal: 'SIGINT' | 'SIGQUIT' | undefined = 'SIGINT'
  // By identity: a process that is ending has lost its command line some time before it is gone.
  while (processIdentity(pid) === identity) {
    if (signal !== undefined) sendSignal(pid, signal)
    signal = Date.now() > immediateAt ? 'SIGQUIT' : undefined
    await sleep(POLL_MS)
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // Gone in the meantime.
    if (errorCode(error) !== 'ESRCH') throw error
  }
}
