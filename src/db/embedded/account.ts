import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { EmbeddedPostgresError } from './errors.ts'

/** The operating-system user that PostgreSQL runs as when we are root (it refuses to run as root). */
export interface Account {
  readonly uid: number
  readonly gid: number
  readonly name: string
}

/**
 * Whom to drop to: undefined when we are not root (PostgreSQL runs as we do); the owner of an existing cluster, so
 * that nothing needs a change of owner; else `postgres`, else `nobody`. It must be a real account: initdb looks its
 * uid up and fails on a mere number.
 */
export async function servingAccount(owner: { uid: number; gid: number } | undefined): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid, name: `uid ${owner.uid}` }
  const passwd = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const entry = passwd.find((fields) => fields[0] === name)
    if (entry !== undefined) return { name, uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  throw new EmbeddedPostgresError(
    'PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it as. ' +
      'Create a user "postgres", start the server as an ordinary user, or set DATABASE_URL.',
  )
}

/**
 * The first directory on the way to `path` (itself included) that the account may not pass through, by the permission
 * bits; undefined when the way is free.
 */
export async function obstacleFor(account: Account, path: string): Promise<string | undefined> {
  const way: string[] = []
  for (let dir = await realpath(path); way.at(-1) !== dir; dir = dirname(dir)) way.push(dir)
  for (const dir of way.toReversed()) {
    const { uid, gid, mode } = await stat(dir)
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return dir
  }
  return undefined
}
