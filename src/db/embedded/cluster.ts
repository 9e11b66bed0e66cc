import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { z } from 'zod'
import { EmbeddedPostgresError, errorCode } from './errors.ts'
import { type Layout, linkHome } from './layout.ts'
import type { Native } from './native.ts'
import { runProgram } from './processes.ts'

/** The role and the database of the application. */
export const APPLICATION = 'orkestrate'

/** Prefix. A directory of its own for each attempt: an initdb that outlived its server must not write into ours. */
const STAGING = 'postgres.init-'

/** Passwords of the two roles; kept in `home/credentials.json`, mode 0600. */
export type Credentials = z.infer<typeof Credentials>
const Credentials = z.object({ superuser: z.string(), application: z.string() })

/** Where a postmaster listens: a socket directory or an address, and a port. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * Creates the cluster if there is none: `initdb` into a directory of its own, made durable, then renamed into place, so
 * that a cluster which exists is complete; what a killed initdb left is removed here.
 *
 * Locale C and UTF-8: neither the libc's nor the bundled (old) ICU's collation version can ever corrupt an index. Both
 * ways in ask for a password (SCRAM), so reaching the socket or, on Windows, the loopback port is not enough. Data
 * checksums are the default since 18.
 *
 * @throws EmbeddedPostgresError when the existing cluster is of another major version, or initdb fails (with its output).
 */
export async function ensureCluster(layout: Layout, native: Native, durable: boolean): Promise<Credentials> {
  for (const name of await readdir(layout.home)) {
    if (name.startsWith(STAGING)) await removeTree(join(layout.home, name))
  }
  if (layout.clusterExists) await assertSameMajor(layout.cluster, native.major)
  const credentials = await ensureCredentials(layout)
  if (!layout.clusterExists) await createCluster(layout, native, credentials, durable)
  if (layout.home !== layout.dataDir) await linkHome(layout)
  return credentials
}

async function createCluster(
  layout: Layout,
  native: Native,
  credentials: Credentials,
  durable: boolean,
): Promise<void> {
  const { account } = layout
  const staging = await mkdtemp(join(layout.home, STAGING))
  const [fresh, passwordFile] = [join(staging, 'data'), join(staging, 'password')]
  await writeDurably(passwordFile, credentials.superuser)
  if (account !== undefined) {
    // The directory last: root must not write by name where the other account could have put a link.
    await chown(passwordFile, account.uid, account.gid)
    await chown(staging, account.uid, account.gid)
  }
  const args = ['-D', fresh, '-U', 'postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
  args.push('--encoding=UTF8', '--locale=C', '--no-instructions')
  // One syncfs(2) instead of about a thousand fsyncs: 25 ms instead of 115 ms here, and of seconds on a slow disk.
  if (!durable) args.push('--no-sync')
  else if (process.platform === 'linux') args.push('--sync-method=syncfs')
  const { code, output } = await runProgram(native.initdb, args, account)
  if (code !== 0) throw new EmbeddedPostgresError(`initdb failed in ${layout.home}:\n${output}`)
  await rename(fresh, layout.cluster)
  await syncDirectory(layout.home)
  await removeTree(staging)
}

/** With retries: an initdb that outlived a kill -9 of its server may still be adding files. */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
}

async function assertSameMajor(cluster: string, major: string): Promise<void> {
  let version: string
  try {
    version = (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    throw new EmbeddedPostgresError(`${cluster} is not a PostgreSQL cluster. Remove it, or set DATA_DIR.`)
  }
  if (version === major) return
  throw new EmbeddedPostgresError(
    `The database at ${cluster} was made by PostgreSQL ${version}, and the embedded one is ${major}. Run it with a server ` +
      `of version ${version} and set DATABASE_URL, upgrade it with pg_upgrade, or set DATA_DIR to begin with an empty one.`,
  )
}

/** They are on disk before the cluster that is made with them. */
async function ensureCredentials(layout: Layout): Promise<Credentials> {
  const path = join(layout.home, 'credentials.json')
  try {
    return Credentials.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
  if (layout.clusterExists) {
    throw new EmbeddedPostgresError(
      `The passwords of the database at ${layout.cluster} are missing. Restore ${path}, or move the cluster away to begin with an empty one.`,
    )
  }
  const credentials = { superuser: newPassword(), application: newPassword() }
  await writeDurably(`${path}.new`, JSON.stringify(credentials))
  await rename(`${path}.new`, path)
  await syncDirectory(layout.home)
  return credentials
}

/** Hexadecimal, so that it can stand in an SQL literal. 256 bits. */
function newPassword(): string {
  return randomBytes(32).toString('hex')
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories; NTFS journals the rename.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Runs `work` on one connection as superuser. Rejects when the server does not accept it.
 * @throws PostgresError with the code 28P01 when the password is wrong.
 */
export async function asSuperuser<T>(
  endpoint: Endpoint,
  credentials: Credentials,
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres({
    ...endpoint,
    database: 'postgres',
    username: 'postgres',
    password: credentials.superuser,
    max: 1,
    connect_timeout: 5,
    fetch_types: false,
    onnotice: () => undefined,
    // A failed `create role` must not leave its password in the server's log.
    connection: { application_name: 'orkestrate-supervisor', log_min_error_statement: 'panic' },
  })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 0 })
  }
}

/**
 * Creates what is missing of the application's role and database. The role is no superuser and bound by row-level
 * security; it may create databases, because tests clone template databases.
 */
export async function ensureApplicationDatabase(endpoint: Endpoint, credentials: Credentials): Promise<void> {
  await asSuperuser(endpoint, credentials, async (sql) => {
    const [found] = await sql<{ role: boolean; database: boolean }[]>`
      select exists (select from pg_roles where rolname = ${APPLICATION}) as role,
             exists (select from pg_database where datname = ${APPLICATION}) as database`
    if (found?.role !== true) {
      await sql.unsafe(
        `create role ${APPLICATION} login createdb nosuperuser nobypassrls nocreaterole noreplication password '${credentials.application}'`,
      )
    }
    if (found?.database !== true) await sql.unsafe(`create database ${APPLICATION} owner ${APPLICATION}`)
  })
}
