import { execFile, execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../support/server-process.ts'

const run = promisify(execFile)

/** Where Debian puts the programs of its PostgreSQL, one directory for each major version. */
const INSTALLED = '/usr/lib/postgresql'

export interface DebianPostgres {
  /** As it says itself. */
  readonly version: string
  /** For the application's role. */
  readonly url: string
  /** Runs one of its programs on it, as its superuser. Rejects with what it printed. */
  tool(program: string, ...args: string[]): Promise<string>
  /** A directory that its user may write to. */
  readonly directory: string
  stop(): Promise<void>
}

/** The directory of its programs, the newest version first; null where there is none. */
export function postgresPrograms(): string | null {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED) : []
  const found = versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(INSTALLED, version, 'bin'))
  return found.find((bin) => ['pg_ctl', 'pg_dump', 'psql'].every((program) => existsSync(join(bin, program)))) ?? null
}

/** PostgreSQL refuses to run as root, so there it is its package's user. */
function owner(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const id = (kind: string) => Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** A cluster of its own, with the role and the database that `docker/create-role.sh` makes for the application. */
export async function startDebianPostgres(bin: string): Promise<DebianPostgres> {
  const directory = mkdtempSync(join(tmpdir(), 'ork-restore-'))
  const as = owner()
  if (as !== null) chownSync(directory, as.uid, as.gid)
  const port = await freePort()
  const data = join(directory, 'data')
  const env = { ...process.env, PGHOST: directory, PGPORT: String(port), PGUSER: 'postgres', LC_ALL: 'C.UTF-8' }
  const tool = async (program: string, ...args: string[]): Promise<string> => {
    const { stdout } = await run(join(bin, program), args, { cwd: directory, env, ...as })
    return stdout
  }
  await tool('initdb', '--username=postgres', '--auth=trust', '--encoding=UTF8', '--pgdata', data)
  const options = `-p ${port} -k ${directory} -c listen_addresses=127.0.0.1`
  await tool('pg_ctl', 'start', '--wait', '--pgdata', data, '--log', join(directory, 'log'), '--options', options)
  const password = 'a-password-of-the-application'
  const made = { ...env, PATH: `${bin}:${process.env['PATH'] ?? ''}` }
  await run('sh', ['docker/create-role.sh'], {
    env: { ...made, POSTGRES_USER: 'postgres', ORKESTRATE_DB_PASSWORD: password },
  })
  return {
    version: (await tool('psql', '--dbname=postgres', '-Atc', 'show server_version')).trim(),
    url: `postgres://orkestrate:${password}@127.0.0.1:${port}/orkestrate`,
    tool,
    directory,
    async stop() {
      await tool('pg_ctl', 'stop', '--mode=fast', '--wait', '--pgdata', data)
      rmSync(directory, { recursive: true })
    },
  }
}
