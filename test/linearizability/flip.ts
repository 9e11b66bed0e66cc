import type { Random } from '../support/random.ts'
import type { Entry, Output, WorkspaceOperation } from './workspace-model.ts'

/** A history with one answer changed into one that cannot have been given. */
export interface Flip {
  readonly history: readonly WorkspaceOperation[]
  readonly index: number
  readonly what: string
}

type Change = (output: Output, operation: WorkspaceOperation, history: readonly WorkspaceOperation[]) => Output | null

/** Each gives the wrong answer, or null where this operation has none of its kind. */
const CHANGES: Readonly<Record<string, Change>> = {
  'a read value that nobody wrote': (output) => withEntry(output, (entry) => ({ ...entry, value: `${entry.value}?` })),
  'another version was read': (output, _operation, history) =>
    withEntry(output, (entry) => (isCertain(history, entry) ? { ...entry, version: entry.version + 1 } : null)),
  'an older value was read': (output, _operation, history) =>
    withEntry(output, (entry, key) => olderEntry(history, key, entry)),
  'another version was written': (output) => {
    if (output.kind !== 'written') return null
    const [key, version] = Object.entries(output.versions)[0] ?? []
    return key === undefined || version === undefined ? null : { ...output, versions: { [key]: version + 1 } }
  },
  'another fence': (output) =>
    output.kind === 'claimed' && !output.renewed
      ? { ...output, hold: { ...output.hold, fence: output.hold.fence + 1 } }
      : null,
  'a refused claim was granted': (output, { input }) => {
    if (output.kind !== 'scope_conflict') return null
    const hold = { claimId: 'clm_forged', agentId: input.agentId, fence: output.seq + 1 }
    return { kind: 'claimed', seq: output.seq + 1, hold, renewed: false }
  },
  'a granted claim was refused': (output) => {
    if (output.kind !== 'claimed' || output.renewed) return null
    return { kind: 'scope_conflict', seq: output.seq, holder: { claimId: 'clm_forged', agentId: 'nobody' } }
  },
}

/** Flips one answer at random. @throws Error where the history has nothing to flip */
export function flipOneAnswer(history: readonly WorkspaceOperation[], random: Random): Flip {
  const kinds = Object.entries(CHANGES)
  for (let attempt = 0; attempt < 10_000; attempt += 1) {
    const index = random.below(history.length)
    const operation = history[index]
    const [what, change] = random.pick(kinds)
    const output = operation?.output === undefined ? null : change(operation.output, operation, history)
    if (operation !== undefined && output !== null) {
      return { history: history.with(index, { ...operation, output }), index, what }
    }
  }
  throw new Error('nothing to flip in this history')
}

function withEntry(output: Output, change: (entry: Entry, key: string) => Entry | null): Output | null {
  if (output.kind !== 'values') return null
  for (const [key, entry] of Object.entries(output.values)) {
    const changed = entry === null ? null : change(entry, key)
    if (changed !== null) return { ...output, values: { ...output.values, [key]: changed } }
  }
  return null
}

/**
 * Whether there is no doubt which write this is. Else another version could be right: that of an attempt whose outcome
 * nobody knows.
 */
function isCertain(history: readonly WorkspaceOperation[], { value }: Entry): boolean {
  const attempts = history.filter(
    ({ input }) => input.kind === 'write' && input.entries.some((each) => each.value === value),
  )
  return attempts.every(({ output }) => output !== undefined)
}

/** What the key held before, where both writes were acknowledged: so the newer one was there when this was read. */
function olderEntry(history: readonly WorkspaceOperation[], key: string, entry: Entry): Entry | null {
  const written = history.flatMap(({ input, output }) => {
    const version = output?.kind === 'written' ? output.versions[key] : undefined
    const value = input.kind === 'write' ? input.entries.find((each) => each.key === key)?.value : null
    return version === undefined || typeof value !== 'string' ? [] : [{ value, version }]
  })
  if (!written.some(({ version }) => version === entry.version)) return null
  return written.findLast(({ version }) => version < entry.version) ?? null
}
