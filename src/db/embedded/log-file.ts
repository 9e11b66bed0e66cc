import { copyFile, open, rm, stat, truncate } from 'node:fs/promises'
import { errorCode } from './errors.ts'

const MAX_BYTES = 10 * 1024 * 1024

/** Size in bytes; 0 when there is no file yet. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0
    throw error
  }
}

/**
 * Keeps PostgreSQL's log within twice 10 MiB: a greater one is copied to `<path>.1` and emptied. Copying and not
 * renaming, because a postmaster holds the file open (for appending) for as long as it lives. PostgreSQL's own
 * collector cannot bound the size, and would write into a directory of the other account where root must not trust names.
 */
export async function boundLog(path: string): Promise<void> {
  if ((await sizeOf(path)) <= MAX_BYTES) return
  await rm(`${path}.1`, { force: true })
  await copyFile(path, `${path}.1`)
  await truncate(path, 0)
}

/** What was logged from byte `offset` on; at most the last 8 KiB of it. */
export async function logSince(path: string, offset: number): Promise<string> {
  const size = await sizeOf(path)
  const from = Math.max(offset, size - 8192)
  if (from >= size) return ''
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    return buffer.toString('utf8', 0, bytesRead).trim()
  } finally {
    await file.close()
  }
}
