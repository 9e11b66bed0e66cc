import { execFile } from 'node:child_process'
import { chmod, cp, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from '../../src/db/client.ts'
import { startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { installedNativeDir } from '../../src/db/embedded/native.ts'
import { migrate } from '../../src/db/migrate.ts'
import type { TestDatabase } from './database.ts'

const INSTALL_TIMEOUT_MS = 120_000

/** A PostgreSQL of its own whose clock the test moves, migrated and empty. */
export interface FakedClock {
  readonly db: TestDatabase
  /** Lets the server's clock be that much off the real one from now on; negative: behind. */
  setOffset(seconds: number): Promise<void>
}

/**
 * libfaketime's library, installed if it can be (Debian's package `faketime`, as root); or why there is none, for the
 * message of a skipped test.
 */
export async function findFaketime(): Promise<{ library: string } | { missing: string }> {
  if (process.platform !== 'linux') return { missing: 'libfaketime is used on Linux only' }
  const present = await installedLibrary()
  if (present !== null) return { library: present }
  if (process.getuid?.() !== 0) return { missing: 'libfaketime is not installed (Debian: apt-get install faketime)' }
  const failure = await promisify(execFile)('apt-get', ['install', '-y', 'faketime'], {
    timeout: INSTALL_TIMEOUT_MS,
  }).then(
    () => null,
    (error: unknown) => String(error),
  )
  const installed = await installedLibrary()
  return installed === null ? { missing: `libfaketime could not be installed: ${failure}` } : { library: installed }
}

async function installedLibrary(): Promise<string | null> {
  for (const directory of await readdir('/usr/lib')) {
    const library = `/usr/lib/${directory}/faketime/libfaketime.so.1`
    if (
      await stat(library).then(
        () => true,
        () => false,
      )
    )
      return library
  }
  return null
}

/**
 * Starts the server. The product hands no such variables to PostgreSQL, so the `postgres` that it starts here is a copy
 * behind a script that sets them. Monotonic time stays real, or the server's own waits would go wrong.
 */
export async function startFakedClock(library: string): Promise<FakedClock> {
  const root = await mkdtemp(join(tmpdir(), 'ork-time-'))
  // As root PostgreSQL runs as another user, who must be able to read what is in here.
  await chmod(root, 0o755)
  const native = join(root, 'package', 'native')
  await cp(join(installedNativeDir(), '..'), join(root, 'package'), { recursive: true, verbatimSymlinks: true })
  const offsetFile = join(root, 'offset')
  const setOffset = async (seconds: number) => {
    // Renamed into place: a reader never finds half of it.
    await writeFile(`${offsetFile}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    await rename(`${offsetFile}.new`, offsetFile)
  }
  await setOffset(0)
  const program = join(native, 'bin', 'postgres')
  await rename(program, `${program}.real`)
  const settings = [
    `LD_PRELOAD='${library}'`,
    `FAKETIME_TIMESTAMP_FILE='${offsetFile}'`,
    'FAKETIME_NO_CACHE=1',
    'FAKETIME_DONT_FAKE_MONOTONIC=1',
  ]
  await writeFile(program, `#!/bin/sh\n${settings.join(' ')} exec "$0.real" "$@"\n`)
  await chmod(program, 0o755)

  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const embedded = await startEmbeddedPostgres({
    dataDir: join(root, 'data'),
    log: quiet,
    nativeDir: native,
    // The alarm of one timeout lets all fire that are over by the (stepped) clock; the earliest is the deadlock check.
    settings: { fsync: 'off', deadlock_timeout: '1h' },
  })
  const target = embedded.connection
  await migrate(target)
  const database = connect(target)
  const drop = async () => {
    await database.close()
    await embedded.stop()
    await rm(root, { recursive: true, force: true })
  }
  return { db: { database, target, drop }, setOffset }
}
