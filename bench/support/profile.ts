import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { compiled } from './compiled.ts'
import type { ProfileTable } from './row.ts'

/** What `node --cpu-prof` writes (the DevTools protocol's Profiler.Profile), as far as it is read here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const LINES = 24

/** Of what is compiled (see compiled.ts), as of the sources. */
const OWN = pathToFileURL(compiled('')).href

/** Flags with which a server writes a profile of itself when it ends. */
export const profileFlags = (directory: string): string[] => ['--cpu-prof', `--cpu-prof-dir=${directory}`]

/**
 * Reads the one profile of a directory, and removes it. Shares are of the time in which the process worked.
 *
 * @param lastMs how much of it counts, from its end: what came before was starting
 */
export function readProfile(directory: string, title: string, lastMs: number): ProfileTable {
  const name = readdirSync(directory).find((file) => file.endsWith('.cpuprofile'))
  if (name === undefined) throw new Error(`no profile in ${directory}`)
  const profile = JSON.parse(readFileSync(join(directory, name), 'utf8')) as CpuProfile
  rmSync(join(directory, name))
  const placeOf = new Map(profile.nodes.map((node) => [node.id, place(node.callFrame)]))
  const spent = new Map<string, number>()
  const skippedUs = profile.timeDeltas.reduce((sum, us) => sum + us, 0) - lastMs * 1_000
  let passedUs = 0
  for (const [index, id] of profile.samples.entries()) {
    passedUs += profile.timeDeltas[index] ?? 0
    if (passedUs < skippedUs) continue
    const where = placeOf.get(id) ?? '?'
    if (where !== '(idle)') spent.set(where, (spent.get(where) ?? 0) + (profile.timeDeltas[index] ?? 0))
  }
  const total = [...spent.values()].reduce((sum, us) => sum + us, 0)
  const lines = [...spent].toSorted(([, a], [, b]) => b - a).map(([where, us]) => ({ share: us / total, where }))
  return { title, lines: lines.slice(0, LINES) }
}

/** Whose code it is: a package, a folder of ours, a module of Node's; by itself where the engine names it. */
function place({ functionName, url }: { functionName: string; url: string }): string {
  if (url.startsWith(OWN))
    return url
      .slice(OWN.length + 1)
      .replace(/^((?:[^/]+\/){0,2}[^/]+).*$/u, '$1')
      .replace(/\.js$/u, '.ts')
  const pkg = /node_modules\/((?:@[^/]+\/)?[^/]+)/u.exec(url)?.[1]
  if (pkg !== undefined) return pkg
  if (url.startsWith('node:')) return url.replace(/^(node:(?:internal\/)?[^/]+).*$/u, '$1')
  if (functionName === '(program)') return '(native code and the system)'
  return functionName.startsWith('(') ? functionName : `${functionName || 'nameless'} (native)`
}
