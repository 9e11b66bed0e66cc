import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const STOP_MS = 5_000

const directories = new Set<string>()

/**
 * A temporary directory. One for data is directly below the system's, not in another of ours: PostgreSQL's user must be
 * able to pass everything above it.
 */
export function temporaryDirectory(purpose: string): string {
  const path = mkdtempSync(join(tmpdir(), `ork-bench-${purpose}-`))
  directories.add(path)
  return path
}

export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  directories.delete(path)
}

/** For an end before its time: PostgreSQL outlives whoever started it, so it is stopped, fast, and then all is removed. */
export async function removeDirectories(): Promise<void> {
  for (const path of directories) {
    const pid = postmasterOf(path)
    if (pid !== null) await ended(pid)
    removeDirectory(path)
  }
}

/** The postmaster of a data directory of the embedded PostgreSQL; null where there is none. */
export function postmasterOf(dataDir: string): number | null {
  try {
    return Number(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return null
  }
}

async function ended(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGINT')
    for (const until = performance.now() + STOP_MS; performance.now() < until; await delay(20)) process.kill(pid, 0)
  } catch {
    // It is gone.
  }
}
