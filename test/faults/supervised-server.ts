import { setTimeout as delay } from 'node:timers/promises'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, spawnServer, untilReady, type ServerProcess } from '../support/server-process.ts'

/** The server as an operator runs it: whatever kills it, it is started again at the same place. */
export interface SupervisedServer {
  readonly origin: string
  /** kill -9 of the server; of its PostgreSQL. False: there was none to kill just then. */
  killServer(): boolean
  killPostmaster(): Promise<boolean>
  /** Resolves when /readyz says yes. */
  ready(): Promise<void>
  /** Ends the server and its PostgreSQL for good. */
  stop(): Promise<void>
  /** What the servers printed, all of them. */
  output(): string
}

export async function superviseServer(dataDir: string): Promise<SupervisedServer> {
  const port = await freePort()
  const earlier: string[] = []
  let stopping = false
  let server: ServerProcess = await start()

  async function start(): Promise<ServerProcess> {
    const started = await spawnServer({ dataDir, port, env: { LOG_LEVEL: 'warn' } })
    void replaceWhenGone(started)
    return started
  }

  async function replaceWhenGone(started: ServerProcess): Promise<void> {
    await started.exited
    earlier.push(started.output())
    if (!stopping) server = await start()
  }

  return {
    origin: `http://localhost:${port}`,
    killServer: () => server.child.kill('SIGKILL'),
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
    async ready() {
      // One that is killed before it is ready is replaced by the next.
      for (;;) {
        const candidate = server
        try {
          return await untilReady(candidate)
        } catch (error) {
          if (candidate === server) throw error
          await delay(10)
        }
      }
    },
    async stop() {
      stopping = true
      await server.stop()
    },
    output: () => [...earlier, server.output()].join('\n'),
  }
}
