import { setTimeout as delay } from 'node:timers/promises'
import { freePort, spawnServer, untilReady, type ServerProcess } from '../support/server-process.ts'

/** One server process as an operator runs it: whatever kills it, it is started again at the same place. */
export interface SupervisedServer {
  readonly origin: string
  /** Of the process that runs now. */
  pid(): number
  /** kill -9. False: there was none to kill just then. */
  kill(): boolean
  /** Resolves when /readyz says yes. */
  ready(): Promise<void>
  stop(): Promise<void>
  /** Ends that nobody asked for: each a crash of the server's own, with the last that it printed. */
  crashes(): readonly string[]
  /** What it printed, in all its lives. */
  output(): string
}

/** Starting takes seconds; some starts are killed before they are done. */
const READY_MS = 120_000

/** @param command node's options and the program; by default the sources, which start slower than what was built of them */
export async function superviseServer(
  dataDir: string,
  envFor: (origin: string) => Readonly<Record<string, string>>,
  command: readonly string[] = ['--import', 'tsx', 'src/main.ts'],
): Promise<SupervisedServer> {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const earlier: string[] = []
  const crashes: string[] = []
  let stopping = false
  let server: ServerProcess = await start()

  async function start(): Promise<ServerProcess> {
    const program = [process.execPath, ...command]
    const started = await spawnServer({
      dataDir,
      port,
      command: program,
      env: { LOG_LEVEL: 'warn', ...envFor(origin) },
    })
    void replaceWhenGone(started)
    return started
  }

  async function replaceWhenGone(started: ServerProcess): Promise<void> {
    const { code, signal } = await started.exited
    earlier.push(started.output())
    if (!stopping && signal !== 'SIGKILL') crashes.push(`exit code ${code}: ${started.output().slice(-500)}`)
    if (!stopping) server = await start()
  }

  return {
    origin,
    pid: () => server.pid,
    kill: () => server.child.kill('SIGKILL'),
    async ready() {
      const giveUpAt = performance.now() + READY_MS
      for (;;) {
        const candidate = server
        try {
          return await untilReady(candidate)
        } catch (error) {
          if (performance.now() > giveUpAt) throw error
          // One that is killed before it is ready is replaced by the next, which is being started.
          const replaced = () => server !== candidate
          while (!replaced()) await delay(10)
        }
      }
    },
    async stop() {
      stopping = true
      await server.stop()
    },
    crashes: () => crashes,
    output: () => [...earlier, server.output()].join('\n'),
  }
}
