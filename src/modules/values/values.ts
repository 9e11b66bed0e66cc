import type { Json } from '../../kernel/canonical.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'

/** An entry of the key-value store. */
export interface Value {
  readonly key: string
  readonly value: Json
  readonly bytes: number
  readonly version: number
  readonly updatedAt: Date
  readonly updatedBy: string
}

export interface WriteEntry {
  readonly key: string
  /** null deletes. */
  readonly value: Json
  /** Absent: whatever is there. 0: only if nothing is there. */
  readonly expectedVersion?: number | undefined
}

export interface Totals {
  readonly count: number
  readonly bytes: number
}

/** What one entry does: write it with its size, delete it, or nothing (deleting what is not there). */
export type ValueChange =
  | { readonly kind: 'write'; readonly entry: WriteEntry; readonly bytes: number }
  | { readonly kind: 'delete'; readonly entry: WriteEntry }

/**
 * Decides a batch as a whole: every entry or none.
 *
 * @param current the entries that exist under the batch's keys
 * @param totals of the workspace before the batch
 * @throws AppError VERSION_CONFLICT with what is there, INVALID_INPUT for a value over its size, VALUES_LIMIT
 */
export function decideWrites(
  entries: readonly WriteEntry[],
  current: ReadonlyMap<string, Value>,
  totals: Totals,
): ValueChange[] {
  const stale = entries.filter(
    ({ key, expectedVersion }) => expectedVersion !== undefined && expectedVersion !== (current.get(key)?.version ?? 0),
  )
  if (stale.length > 0) {
    const details = stale.map(({ key }) => ({ key, current: currentView(current.get(key)) }))
    throw new AppError('VERSION_CONFLICT', undefined, { details: { conflicts: details } })
  }
  const changes = entries.flatMap((entry) => changeOf(entry, current.get(entry.key)))
  let { count, bytes } = totals
  for (const change of changes) {
    const before = current.get(change.entry.key)
    count += (change.kind === 'write' ? 1 : 0) - (before === undefined ? 0 : 1)
    bytes += (change.kind === 'write' ? change.bytes : 0) - (before?.bytes ?? 0)
  }
  const grows = count > totals.count || bytes > totals.bytes
  if (grows && (count > LIMITS.valuesPerWorkspace || bytes > LIMITS.valueBytesPerWorkspace)) {
    throw new AppError('VALUES_LIMIT', undefined, {
      details: { maxValues: LIMITS.valuesPerWorkspace, maxBytes: LIMITS.valueBytesPerWorkspace },
    })
  }
  return changes
}

function changeOf(entry: WriteEntry, before: Value | undefined): ValueChange[] {
  if (entry.value === null) return before === undefined ? [] : [{ kind: 'delete', entry }]
  return [{ kind: 'write', entry, bytes: Buffer.byteLength(JSON.stringify(entry.value)) }]
}

/** What a conflict shows of the entry: a large value is read with read_values. */
function currentView(value: Value | undefined) {
  if (value === undefined) return null
  const { version, updatedBy } = value
  const updatedAt = value.updatedAt.toISOString()
  return value.bytes > 1_000 ? { version, updatedAt, updatedBy } : { value: value.value, version, updatedAt, updatedBy }
}
