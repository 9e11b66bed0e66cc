import type { Random } from '../support/random.ts'
import type { WorkspaceOperation } from '../linearizability/workspace-model.ts'

/**
 * The part of a workspace's history that is checked as a whole: all operations on a few keys and paths that nothing
 * else touches. So each begins with nothing there, and the order between windows does not matter.
 */
export interface Window {
  readonly name: string
  readonly keys: readonly string[]
  readonly paths: readonly string[]
  readonly operations: WorkspaceOperation[]
}

export interface History {
  readonly windows: readonly Window[]
  /** The window to work in now. */
  current(): Window
}

/** Leaves room under 1,000 for what the clients are doing at the change, their letting go, and the final reads. */
const OPERATIONS_PER_WINDOW = 800
const KEYS = 2
const PATHS = 4

/** The recorded history of one workspace. */
export function createHistory(workspace: string): History {
  const windows: Window[] = []
  const open = (): Window => {
    const name = `${workspace}/w${windows.length}`
    const names = (count: number, kind: string) => Array.from({ length: count }, (_, n) => `${name}/${kind}${n}`)
    const window = { name, keys: names(KEYS, 'key'), paths: names(PATHS, 'path'), operations: [] }
    windows.push(window)
    return window
  }
  return {
    windows,
    current() {
      const last = windows.at(-1)
      return last === undefined || last.operations.length >= OPERATIONS_PER_WINDOW ? open() : last
    },
  }
}

/** What a client knows when it chooses its next step. */
export interface Knowledge {
  readonly held: ReadonlyMap<string, string>
  readonly versions: ReadonlyMap<string, number>
}

export type Step = { readonly tool: 'read' | 'look' | 'claim' | 'release'; readonly on: string } | WriteStep

export interface WriteStep {
  readonly tool: 'write'
  readonly entries: readonly { readonly key: string; readonly isDelete: boolean; readonly expectedVersion?: number }[]
}

/** Mostly what changes something: a quarter of the steps only look. */
export function chooseStep(random: Random, window: Window, { held, versions }: Knowledge): Step {
  const key = random.pick(window.keys)
  const entry = (name: string, isBlind: boolean, isDelete: boolean) =>
    isBlind ? { key: name, isDelete } : { key: name, isDelete, expectedVersion: versions.get(name) ?? 0 }
  const chance = random.next()
  if (chance < 0.15) return { tool: 'read', on: key }
  if (chance < 0.3) return { tool: 'write', entries: [entry(key, false, false)] }
  if (chance < 0.36) return { tool: 'write', entries: [entry(key, true, false)] }
  if (chance < 0.41) return { tool: 'write', entries: [entry(key, random.next() < 0.5, true)] }
  if (chance < 0.46) return { tool: 'write', entries: window.keys.map((name) => entry(name, false, false)) }
  const path = random.pick(window.paths)
  if (chance < 0.56) return { tool: 'look', on: path }
  const mine = window.paths.filter((candidate) => held.has(candidate))
  if (mine.length > 0 && chance < 0.8) return { tool: 'release', on: random.pick(mine) }
  return { tool: 'claim', on: path }
}
