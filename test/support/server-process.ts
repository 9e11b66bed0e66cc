/** The server as users start it: a process of its own with its own data directory and port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const READY_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 30_000
const POLL_MS = 50

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServerProcess {
  readonly child: ChildProcess
  readonly pid: number
  readonly origin: string
  readonly port: number
  /** Everything that it has printed so far, both streams. */
  output(): string
  /** Resolves when it has ended and all its output is in. */
  readonly exited: Promise<Exit>
  /** Sends the signal and waits for the end; after 30 s it is killed and this rejects. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

export interface ServerProcessOptions {
  readonly dataDir: string
  /** Default: a free one. */
  readonly port?: number
  /** Added to an environment that has nothing else of ours in it. */
  readonly env?: Readonly<Record<string, string>>
  /** What to run; default: node on src/main.ts, one process without wrappers. */
  readonly command?: readonly string[]
  /** In a process group of its own, so that a signal to the group is a Ctrl-C in its terminal. */
  readonly detached?: boolean
}

/** Starts the server and does not wait for anything but its pid. */
export async function spawnServer(options: ServerProcessOptions): Promise<ServerProcess> {
  const port = options.port ?? (await freePort())
  const [program = '', ...args] = options.command ?? [process.execPath, '--import', 'tsx', 'src/main.ts']
  const inherited = ['PATH', 'HOME', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  // No load balancer is there to notice that a server of a test is leaving.
  const ours = { DATA_DIR: options.dataDir, PORT: String(port), DRAIN_SECONDS: '0' }
  const child = spawn(program, args, {
    cwd: PROJECT,
    env: { ...Object.fromEntries(inherited), ...ours, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => (output += text))
  }
  const exited = once(child, 'close').then((): Exit => ({ code: child.exitCode, signal: child.signalCode }))
  await once(child, 'spawn')
  return {
    child,
    pid: child.pid ?? 0,
    origin: `http://localhost:${port}`,
    port,
    output: () => output,
    exited,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const late = delay(STOP_TIMEOUT_MS, undefined, { ref: false })
      const exit = await Promise.race([exited, late])
      if (exit !== undefined) return exit
      child.kill('SIGKILL')
      throw new Error(`the server did not end on ${signal}; it has printed:\n${output}`)
    },
  }
}

/** Starts the server and waits until /readyz says that it can serve. @throws when it ends instead, with its output. */
export async function startServer(options: ServerProcessOptions): Promise<ServerProcess> {
  const server = await spawnServer(options)
  await untilReady(server)
  return server
}

/** Waits until /readyz is 200. @throws when the process ends, or after 90 s (killing it), with its output. */
export async function untilReady(server: ServerProcess): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  while ((await readiness(server.origin)) !== 200) {
    const ended = server.child.exitCode !== null || server.child.signalCode !== null
    if (ended || Date.now() > deadline) {
      server.child.kill('SIGKILL')
      await server.exited
      throw new Error(`the server is not ready; it has printed:\n${server.output()}`)
    }
    await delay(POLL_MS)
  }
}

/** The status of /readyz; 0 when nobody answers. */
export async function readiness(origin: string): Promise<number> {
  try {
    const response = await fetch(`${origin}/readyz`)
    await response.arrayBuffer()
    return response.status
  } catch {
    return 0
  }
}

/** A loopback port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

/** The port of a server that listens on TCP. */
export function portOf(server: Pick<Server, 'address'>): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('this server has no port')
  return address.port
}
