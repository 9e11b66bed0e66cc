import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { median } from './statistics.ts'

/** What the figures depend on, as lines of a list. */
export function machineFacts(directory: string): string[] {
  const [processor] = cpus()
  const load = loadavg().map((value) => value.toFixed(1))
  return [
    `${availableParallelism()} × ${processor?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB; shared by server, PostgreSQL and load generator`,
    `load average at the start ${load.join(', ')} (anything above 0.5 disturbs what is written here)`,
    `${process.platform} ${release()}, Node ${process.version}`,
    `a 8 KiB write with fdatasync takes ${syncMs(directory).toFixed(2)} ms (median of 200)`,
    `commit ${commit()}`,
  ]
}

function syncMs(directory: string): number {
  const path = join(directory, 'sync-probe')
  const file = openSync(path, 'w')
  const block = Buffer.alloc(8_192)
  const times = Array.from({ length: 200 }, (_, index) => {
    writeSync(file, block, 0, block.length, (index % 64) * block.length)
    const started = performance.now()
    fdatasyncSync(file)
    return performance.now() - started
  })
  closeSync(file)
  rmSync(path)
  return median(times)
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const changed = git('status', '--porcelain', '--', 'src', 'migrations', 'package-lock.json').trim() !== ''
    return `${git('rev-parse', '--short=12', 'HEAD').trim()}${changed ? ' with changes' : ''}`
  } catch {
    return 'unknown'
  }
}

/** Versions of what is measured. */
export function versionOf(pkg: string): string {
  const manifest = JSON.parse(
    readFileSync(new URL(`../../node_modules/${pkg}/package.json`, import.meta.url), 'utf8'),
  ) as { version: string }
  return manifest.version
}
