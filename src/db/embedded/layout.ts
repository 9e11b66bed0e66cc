import { createHash } from 'node:crypto'
import { chmod, lchown, lstat, mkdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { type Account, obstacleFor, servingAccount } from './account.ts'
import { EmbeddedPostgresError, errorCode } from './errors.ts'

/** Where everything is. All paths are canonical. */
export interface Layout {
  readonly dataDir: string
  /** The directory that holds the cluster: the data directory, or one under the system directory (see `locate`). */
  readonly home: string
  /** `home/postgres`, PostgreSQL's own data directory. */
  readonly cluster: string
  readonly clusterExists: boolean
  readonly logFile: string
  /** Whom PostgreSQL runs as; undefined: as ourselves. */
  readonly account: Account | undefined
}

/**
 * Decides where the cluster lives and who runs it.
 *
 * That is the data directory itself, except for root with a project under a directory closed to others (the usual home of root):
 * the account that PostgreSQL then runs as could not get there, and opening somebody's home is not ours to do. Then it
 * is `<systemDir>/<hash of the data directory's path>`, and `postgres` in the data directory becomes a symbolic link to
 * it (see `linkHome`), which is followed from then on, so that the data is found after the project was moved.
 *
 * @throws EmbeddedPostgresError when the account cannot reach an existing cluster, or no directory will do.
 */
export async function locate(dataDir: string, systemDir: string): Promise<Layout> {
  const link = join(dataDir, 'postgres')
  const linked = await linkAt(link)
  const systemHome = join(systemDir, shortHash(dataDir))
  const existing =
    (await clusterAt(linked ?? link)) ??
    // Without the link, for it is made last, and may have been deleted with the data directory.
    (linked === undefined && process.getuid?.() === 0 ? await clusterAt(join(systemHome, 'postgres')) : undefined)
  if (linked !== undefined && existing === undefined) {
    throw new EmbeddedPostgresError(
      `The database at ${linked}, to which ${link} points, is gone. Restore it, or remove the link to begin with an empty database.`,
    )
  }
  const account = await servingAccount(existing)
  const home = existing === undefined ? await newHome(dataDir, systemHome, account) : dirname(existing.path)
  if (existing !== undefined) await assertReachable(existing, account)
  if (home !== dataDir) await assertOwn(dataDir, home)
  return {
    dataDir,
    home,
    cluster: join(home, 'postgres'),
    clusterExists: existing !== undefined,
    logFile: join(dataDir, 'postgres.log'),
    account,
  }
}

/**
 * Ties a data directory and a home elsewhere to each other. The way back tells a data directory that was moved, which
 * keeps its cluster, from a copy of it, which must not share the original's.
 */
export async function linkHome({ dataDir, home, cluster }: Layout): Promise<void> {
  await replaceLink(cluster, join(dataDir, 'postgres'))
  await replaceLink(dataDir, join(home, 'data-directory'))
}

async function replaceLink(target: string, path: string): Promise<void> {
  if ((await linkAt(path)) === target) return
  await rm(`${path}.new`, { force: true })
  await symlink(target, `${path}.new`)
  await rename(`${path}.new`, path)
}

async function assertOwn(dataDir: string, home: string): Promise<void> {
  const owner = await linkAt(join(home, 'data-directory'))
  if (owner === undefined || owner === dataDir) return
  if ((await linkAt(join(owner, 'postgres'))) !== join(home, 'postgres')) return
  throw new EmbeddedPostgresError(
    `The database in ${home} belongs to the data directory ${owner}, not to ${dataDir}, which looks like a copy of it. ` +
      `Remove ${join(dataDir, 'postgres')} to begin with an empty database, or set DATA_DIR.`,
  )
}

/** Where the symbolic link at `path` points; undefined when there is none. */
async function linkAt(path: string): Promise<string | undefined> {
  try {
    return resolve(dirname(path), await readlink(path))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL', 'UNKNOWN'].includes(errorCode(error) ?? '')) return undefined
    throw error
  }
}

async function clusterAt(path: string): Promise<{ path: string; uid: number; gid: number } | undefined> {
  const found = await ifExists(stat(path))
  return found === undefined ? undefined : { path, uid: found.uid, gid: found.gid }
}

async function newHome(dataDir: string, systemHome: string, account: Account | undefined): Promise<string> {
  if (account === undefined) return dataDir
  // The data directory is ours, so we let others pass (not list) it; its parents are not, so we leave them alone.
  const obstacle = await obstacleFor(account, dirname(dataDir))
  if (obstacle === undefined) {
    await chmod(dataDir, ((await stat(dataDir)).mode & 0o777) | 0o011)
    return dataDir
  }
  let why: string
  try {
    for (const dir of [dirname(systemHome), systemHome]) {
      await mkdir(dir, { recursive: true })
      await chmod(dir, 0o711)
    }
    const other = await obstacleFor(account, systemHome)
    if (other === undefined) return systemHome
    why = `${other} is closed to it as well`
  } catch (error) {
    why = String(error)
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL, which as root runs as user "${account.name}", cannot get into ${dataDir} because of the permissions of ` +
      `${obstacle}; and ${systemHome} will not do instead: ${why}. ` +
      'Set DATA_DIR to a directory whose parents everybody may pass, start the server as an ordinary user, or set DATABASE_URL.',
  )
}

async function assertReachable(cluster: { path: string; uid: number }, account: Account | undefined): Promise<void> {
  const me = process.getuid?.()
  if (account === undefined) {
    if (me === undefined || me === cluster.uid) return
    throw new EmbeddedPostgresError(
      `The database at ${cluster.path} belongs to uid ${cluster.uid}, and this process runs as uid ${me}. ` +
        'Start the server as the user (or root) that it was first started as, or set DATA_DIR.',
    )
  }
  const obstacle = await obstacleFor(account, cluster.path)
  if (obstacle === undefined) return
  throw new EmbeddedPostgresError(
    `PostgreSQL, which runs as ${account.name}, cannot reach its database at ${cluster.path}: ${obstacle} is closed to it. ` +
      `Open it for passing (chmod o+x ${obstacle}), or move the data directory and set DATA_DIR.`,
  )
}

/**
 * The directory for the unix socket: `home/run`, or, where the socket's path would not fit into sockaddr_un (108 bytes
 * with the final zero on Linux, 104 on macOS and the BSDs), a short one under the directory for temporary files.
 */
export async function socketDirectory(layout: Layout, port: number): Promise<string> {
  const limit = process.platform === 'linux' ? 107 : 103
  const fits = (dir: string): boolean => Buffer.byteLength(join(dir, `.s.PGSQL.${port}`)) <= limit
  const short = `orkestrate-${shortHash(layout.home)}`
  const dir = [join(layout.home, 'run'), join(tmpdir(), short), join('/tmp', short)].find((dir) => fits(dir))
  if (dir === undefined) throw new EmbeddedPostgresError('No directory with a path short enough for a unix socket.')
  await privateDirectory(dir, layout.account)
  return dir
}

/**
 * Makes sure that `path` is a directory which only the account that PostgreSQL runs as (and root) can enter.
 * @throws EmbeddedPostgresError when somebody else owns it or can enter it.
 */
export async function privateDirectory(path: string, account: Account | undefined): Promise<void> {
  await ifNew(mkdir(path, { mode: 0o700 }))
  const me = process.getuid?.()
  let entry = await lstat(path)
  if (account !== undefined && entry.isDirectory() && entry.uid === me) {
    await lchown(path, account.uid, account.gid)
    entry = await lstat(path)
  }
  if (me === undefined) return
  if (!entry.isDirectory() || entry.uid !== (account?.uid ?? me) || (entry.mode & 0o077) !== 0) {
    throw new EmbeddedPostgresError(
      `${path} must be a directory of uid ${account?.uid ?? me} with mode 0700. Remove it.`,
    )
  }
}

async function ifExists<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function ifNew(creation: Promise<unknown>): Promise<void> {
  try {
    await creation
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
