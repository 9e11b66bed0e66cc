import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import type { Random } from '../support/random.ts'
import { openGateway } from '../support/tcp-gateway.ts'
import { superviseServer, type SupervisedServer } from './supervised-server.ts'

/** Servers and their PostgreSQL, all of which may be killed at any moment and come up again by themselves. */
export interface Deployment {
  /** Of each server. The first is the public one, where people sign in. */
  readonly origins: readonly string[]
  /** kill -9 of a server; of PostgreSQL. False: there was none to kill just then. */
  killServer(random: Random): boolean
  killPostmaster(): Promise<boolean>
  ready(): Promise<void>
  stop(): Promise<void>
  /** Servers that ended without having been killed. */
  crashes(): string[]
  output(): string
}

/**
 * One server with the PostgreSQL that it starts itself, as most people run it, or several replicas on one that is not
 * theirs: this process keeps that one running then.
 */
export async function deploy(serverCount: number): Promise<Deployment> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ork-faults-'))
  // As root PostgreSQL runs as another user, who must be able to get here.
  await chmod(dataDir, 0o755)
  const { servers, stopDatabase } =
    serverCount === 1
      ? { servers: [await superviseServer(dataDir, () => ({}))], stopDatabase: () => Promise.resolve() }
      : await replicas(dataDir, serverCount)
  const ready = async () => {
    await Promise.all(servers.map((server) => server.ready()))
  }
  return {
    origins: servers.map(({ origin }) => origin),
    killServer: (random) => random.pick(servers).kill(),
    async killPostmaster() {
      const recorded = await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '')
      const pid = Number(recorded.split('\n')[0])
      if (!Number.isInteger(pid) || pid <= 1) return false
      try {
        return process.kill(pid, 'SIGKILL')
      } catch {
        return false
      }
    },
    ready,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()))
      await stopDatabase()
      await rm(dataDir, { recursive: true, force: true })
    },
    crashes: () => servers.flatMap((server) => server.crashes()),
    output: () => servers.map((server) => server.output()).join('\n'),
  }
}

async function replicas(dataDir: string, count: number) {
  const quiet = () => undefined
  const postgres = await startEmbeddedPostgres({ dataDir, log: { info: quiet, warn: quiet, error: quiet } })
  const gateway = await openGateway(postgres.connection)
  const servers: SupervisedServer[] = []
  for (let index = 0; index < count; index += 1) {
    const env = (own: string) => ({
      DATABASE_URL: gateway.url,
      PUBLIC_URL: servers[0]?.origin ?? own,
      SECRET_KEY: 'the same key of forty characters or more',
    })
    servers.push(await superviseServer(join(dataDir, `server-${index}`), env))
  }
  const stopDatabase = async () => {
    await gateway.close()
    await postgres.stop()
  }
  return { servers, stopDatabase }
}
