import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { compiled } from './compiled.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const READY_MS = 180_000

/** How finely the time to ready is told. */
const POLL_MS = 20
const STOP_MS = 20_000

/** Calls of a bench are no abuse: bounds that are there against abuse are out of the way, by the server's own setting. */
export const LIMITS = [
  'callsPerMinute=1000000000',
  'sensitiveCallsPerMinute=1000000000',
  'streamsPerUser=100000',
  'tokensPerUser=100000',
  'sessionsPerWorkspace=100000',
].join(',')

export interface Server {
  readonly pid: number
  readonly port: number
  /** From the spawn until /readyz said yes. */
  readonly readyMs: number
  /** Asks a target of ours something over its IPC channel. */
  ask<T>(question: string): Promise<T>
  /** Ends it as an operator does. */
  stop(): Promise<void>
}

export interface ServerOptions {
  /** From the project's root; what runs is its compiled form. */
  readonly script: string
  readonly env?: Readonly<Record<string, string>>
  /** Flags of node. */
  readonly flags?: readonly string[]
  /** Where what it prints goes. */
  readonly logFile: string
  /** Instead of node on the script. */
  readonly command?: readonly string[]
}

/** What `npm start` and the image give to node. */
const FLAGS = ['--max-semi-space-size=64']

const running = new Set<ChildProcess>()

/** Starts a server as a process of its own, and waits until it is ready. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const port = await freePort()
  const log = openSync(options.logFile, 'a')
  const { PATH = '', HOME = '', TMPDIR } = process.env
  const own = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), PORT: String(port), LIMITS, ...options.env }
  const command = options.command ?? [process.execPath, ...FLAGS, ...(options.flags ?? []), compiled(options.script)]
  const [program = '', ...args] = command
  const started = performance.now()
  const child = spawn(program, args, { cwd: PROJECT, env: own, stdio: ['ignore', log, log, 'ipc'] })
  running.add(child)
  const exited = once(child, 'exit').finally(() => running.delete(child))
  let over = false
  exited.then(
    () => (over = true),
    () => (over = true),
  )
  while (!(await isReady(port))) {
    if (over || performance.now() - started > READY_MS) {
      child.kill('SIGKILL')
      throw new Error(
        `${command.join(' ')} is not ready; it printed: ${readFileSync(options.logFile, 'utf8').slice(-2_000)}`,
      )
    }
    await delay(POLL_MS)
  }
  return {
    pid: child.pid ?? 0,
    port,
    readyMs: performance.now() - started,
    async ask<T>(question: string) {
      const answered = once(child, 'message')
      child.send(question)
      return (await answered)[0] as T
    },
    async stop() {
      if (over) return
      child.kill('SIGTERM')
      const ended = await Promise.race([exited.then(() => true), delay(STOP_MS, false, { ref: false })])
      if (!ended) child.kill('SIGKILL')
      await exited
    },
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://localhost:${port}/readyz`)
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

/** Whatever still runs ends as an operator would end it, so that its PostgreSQL does too; what does not is killed. */
export async function endAll(): Promise<void> {
  for (const child of running) child.kill('SIGTERM')
  for (const until = performance.now() + STOP_MS; running.size > 0 && performance.now() < until;) await delay(20)
  for (const child of running) child.kill('SIGKILL')
}

/** A loopback port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}
