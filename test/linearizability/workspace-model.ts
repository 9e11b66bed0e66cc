/**
 * What a workspace does for one client after the other: a register with versions per key, and a lock per path.
 *
 * Every answer carries the position of its stateHash, so the model asks for more than plausible values: positions never
 * go back in the order that is found, a version or fence is later than everything before it, and a claim decided on an
 * old position is granted only if nobody else touched the path since.
 */
import type { Operation, SequentialModel } from './checker.ts'

export interface Entry {
  readonly value: string
  readonly version: number
}

export interface Hold {
  readonly claimId: string
  readonly agentId: string
  readonly fence: number
}

export type Input =
  | { readonly kind: 'read'; readonly keys: readonly string[] }
  | { readonly kind: 'write'; readonly entries: readonly WriteEntry[] }
  /** `expectedSeq`: the position on which the claim was decided. */
  | { readonly kind: 'claim'; readonly path: string; readonly expectedSeq: number }
  | { readonly kind: 'release'; readonly path: string; readonly claimId: string }
  /** Who holds the path? */
  | { readonly kind: 'look'; readonly path: string }

export interface WriteEntry {
  readonly key: string
  /** null deletes. */
  readonly value: string | null
  readonly expectedVersion?: number
}

/** `seq`: the position of the answer's stateHash. */
export type Output = { readonly seq: number } & (
  | { readonly kind: 'values'; readonly values: Readonly<Record<string, Entry | null>> }
  | { readonly kind: 'written'; readonly versions: Readonly<Record<string, number>> }
  /** What is there under each key that had another version. */
  | { readonly kind: 'version_conflict'; readonly current: Readonly<Record<string, Entry | null>> }
  | { readonly kind: 'claimed'; readonly hold: Hold; readonly renewed: boolean }
  | { readonly kind: 'scope_conflict'; readonly holder: Pick<Hold, 'claimId' | 'agentId'> }
  /** Refused: somebody touched the path after the expected position. */
  | { readonly kind: 'state_changed' }
  | { readonly kind: 'released' }
  | { readonly kind: 'holder'; readonly hold: Hold | null }
)

export type WorkspaceOperation = Operation<Input & { readonly agentId: string }, Output>

/** A number that an answer told, or that nobody was told: then only between which others it is. */
interface Seq {
  readonly min: number
  readonly max: number
}

/** null: deleted, with the version of the delete. */
interface Cell {
  readonly value: string | null
  readonly version: Seq
}

interface Lock {
  readonly hold: { readonly agentId: string; readonly claimId: string | null; readonly fence: Seq } | null
  /** When each agent last took or let go of the path. */
  readonly touched: Readonly<Record<string, Seq>>
}

export interface State {
  readonly seq: number
  readonly cells: Readonly<Record<string, Cell>>
  readonly locks: Readonly<Record<string, Lock>>
}

const exactly = (seq: number): Seq => ({ min: seq, max: seq })
const after = ({ min }: Seq): Seq => ({ min: min + 1, max: Infinity })
const fits = (seq: number, range: Seq): boolean => range.min <= seq && seq <= range.max

export const workspaceModel: SequentialModel<State, Input & { readonly agentId: string }, Output> = {
  initial: { seq: 0, cells: {}, locks: {} },
  next(state, input, output) {
    // Whatever was answered, team state had come at least this far before, and no further back than that.
    if (output !== undefined && output.seq < state.seq) return null
    const next = step(state, input, output)
    return next === null || output === undefined ? next : { ...next, seq: output.seq }
  },
  keyOf: (state) => JSON.stringify(state),
  objectsOf: (input) => {
    if (input.kind === 'read') return input.keys
    return input.kind === 'write' ? input.entries.map(({ key }) => key) : [input.path]
  },
  positionOf: ({ seq }) => seq,
}

function step(state: State, input: Input & { agentId: string }, output: Output | undefined): State | null {
  switch (input.kind) {
    case 'read':
      return output === undefined || output.kind !== 'values' ? null : observe(state, output.values)
    case 'write':
      return write(state, input.entries, output)
    case 'claim':
      return claim(state, input, output)
    case 'release':
      return release(state, input, output)
    case 'look':
    default:
      return output === undefined || output.kind !== 'holder' ? null : look(state, input.path, output.hold)
  }
}

const ABSENT: Cell = { value: null, version: exactly(0) }

/** The state in which these entries are seen, with the versions that are known now; null if it is not this one. */
function observe(state: State, seen: Readonly<Record<string, Entry | null>>): State | null {
  const cells = { ...state.cells }
  for (const [key, entry] of Object.entries(seen)) {
    const cell = cells[key] ?? ABSENT
    if (cell.value !== (entry?.value ?? null)) return null
    if (entry === null) continue
    if (!fits(entry.version, cell.version)) return null
    cells[key] = { value: cell.value, version: exactly(entry.version) }
  }
  return { ...state, cells }
}

