import { z } from 'zod'
import type { Json } from '../../kernel/canonical.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { moment, whole } from '../fields.ts'
import { changeOperation, readOperation, type WorkspaceChange } from '../office.ts'
import { valuesByKeys, valuesByPrefix, totalsOf } from './store.ts'
import { decideWrites, type Value } from './values.ts'
import { applyChange } from './write.ts'

const tag = 'Values'
const params = z.object({ workspaceId: z.string().min(1).max(64) })
const key = z.string().min(1).max(LIMITS.valueKeyChars)
const one = params.extend({ key })

const shownValue = z.object({
  key: z.string(),
  value: z.unknown().describe('Any JSON'),
  version: whole,
  updatedAt: moment,
  updatedBy: z.string().describe('An agentId, or a person’s userId'),
})

export const listValues = readOperation({
  name: 'listValues',
  tag,
  title: 'List values',
  description: 'Entries of the key-value store in byte order of their keys, those with a prefix if one is given.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/values',
  permission: 'workspace.read',
  params,
  query: z.object({
    prefix: z.string().max(LIMITS.valueKeyChars).default(''),
    cursor: z.string().max(LIMITS.valueKeyChars).optional(),
  }),
  output: z.object({ values: z.array(shownValue), nextCursor: z.string().optional() }),
  async handle({ orm, workspaceId }, { query: { prefix, cursor = null } }) {
    const found = await valuesByPrefix(orm, workspaceId, prefix, cursor, LIMITS.valuesPerRestPage + 1)
    const page = found.slice(0, LIMITS.valuesPerRestPage)
    const next = found.length > page.length ? { nextCursor: page.at(-1)?.key ?? '' } : {}
    return { body: { values: page.map(viewOf), ...next } }
  },
})

export const getValue = readOperation({
  name: 'getValue',
  tag,
  title: 'Read a value',
  description: 'The ETag is its version.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/values/:key',
  permission: 'workspace.read',
  params: one,
  output: z.object({ value: shownValue }),
  async handle({ orm, workspaceId }, { params: { key: name } }) {
    const [value] = await valuesByKeys(orm, workspaceId, [name])
    if (value === undefined) throw new AppError('NOT_FOUND')
    return { body: { value: viewOf(value) }, version: String(value.version) }
  },
})

export const putValue = changeOperation({
  name: 'putValue',
  tag,
  title: 'Write a value',
  description:
    'The body is the value: any JSON but null, up to 64 KiB. `If-Match` with its ETag writes only over that version, ' +
    '`If-None-Match: *` only where there is none.',
  method: 'PUT',
  path: '/api/workspaces/:workspaceId/values/:key',
  permission: 'values.write',
  statuses: [200, 201],
  examples: [{ title: 'Any JSON', body: { color: 'teal', contrast: 'high' } }],
  params: one,
  body: z
    .custom<Json>(
      (value) => value !== undefined && value !== null,
      'must be JSON other than null; DELETE removes a value',
    )
    .describe('Any JSON but null'),
  output: z.object({ value: shownValue }),
  version: (change, { params: { key: name } }) => versionOf(change, name),
  async handle(change, { params: { key: name }, body }) {
    const { ws } = change
    const current = await valuesByKeys(ws.tx, ws.workspaceId, [name])
    const written = await write(change, name, body)
    const value = {
      key: name,
      value: body,
      version: written.version,
      updatedAt: written.updatedAt,
      updatedBy: written.updatedBy,
    }
    const made =
      current.length === 0 ? { createdAt: `/api/workspaces/${ws.workspaceId}/values/${encodeURIComponent(name)}` } : {}
    return { body: { value }, version: String(written.version), ...made }
  },
})

export const deleteValueOperation = changeOperation({
  name: 'deleteValue',
  tag,
  title: 'Delete a value',
  description: 'With `If-Match` only that version.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId/values/:key',
  permission: 'values.write',
  params: one,
  output: z.object({ deleted: z.object({ key: z.string(), version: whole }) }),
  version: (change, { params: { key: name } }) => versionOf(change, name),
  async handle(change, { params: { key: name } }) {
    if ((await versionOf(change, name)) === null) throw new AppError('NOT_FOUND')
    const { version } = await write(change, name, null)
    return { body: { deleted: { key: name, version } } }
  },
})

export const purgeValues = changeOperation({
  name: 'deleteValues',
  tag,
  title: 'Delete values in bulk',
  description:
    'Deletes every value whose key starts with the prefix; an empty prefix means all. Previewed and confirmed.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId/values',
  permission: 'values.purge',
  sensitive: true,
  examples: [{ title: 'All below a prefix, once seen which', query: { prefix: 'drafts/' }, previewed: true }],
  params,
  query: z.object({ prefix: z.string().max(LIMITS.valueKeyChars) }),
  output: z.object({ deleted: z.object({ count: whole, prefix: z.string() }) }),
  async effects({ ws }, { query: { prefix } }) {
    const found = await valuesByPrefix(ws.tx, ws.workspaceId, prefix, null, LIMITS.valuesPerWorkspace)
    return { deletes: found.length, keys: found.slice(0, LIMITS.listShown).map((value) => value.key), prefix }
  },
  async handle(change, { query: { prefix } }) {
    const { ws, caller } = change
    const found = await valuesByPrefix(ws.tx, ws.workspaceId, prefix, null, LIMITS.valuesPerWorkspace)
    for (const { key: name } of found) {
      applyChange(ws, { kind: 'delete', entry: { key: name, value: null } }, change.actor, caller.userId)
    }
    return { body: { deleted: { count: found.length, prefix } } }
  },
})

/** One entry, decided as `write_values` decides a batch. */
async function write(change: WorkspaceChange, name: string, value: Json) {
  const { ws, actor, caller } = change
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > LIMITS.valueBytes) {
    const issues = [{ path: '', message: `${bytes} bytes of JSON; at most ${LIMITS.valueBytes}` }]
    throw new AppError('INVALID_INPUT', undefined, { details: { issues } })
  }
  const [current, totals] = await Promise.all([
    valuesByKeys(ws.tx, ws.workspaceId, [name]),
    totalsOf(ws.tx, ws.workspaceId),
  ])
  const [decided] = decideWrites([{ key: name, value }], new Map(current.map((entry) => [entry.key, entry])), totals)
  if (decided === undefined) throw new AppError('NOT_FOUND')
  return applyChange(ws, decided, actor, caller.userId)
}

async function versionOf({ ws }: WorkspaceChange, name: string): Promise<string | null> {
  const [current] = await valuesByKeys(ws.tx, ws.workspaceId, [name])
  return current === undefined ? null : String(current.version)
}

function viewOf({ key: name, value, version, updatedAt, updatedBy }: Value) {
  return { key: name, value, version, updatedAt: updatedAt.toISOString(), updatedBy }
}
