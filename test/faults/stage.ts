import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLink, type Link } from './link.ts'
import { startPostgres, type PostgresControl } from './postgres-control.ts'
import { signIn, type SignIn } from './sign-in.ts'
import { superviseServer, type SupervisedServer } from './supervised-server.ts'
import { BUILT_SERVER } from '../support/built-server.ts'

/** One server and its PostgreSQL, each a process of its own, with a network between them, and a person signed in. */
export interface Stage {
  readonly server: SupervisedServer
  readonly postgres: PostgresControl
  readonly link: Link
  readonly person: SignIn
  stop(): Promise<void>
}

export interface StageOptions {
  /** Of PostgreSQL. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of the server. */
  readonly env?: Readonly<Record<string, string>>
  readonly nodeArgs?: readonly string[]
  /** False: the server talks to PostgreSQL without the link, which costs this process time. */
  readonly linked?: boolean
  /** Where PostgreSQL lives; default: a directory that is made and removed here. */
  readonly postgresDir?: string
}

/** @throws Error when something does not come up; nothing is left running then */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const home = await mkdtemp(join(tmpdir(), 'ork-faults-'))
  // As root PostgreSQL runs as another user, who must be able to get here.
  await chmod(home, 0o755)
  const closers: (() => Promise<unknown>)[] = [() => rm(home, { recursive: true, force: true })]
  const stop = async () => {
    for (const close of closers.toReversed()) await close()
  }
  try {
    const postgres = await startPostgres(options.postgresDir ?? join(home, 'database'), options.settings)
    closers.push(() => postgres.stop())
    const link = await openLink(postgres.port)
    closers.push(() => link.close())
    const { username, password, database } = postgres
    const port = options.linked === false ? postgres.port : link.port
    const env = {
      DATABASE_URL: `postgres://${username}:${password}@127.0.0.1:${port}/${database}`,
      // The agents of a run share one sign-in, and so its allowances.
      LIMITS: 'callsPerMinute=10000000,sessionsPerGrant=1000,sensitiveCallsPerMinute=100000,workspacesPerUser=200',
      ...options.env,
    }
    const server = await superviseServer(join(home, 'server'), () => env, [
      ...(options.nodeArgs ?? []),
      ...BUILT_SERVER,
    ])
    closers.push(() => server.stop())
    await server.ready()
    const person = await signIn(server.origin)
    return { server, postgres, link, person, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
