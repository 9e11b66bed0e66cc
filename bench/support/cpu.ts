import { readFileSync, readdirSync } from 'node:fs'

/**
 * What a process has used of the processors, from Linux's /proc in ticks of 10 ms: measure for a second or more. Elsewhere
 * everything is NaN, and what is computed from it too.
 */
const TICK_MS = 10

interface Stat {
  readonly parent: number
  readonly ownMs: number
  /** Of children that have ended and were waited for. */
  readonly reapedMs: number
}

function stat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold anything; after it come state, ppid, … (proc(5)).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const field = (number: number) => Number(fields[number - 3])
    return {
      parent: field(4),
      ownMs: (field(14) + field(15)) * TICK_MS,
      reapedMs: (field(16) + field(17)) * TICK_MS,
    }
  } catch {
    return null
  }
}

/** Milliseconds of processor time of one process, all its threads. */
export function cpuMsOf(pid: number): number {
  return stat(pid)?.ownMs ?? NaN
}

/** The same of a process and its children, those that have ended too: PostgreSQL is a postmaster with its backends. */
export function cpuMsOfFamily(pid: number): number {
  const head = stat(pid)
  if (head === null) return NaN
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .map((name) => stat(Number(name)))
  return children.reduce(
    (total, child) => (child?.parent === pid ? total + child.ownMs : total),
    head.ownMs + head.reapedMs,
  )
}

/** Resident memory, in KiB. */
export function residentKiB(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return NaN
  }
}
