import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
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

const groups = new Set<number>()

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  groups.delete(child.pid)
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The whole group has ended by itself.
  }
}

/** Ends every process group that is still there; for the end of the run and for signals. */
export function endAllChildren(): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // The whole group has ended by itself.
    }
  }
  groups.clear()
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
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', resolve)
    })
    return { exitCode, output: Buffer.concat(chunks).toString('utf8') }
  } finally {
    clearTimeout(timer)
    endGroup(child)
  }
}

/** The end of an output, without the control sequences of terminals. */
export function tail(output: string, lines = 25): string {
  const plain = stripVTControlCharacters(output).replaceAll('\r', '')
  return plain.trim().split('\n').slice(-lines).join('\n')
}
