import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { freePort } from '../support/server-process.ts'

/** A PostgreSQL that is ours to hurt. It starts again by itself when it dies, unless it was taken down. */
export interface PostgresControl {
  readonly port: number
  readonly database: string
  readonly username: string
  readonly password: string
  /** As superuser, on a connection of its own. */
  asSuperuser<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T>
  /** SIGSTOP for the postmaster and all that it has started: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
  /** SIGINT ends every session; SIGQUIT is a crash as PostgreSQL itself does it. It comes up again by itself. */
  restart(mode: 'fast' | 'immediate'): void
  /** Ends it, and nothing brings it back before `up`. */
  down(): Promise<void>
  up(): Promise<void>
  stop(): Promise<void>
}

/** @param dataDir made and reachable by the account that PostgreSQL runs as @param settings of postgresql.conf */
export async function startPostgres(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresControl> {
  const port = await freePort()
  const quiet = () => undefined
  const start = () =>
    startEmbeddedPostgres({
      dataDir,
      log: { info: quiet, warn: quiet, error: quiet },
      settings: { listen_addresses: '127.0.0.1', port: String(port), ...settings },
    })
  let embedded: EmbeddedPostgres = await start()
  const { database, username, password } = embedded.connection
  const credentials: unknown = JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8'))
  const { superuser } = credentials as { superuser: string }
  const signalAll = (signal: NodeJS.Signals) => {
    // The parent first: it must not see a child of its stop and think of something.
    for (const pid of [embedded.postmasterPid, ...childrenOf(embedded.postmasterPid)]) {
      try {
        process.kill(pid, signal)
      } catch {
        // Gone meanwhile.
      }
    }
  }
  return {
    port,
    database,
    username,
    password,
    async asSuperuser(work) {
      const sql = postgres({
        host: '127.0.0.1',
        port,
        database,
        username: 'postgres',
        password: superuser,
        max: 1,
        onnotice: quiet,
      })
      try {
        return await work(sql)
      } finally {
        await sql.end({ timeout: 1 })
      }
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    restart: (mode) => void process.kill(embedded.postmasterPid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT'),
    down: () => embedded.stop(),
    async up() {
      embedded = await start()
    },
    async stop() {
      signalAll('SIGCONT')
      await embedded.stop()
    },
  }
}

/** The pids whose parent this is. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        return false
      }
    })
    .map(Number)
}
