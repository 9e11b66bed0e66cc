import { setTimeout as delay } from 'node:timers/promises'
import { freePort, spawnServer, untilReady, type ServerProcess } from '../support/server-process.ts'

/** One server process as an operator runs it: whatever kills it, it is started again at the same place. */
export interface SupervisedServer {
  readonly origin: string
  /** kill -9. False: there was none to kill just then. */
  kill(): boolean
  /** Resolves when /readyz says yes. */
  ready(): Promise<void>
  stop(): Promise<void>
  /** What it printed, in all its lives. */
  output(): string
}

export async function superviseServer(
  dataDir: string,
  envFor: (origin: string) => Readonly<Record<string, string>>,
): Promise<SupervisedServer> {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const earlier: string[] = []
  let stopping = false
  let server: ServerProcess = await start()

  async function start(): Promise<ServerProcess> {
    const started = await spawnServer({ dataDir, port, env: { LOG_LEVEL: 'warn', ...envFor(origin) } })
    void replaceWhenGone(started)
    return started
  }

  async function replaceWhenGone(started: ServerProcess): Promise<void> {
    await started.exited
    earlier.push(started.output())
    if (!stopping) server = await start()
  }

  return {
    origin,
    kill: () => server.child.kill('SIGKILL'),
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
