import type { Actor } from '../../journal/event.ts'
import type { WorkspaceTx } from '../../journal/journal.ts'
import { canonicalJson, sha256 } from '../../kernel/canonical.ts'
import { valueDeleted, valueWritten } from './events.ts'
import { deleteValue, putValue } from './store.ts'
import type { Value, ValueChange } from './values.ts'

/** What was done to an entry. */
export type AppliedChange = {
  readonly key: string
  readonly version: number
  readonly updatedAt: string
  readonly updatedBy: string
  readonly deleted?: true
}

/** Does what was decided about one entry, on record: its digest, never its content. */
export function applyChange(ws: WorkspaceTx, change: ValueChange, actor: Actor, updatedBy: string): AppliedChange {
  const { key, value } = change.entry
  const updatedAt = ws.now.toISOString()
  const version = ws.nextFence
  if (change.kind === 'delete') {
    ws.append(valueDeleted, { key }, actor)
    ws.write((tx) => deleteValue(tx, ws.workspaceId, key))
    return { key, deleted: true, version, updatedAt, updatedBy }
  }
  const { bytes } = change
  const digest = sha256(canonicalJson(value)).toString('hex')
  ws.append(valueWritten, { key, version, bytes, sha256: digest }, actor)
  const stored: Value = { key, value, bytes, version, updatedAt: ws.now, updatedBy }
  ws.write((tx) => putValue(tx, ws.workspaceId, stored))
  return { key, version, updatedAt, updatedBy }
}
