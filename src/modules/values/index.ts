/**
 * Values: the workspace's shared key-value store, for what a team should know beyond who edits what.
 *
 * A batch is written whole or not at all. A version is the seq of the event that wrote the entry, so it never repeats,
 * not even after a delete. The journal records digests; the content lives only here and is gone when it is deleted.
 */
import type { Module } from '../module.ts'
import { valueDeleted, valueWritten } from './events.ts'
import { deleteValueOperation, getValue, listValues, purgeValues, putValue } from './operations.ts'
import { eraseValues, totalsOf } from './store.ts'
import { readValues, writeValues } from './tools.ts'

export const values: Module = {
  name: 'values',
  tools: [readValues, writeValues],
  events: [valueWritten, valueDeleted],
  operations: [listValues, getValue, putValue, deleteValueOperation, purgeValues],
  inventory: async (orm, workspaceId) => ({ values: (await totalsOf(orm, workspaceId)).count }),
  erase: eraseValues,
}
