import { readFileSync } from 'node:fs'

/** The resident memory of a process in bytes, as the kernel counts it; 0 where there is no such process, or no /proc. */
export function residentBytes(pid: number): number {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kib ?? 0) * 1024
  } catch {
    return 0
  }
}

/** The CPU time that a process has used, in milliseconds. */
export function cpuMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // utime and stime, in ticks of a hundredth of a second.
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return 0
  }
}

/** How many files this process may have open, sockets included. Node raises the soft limit to the hard one by itself. */
export function openFilesLimit(): number {
  try {
    const row = /^Max open files\s+(\d+|unlimited)/mu.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return row === undefined || row === 'unlimited' ? Infinity : Number(row)
  } catch {
    return 1_024
  }
}
