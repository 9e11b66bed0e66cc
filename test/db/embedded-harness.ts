import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import postgres from 'postgres'
import { expect, onTestFinished } from 'vitest'
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../src/db/embedded/index.ts'
import { isAlive } from '../../src/db/embedded/processes.ts'

/** Durability is not the point of most of these tests. */
export const FAST = { fsync: 'off', full_page_writes: 'off' }
export const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
export const isRoot = process.getuid?.() === 0

/** A directory that goes with the test, everybody may pass, and whose postmasters are killed first. */
export async function temporaryDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ork-db-'))
  await chmod(dir, 0o755)
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Kills what still runs on the data directory when the test is over. */
export function killPostmasterAfterwards(dataDir: string): void {
  onTestFinished(async () => {
    const pid = await recordedPostmaster(dataDir)
    if (pid === undefined || !isAlive(pid)) return
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
    if (!cwd.endsWith('/postgres')) return
    process.kill(pid, 'SIGQUIT')
    await gone(pid)
  })
}

export async function recordedPostmaster(dataDir: string): Promise<number | undefined> {
  const text = await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number(text.split('\n')[0])
}

export async function gone(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 20_000, interval: 10 }).toBe(false)
}

/** Starts in this process; stopped with the test. */
export async function start(
  dataDir: string,
  options: Partial<EmbeddedPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  killPostmasterAfterwards(dataDir)
  const database = await startEmbeddedPostgres({ dataDir, log: quiet, settings: FAST, ...options })
  onTestFinished(() => database.stop())
  return database
}

export function connect(connection: EmbeddedPostgres['connection']): postgres.Sql {
  const sql = postgres({ ...connection, max: 2, onnotice: () => undefined, backoff: () => 0.02 })
  onTestFinished(() => sql.end({ timeout: 0 }))
  return sql
}

export interface ServerProcess {
  readonly child: ChildProcess
  readonly report: {
    readonly started?: Pick<EmbeddedPostgres, 'connection' | 'adopted' | 'postmasterPid'>
    readonly refused?: { readonly name: string; readonly message: string }
  }
}

/** Starts in a process of its own and waits for its report. Killed with the test. */
export async function startInProcess(
  dataDir: string,
  options: Partial<Omit<EmbeddedPostgresOptions, 'log'>> = {},
  account: { uid?: number; gid?: number } = {},
): Promise<ServerProcess> {
  killPostmasterAfterwards(dataDir)
  const child = spawnServer({ dataDir, settings: FAST, ...options }, account)
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, report: JSON.parse(line) }
  }
  throw new Error('the server process ended without a report')
}

/** Starts in a process of its own and does not wait. Killed with the test. */
export function spawnServer(
  options: Omit<EmbeddedPostgresOptions, 'log'>,
  account: { uid?: number; gid?: number } = {},
): ChildProcessByStdio<null, Readable, null> {
  const script = new URL('embedded-server.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(options)], {
    ...account,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => kill(child))
  return child
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
