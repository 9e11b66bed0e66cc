import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'

export interface ChildOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly logFile: string
}

export interface ChildResult {
  /** Null when it was ended by a signal, as by our timeout. */
  readonly exitCode: number | null
  readonly output: string
}

const PIPES_TIMEOUT_MS = 2_000

const groups = new Set<number>()

function endGroup({ pid }: Pick<ChildProcess, 'pid'>): void {
  if (pid === undefined) return
  groups.delete(pid)
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The whole group has ended by itself.
  }
}

/** Ends every process group that is still there; for the end of the run and for signals. */
export function endAllChildren(): void {
  for (const pid of groups) endGroup({ pid })
}

/** Starts a program in a process group of its own, with both its outputs in `logFile`. */
export function startChild(command: readonly string[], options: ChildOptions): ChildProcess {
  const [program = '', ...rest] = command
  const child = spawn(program, rest, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (child.pid !== undefined) groups.add(child.pid)
  const log = createWriteStream(options.logFile, { flags: 'a' })
  child.stdout?.pipe(log, { end: false })
  child.stderr?.pipe(log, { end: false })
  child.once('close', () => log.end())
  return child
}

/** Runs a program to its end, or until `timeoutMs`; then nothing of its process group is left. */
export async function runChild(
  command: readonly string[],
  options: ChildOptions & { readonly timeoutMs: number },
): Promise<ChildResult> {
  const child = startChild(command, options)
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))
  const timer = setTimeout(() => endGroup(child), options.timeoutMs)
  child.once('exit', () => endGroup(child))
  try {
    // After 'close' all output is in. A daemon that left the group may keep a pipe open: it must not keep us.
    const closed = once(child, 'close')
    await once(child, 'exit')
    await Promise.race([closed, delay(PIPES_TIMEOUT_MS, undefined, { ref: false })])
    return { exitCode: child.exitCode, output: Buffer.concat(chunks).toString('utf8') }
  } finally {
    clearTimeout(timer)
  }
}

/** The end of an output, without the control sequences of terminals. */
export function tail(output: string, lines = 25): string {
  const plain = stripVTControlCharacters(output).replaceAll('\r', '')
  return plain.trim().split('\n').slice(-lines).join('\n')
}
