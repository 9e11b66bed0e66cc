import { BUILT_SERVER } from '../support/built-server.ts'
import { freePort, spawnServer, untilReady, type ServerProcess } from '../support/server-process.ts'

/** One server process of several, which the run stops and starts at the same place. */
export interface Replica {
  readonly origin: string
  /** Resolves when /readyz says yes. */
  start(): Promise<void>
  /** SIGTERM; resolves when it has ended by itself. @throws Error unless its exit code is 0 */
  retire(): Promise<void>
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
  readonly running: boolean
  /** Ends that nobody asked for, with the last that was printed. */
  crashes(): readonly string[]
  /** The last that it printed, in this life and the ones before. */
  output(): string
}

/** Compiled, as the image runs it: it starts in a third of the time that tsx takes. */
const COMMAND = [process.execPath, ...BUILT_SERVER]
const OUTPUT_CHARS = 4_000

export async function createReplica(dataDir: string, env: Readonly<Record<string, string>>): Promise<Replica> {
  const port = await freePort()
  const crashes: string[] = []
  const said: string[] = []
  let server: ServerProcess | undefined
  let ending = false

  async function noteEnd(started: ServerProcess): Promise<void> {
    const { code, signal } = await started.exited
    if (server === started) server = undefined
    said.push(started.output().slice(-OUTPUT_CHARS))
    if (!ending) crashes.push(`exit code ${code}, signal ${signal}: ${started.output().slice(-1_000)}`)
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL') {
    if (server === undefined) throw new Error('this replica does not run')
    ending = true
    return server.stop(signal)
  }

  return {
    origin: `http://localhost:${port}`,
    get running() {
      return server !== undefined
    },
    async start() {
      ending = false
      server = await spawnServer({ dataDir, port, env, command: COMMAND })
      void noteEnd(server)
      await untilReady(server)
    },
    async retire() {
      const leaving = server
      const { code, signal } = await end('SIGTERM')
      if (code !== 0) throw new Error(`on SIGTERM it ended with ${code ?? signal}:\n${leaving?.output()}`)
    },
    async kill() {
      await end('SIGKILL')
    },
    crashes: () => crashes,
    output: () => [...said, server?.output() ?? ''].join('').slice(-OUTPUT_CHARS),
  }
}