function write(state: State, entries: readonly WriteEntry[], output: Output | undefined): State | null {
  if (output?.kind === 'version_conflict') {
    const stale = entries.filter(({ key }) => Object.hasOwn(output.current, key))
    const isStale = ({ key, expectedVersion }: WriteEntry) =>
      expectedVersion !== undefined && expectedVersion !== (output.current[key]?.version ?? 0)
    const others = entries.filter((entry) => !stale.includes(entry))
    if (stale.length === 0 || !stale.every(isStale)) return null
    const seen = observe(state, output.current)
    return seen === null ? null : expect(seen, others)
  }
  if (output !== undefined && output.kind !== 'written') return null
  const met = expect(state, entries)
  if (met === null) return null
  const cells = { ...met.cells }
  let last = state.seq
  for (const { key, value } of entries) {
    const cell = cells[key] ?? ABSENT
    const version = output?.versions[key]
    // Deleting what is not there does nothing and has no version.
    if (value === null && cell.value === null) {
      if (version !== undefined) return null
      continue
    }
    if (output !== undefined && (version === undefined || version <= last)) return null
    last = version ?? last
    cells[key] = { value, version: version === undefined ? after(cell.version) : exactly(version) }
  }
  return output !== undefined && last > output.seq ? null : { ...met, cells }
}

/** The state in which every expected version is met. */
function expect(state: State, entries: readonly WriteEntry[]): State | null {
  const cells = { ...state.cells }
  for (const { key, expectedVersion } of entries) {
    if (expectedVersion === undefined) continue
    const cell = cells[key] ?? ABSENT
    if (cell.value === null ? expectedVersion !== 0 : !fits(expectedVersion, cell.version)) return null
    if (cell.value !== null) cells[key] = { ...cell, version: exactly(expectedVersion) }
  }
  return { ...state, cells }
}

const FREE: Lock = { hold: null, touched: {} }

function claim(
  state: State,
  { agentId, path, expectedSeq }: { agentId: string; path: string; expectedSeq: number },
  output: Output | undefined,
): State | null {
  const lock = state.locks[path] ?? FREE
  const mine = lock.hold?.agentId === agentId
  const others = Object.entries(lock.touched).filter(([agent]) => agent !== agentId)
  switch (output?.kind) {
    case undefined:
      return lock.hold === null ? put(state, path, agentId, after(lastTouched(lock)), null) : null
    case 'claimed': {
      const { claimId, fence } = output.hold
      if (output.hold.agentId !== agentId) return null
      if (output.renewed) return mine ? look(state, path, output.hold) : null
      const isUnseen = others.some(([, touched]) => touched.min > expectedSeq)
      if (lock.hold !== null || isUnseen || fence <= state.seq || fence !== output.seq) return null
      return put(state, path, agentId, exactly(fence), claimId)
    }
    case 'scope_conflict': {
      const { hold } = lock
      if (hold === null || mine || hold.agentId !== output.holder.agentId) return null
      if (hold.claimId !== null && hold.claimId !== output.holder.claimId) return null
      return withLock(state, path, { ...lock, hold: { ...hold, claimId: output.holder.claimId } })
    }
    case 'state_changed':
      return lock.hold === null && others.some(([, touched]) => touched.max > expectedSeq) ? state : null
    case 'values':
    case 'written':
    case 'version_conflict':
    case 'released':
    case 'holder':
    default:
      return null
  }
}

function put(state: State, path: string, agentId: string, fence: Seq, claimId: string | null): State {
  const lock = state.locks[path] ?? FREE
  const touched = { ...lock.touched, [agentId]: fence }
  return withLock(state, path, { hold: { agentId, claimId, fence }, touched })
}

/** By anybody: whatever comes next on the path is later. */
function lastTouched({ touched }: Lock): Seq {
  return exactly(Math.max(0, ...Object.values(touched).map(({ min }) => min)))
}

function release(
  state: State,
  { agentId, path, claimId }: { agentId: string; path: string; claimId: string },
  output: Output | undefined,
): State | null {
  if (output !== undefined && output.kind !== 'released') return null
  const lock = state.locks[path] ?? FREE
  const { hold } = lock
  const isHeld = hold !== null && hold.agentId === agentId && (hold.claimId === null || hold.claimId === claimId)
  // Releasing twice is harmless; an unknown one that changed nothing need not be placed.
  if (!isHeld) return output === undefined ? null : state
  if (output !== undefined && output.seq <= state.seq) return null
  const at = output === undefined ? after(lastTouched(lock)) : exactly(output.seq)
  return withLock(state, path, { hold: null, touched: { ...lock.touched, [agentId]: at } })
}

/** The state in which the path is seen to be held so, with what is known of the claim now. */
function look(state: State, path: string, seen: Hold | null): State | null {
  const lock = state.locks[path] ?? FREE
  const { hold } = lock
  if (seen === null || hold === null) return seen === null && hold === null ? state : null
  if (hold.agentId !== seen.agentId || (hold.claimId !== null && hold.claimId !== seen.claimId)) return null
  if (!fits(seen.fence, hold.fence)) return null
  const fence = exactly(seen.fence)
  const touched = { ...lock.touched, [seen.agentId]: fence }
  return withLock(state, path, { hold: { agentId: seen.agentId, claimId: seen.claimId, fence }, touched })
}

function withLock(state: State, path: string, lock: Lock): State {
  return { ...state, locks: { ...state.locks, [path]: lock } }
}
