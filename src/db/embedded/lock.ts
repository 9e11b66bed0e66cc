import { randomUUID } from 'node:crypto'
import { chmod, link, mkdir, readdir, readFile, realpath, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { DataDirectoryInUse, EmbeddedPostgresError, errorCode } from './errors.ts'
import { processIdentity } from './processes.ts'

const Holder = z.object({ pid: z.int().positive(), identity: z.string() })

export interface DataDirectoryLock {
  /** The canonical path of the data directory. */
  readonly dataDir: string
  /** Gives the directory free. Idempotent. */
  release(): Promise<void>
}

/**
 * Creates the data directory if needed and takes its single-server lock, without waiting. A lock whose holder is dead
 * (kill -9, reboot; told by pid and start time) is taken over; of any number of simultaneous starts exactly one wins.
 *
 * `server.lock/` holds one small file per generation, named 1, 2, 3 …; the greatest one is the lock. Taking over means
 * creating the next generation with link(2), which is atomic, exclusive and never shows a half-written record. The
 * greatest generation is never removed (release empties it), so a slow contender that creates one which has had its
 * day finds a greater one and withdraws. Replacing a single file by rename has no such way out: two contenders that
 * both saw the same dead holder can each throw away the other's new lock.
 *
 * Pids mean something inside one pid namespace only: two containers must not share one data directory.
 *
 * @throws DataDirectoryInUse when a living process, this one included, holds it.
 * @throws EmbeddedPostgresError when this process may not write there.
 */
export async function acquireDataDirectory(dataDir: string): Promise<DataDirectoryLock> {
  try {
    return await acquire(dataDir)
  } catch (error) {
    if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'EPERM') throw error
    throw new EmbeddedPostgresError(
      `This process may not write to the data directory ${dataDir}. Start the server as the user that owns it ` +
        '(the one it was first started as), or give it another directory with DATA_DIR.',
      { cause: error },
    )
  }
}

async function acquire(dataDir: string): Promise<DataDirectoryLock> {
  // Only the last directory is ours to close: missing ones above get the usual mode, so that others can pass them.
  const created = await mkdir(dataDir, { recursive: true })
  if (created !== undefined) await chmod(dataDir, 0o700)
  const canonical = await realpath(dataDir)
  const lockDir = join(canonical, 'server.lock')
  await mkdir(lockDir, { recursive: true, mode: 0o700 })
  const draft = join(lockDir, `draft-${randomUUID()}`)
  // Readable for all: an ordinary user's server must be able to judge a lock that root left behind.
  await writeFile(draft, JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) }), { mode: 0o644 })
  try {
    const held = await takeNextGeneration(canonical, lockDir, draft)
    return { dataDir: canonical, release: () => giveBack(held) }
  } finally {
    await rm(draft, { force: true })
  }
}

async function takeNextGeneration(dataDir: string, lockDir: string, draft: string): Promise<string> {
  for (;;) {
    const latest = Math.max(0, ...(await generations(lockDir)))
    const holder = await livingHolder(join(lockDir, String(latest)))
    if (holder !== undefined) throw new DataDirectoryInUse(dataDir, holder)
    const mine = latest + 1
    const path = join(lockDir, String(mine))
    try {
      await link(draft, path)
    } catch (error) {
      if (errorCode(error) === 'EEXIST') continue
      throw error
    }
    const all = await generations(lockDir)
    if (Math.max(...all) > mine) {
      await rm(path, { force: true })
      continue
    }
    await Promise.all(all.filter((n) => n < mine).map((n) => rm(join(lockDir, String(n)), { force: true })))
    return path
  }
}

async function giveBack(path: string): Promise<void> {
  try {
    await truncate(path, 0)
  } catch (error) {
    // Given back before and overtaken, or the data directory was deleted.
    if (errorCode(error) !== 'ENOENT') throw error
  }
}

async function generations(lockDir: string): Promise<number[]> {
  return (await readdir(lockDir)).map(Number).filter((n) => Number.isSafeInteger(n) && n > 0)
}

async function livingHolder(path: string): Promise<number | undefined> {
  try {
    const { pid, identity } = Holder.parse(JSON.parse(await readFile(path, 'utf8')))
    return processIdentity(pid) === identity ? pid : undefined
  } catch (error) {
    // Never taken, overtaken since we looked, or given back (empty).
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}
