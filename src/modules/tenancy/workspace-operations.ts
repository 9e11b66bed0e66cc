import { z } from 'zod'
import { versionOf } from '../../kernel/canonical.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import type { OperationInput } from '../../kernel/operation.ts'
import { callerActor, entry } from '../audit/entry.ts'
import { record } from '../audit/store.ts'
import { line, whole } from '../fields.ts'
import {
  agentEffects,
  changeOperation,
  personalOperation,
  readOperation,
  requireUnbound,
  type OfficeOperation,
  type WorkspaceChange,
} from '../office.ts'
import { policyChanged, workspaceArchived, workspaceDeleted, workspaceRenamed, workspaceRestored } from './events.ts'
import { bindRepo, foundWorkspace, parseRemote } from './founding.ts'
import type { Membership } from './repository.ts'
import { requirePermission } from './roles.ts'
import {
  archiveWorkspace,
  membershipOf,
  membershipsOf,
  membersOf,
  renameWorkspace,
  setActiveWorkspace,
  setPolicy,
} from './store.ts'
import { bindRepository } from './repo-operations.ts'
import { FORCE_RELEASE_ROLES, type Policy } from './tenancy.ts'
import { repoView, showWorkspace, viewOfWorkspace, workspaceView } from './workspace-view.ts'

const tag = 'Workspaces'
const workspaceId = z.string().min(1).max(64)
const params = z.object({ workspaceId })
const name = line(LIMITS.workspaceNameChars).pipe(z.string().min(1))
const CREATED = { name: 'Widgets', repoUrl: 'git@github.com:acme/widgets.git' }
const seconds = (min: number, max: number) => z.number().int().min(min).max(max)

const policyView = z.object({
  claimTtlSeconds: z.object({ default: whole, min: whole, max: whole }),
  casMode: z.enum(['scoped', 'strict']),
  sessionIdleSeconds: whole,
  forceReleaseRole: z.enum(FORCE_RELEASE_ROLES),
})

/** A lease under 5 s is over before an answer arrives; one over a day is no lease. */
const PolicyChange = z.object({
  claimTtlSeconds: z
    .object({ default: seconds(5, 86_400), min: seconds(5, 86_400), max: seconds(5, 86_400) })
    .partial()
    .optional(),
  casMode: z.enum(['scoped', 'strict']).optional(),
  sessionIdleSeconds: seconds(60, 7 * 86_400).optional(),
  forceReleaseRole: z.enum(FORCE_RELEASE_ROLES).optional(),
})

export const listWorkspaces = personalOperation({
  name: 'listWorkspaces',
  tag,
  title: 'List my workspaces',
  description: 'The caller’s workspaces, oldest first, the active one marked; archived ones when asked for.',
  method: 'GET',
  path: '/api/workspaces',
  access: 'read',
  params: z.object({}),
  query: z.object({ archived: z.enum(['true', 'false']).default('false') }),
  output: z.object({ workspaces: z.array(workspaceView) }),
  async handle({ caller, database }, { query }) {
    const { userId } = caller
    const all = await database.read({ user: userId }, (orm) => membershipsOf(orm, userId, query.archived === 'true'))
    const opened = all.filter(({ workspaceId: id }) => caller.workspaceId === null || caller.workspaceId === id)
    return { body: { workspaces: opened.map(viewOfWorkspace) } }
  },
})

export const getWorkspace = readOperation({
  name: 'getWorkspace',
  tag,
  title: 'Read a workspace',
  description: 'Name, role, repositories.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId',
  permission: 'workspace.read',
  archivedToo: true,
  params,
  output: z.object({ workspace: workspaceView }),
  handle: async ({ orm, caller, ...view }) => showWorkspace(await membershipOf(orm, view.workspaceId, caller.userId)),
})

export const createWorkspace = personalOperation({
  name: 'createWorkspace',
  tag,
  title: 'Create a workspace',
  description: 'The caller becomes its owner, and it becomes the caller’s active workspace.',
  method: 'POST',
  path: '/api/workspaces',
  access: 'write',
  statuses: [201],
  examples: [{ title: 'Create a workspace', body: CREATED }],
  params: z.object({}),
  body: z.object({ name, repoUrl: z.string().min(1).max(LIMITS.remoteChars).optional() }),
  output: z.object({ workspace: workspaceView }),
  async handle({ caller, journal, keep }, { body }) {
    requireUnbound(caller)
    const remote = body.repoUrl === undefined ? null : parseRemote(body.repoUrl)
    const { userId } = caller
    return journal.found({ user: userId }, async (tx, begin) => {
      const { ws } = await foundWorkspace(tx, begin, {
        ownerId: userId,
        name: body.name,
        by: callerActor(caller),
      })
      if (remote !== null) bindRepo(ws, { canonicalRemote: remote, rootSha: null }, 0, { kind: 'user', userId })
      await ws.flush()
      const answer = {
        ...showWorkspace(await membershipOf(ws.tx, ws.workspaceId, userId)),
        createdAt: `/api/workspaces/${ws.workspaceId}`,
      }
      await keep(tx, answer, ws.now)
      return answer
    })
  },
})

export const switchWorkspace = personalOperation({
  name: 'switchWorkspace',
  tag,
  title: 'Switch to a workspace',
  description: 'Makes it the active one: where the caller’s agents go that name none.',
  method: 'POST',
  path: '/api/workspaces',
  access: 'write',
  examples: [{ title: 'Switch', body: { workspaceId: '$WORKSPACE_ID' } }],
  params: z.object({}),
  body: z.object({ workspaceId }),
  output: z.object({ workspace: workspaceView }),
  async handle({ caller, database }, { body }) {
    const { userId } = caller
    const scope = { user: userId }
    const membership = await database.read(scope, (orm) => membershipOf(orm, body.workspaceId, userId))
    const opened = caller.workspaceId === null || caller.workspaceId === body.workspaceId
    if (membership === null || membership.archived || !opened) throw new AppError('WORKSPACE_NOT_FOUND')
    await database.query((orm) => setActiveWorkspace(orm, userId, body.workspaceId))
    return showWorkspace({ ...membership, active: true })
  },
})

export const updateWorkspace = changeOperation({
  name: 'updateWorkspace',
  tag,
  title: 'Rename, archive, restore',
  description:
    'Changes the name, or archives the workspace (its agents end, nobody joins, everything is kept) and brings it back. ' +
    'Archiving is previewed and confirmed.',
  method: 'PATCH',
  path: '/api/workspaces/:workspaceId',
  permission: 'workspace.configure',
  archivedToo: true,
  sensitive: true,
  examples: [
    { title: 'Rename', body: { name: 'Gadgets' } },
    { title: 'Archive, once seen what that ends', body: { archived: true }, previewed: true },
    { title: 'Restore', body: { archived: false } },
  ],
  params,
  body: z.object({ name: name.optional(), archived: z.boolean().optional() }),
  output: z.object({ workspace: workspaceView }),
  version: async (change) => versionOf(viewOfWorkspace(await membership(change))),
  async effects(change, { body }) {
    if (body.archived !== true || (await membership(change)).archived) return null
    requirePermission(change.member.role, 'workspace.archive')
    return { archived: true, ...agentEffects(await change.agents({})) }
  },
  async handle(change, { body }) {
    const { ws, actor, member } = change
    const before = await membership(change)
    if (body.archived !== undefined) requirePermission(member.role, 'workspace.archive')
    if (body.name !== undefined && body.name !== before.workspaceName) {
      const named = body.name
      ws.append(workspaceRenamed, { name: named }, actor)
      ws.write((tx) => renameWorkspace(tx, ws.workspaceId, named))
    }
    if (body.archived !== undefined && body.archived !== before.archived) {
      await setArchived(change, body.archived)
    }
    await ws.flush()
    return showWorkspace(await membership(change))
  },
})

export const deleteWorkspace = changeOperation({
  name: 'deleteWorkspace',
  tag,
  title: 'Delete a workspace',
  description: 'Deletes everything in it, the journal too, for good. Nothing brings it back.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId',
  permission: 'workspace.delete',
  archivedToo: true,
  sensitive: true,
  params,
  version: async (change) => versionOf(viewOfWorkspace(await membership(change))),
  output: z.object({ deleted: z.object({ workspaceId: z.string(), lastSeq: whole, lastHash: z.string() }) }),
  effects: async (change) => ({
    deleted: await change.inventory(),
    ...agentEffects(await change.agents({})),
  }),
  async handle(change) {
    const { ws, actor, caller } = change
    const members = await membersOf(ws.tx, ws.workspaceId)
    await change.endAgents(await change.agents({}), 'workspace_deleted')
    const last = ws.append(workspaceDeleted, {}, actor)
    await ws.flush()
    await change.erase()
    const lastHash = Buffer.from(last.hash).toString('hex')
    // Its journal is gone: from now on only these say who was in it, and where it ended.
    const [{ workspaceId: gone }, by, reason] = [ws, callerActor(caller), 'workspace_deleted'] as const
    const left = members.map(({ userId, role }) =>
      entry(userId, 'membership.ended', { workspaceId: gone, userId, role, reason }, by),
    )
    const deleted = entry(caller.userId, 'workspace.deleted', { workspaceId: gone, lastSeq: last.seq, lastHash }, by)
    ws.atEnd((tx) => record(tx, [deleted, ...left]))
    return { body: { deleted: { workspaceId: ws.workspaceId, lastSeq: last.seq, lastHash } } }
  },
})

export const getPolicy = readOperation({
  name: 'getPolicy',
  tag,
  title: 'Read the policy',
  description: 'How leases, compare-and-swap and idle agents are handled here.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/policy',
  permission: 'workspace.read',
  params,
  output: z.object({ policy: policyView }),
  handle: async ({ member: { policy } }) => ({ body: { policy }, version: versionOf(policy) }),
})

export const changePolicy = changeOperation({
  name: 'changePolicy',
  tag,
  title: 'Change the policy',
  description: 'Changes what is named and keeps the rest. Leases that are running keep the length that they have.',
  method: 'PATCH',
  path: '/api/workspaces/:workspaceId/policy',
  permission: 'workspace.configure',
  sensitive: true,
  examples: [{ title: 'Leases of five minutes', body: { claimTtlSeconds: { default: 300 } } }],
  params,
  body: PolicyChange,
  output: z.object({ policy: policyView }),
  version: async ({ member: { policy } }) => versionOf(policy),
  async handle({ ws, actor, member }, { body }) {
    const { claimTtlSeconds = {}, ...rest } = body
    const policy: Policy = {
      ...member.policy,
      ...defined(rest),
      claimTtlSeconds: { ...member.policy.claimTtlSeconds, ...defined(claimTtlSeconds) },
    }
    checkTtl(policy.claimTtlSeconds)
    if (versionOf(policy) !== versionOf(member.policy)) {
      ws.append(policyChanged, { policy: { ...policy } }, actor)
      ws.write((tx) => setPolicy(tx, ws.workspaceId, policy))
    }
    return { body: { policy }, version: versionOf(policy) }
  },
})

async function setArchived(change: WorkspaceChange, archived: boolean): Promise<void> {
  const { ws, actor } = change
  if (archived) await change.endAgents(await change.agents({}), 'workspace_archived')
  ws.append(archived ? workspaceArchived : workspaceRestored, {}, actor)
  ws.write((tx) => archiveWorkspace(tx, ws.workspaceId, archived ? ws.now : null))
}

function checkTtl(ttl: Policy['claimTtlSeconds']): void {
  if (ttl.min <= ttl.default && ttl.default <= ttl.max) return
  const issues = [{ path: 'claimTtlSeconds', message: 'min ≤ default ≤ max must hold' }]
  throw new AppError('INVALID_INPUT', undefined, { details: { issues } })
}

async function membership({ ws, caller }: WorkspaceChange): Promise<Membership> {
  const own = await membershipOf(ws.tx, ws.workspaceId, caller.userId)
  if (own === null) throw new AppError('WORKSPACE_NOT_FOUND')
  return own
}

/** Without the fields that were left out. */
function defined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // What is left has no undefined value.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof defined<T>
  >
}

const inWorkspace = { workspaceId }

/** What the original service took at this one address; the other addresses do the same. */
const Action = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('create').default('create'),
    name,
    repoUrl: z.string().min(1).max(LIMITS.remoteChars).optional(),
  }),
  z.object({ action: z.literal('switch'), ...inWorkspace }),
  z.object({ action: z.literal('rename'), ...inWorkspace, name }),
  z.object({ action: z.literal('archive'), ...inWorkspace }),
  z.object({ action: z.literal('restore'), ...inWorkspace }),
  z.object({ action: z.literal('delete'), ...inWorkspace }),
  z.object({ action: z.literal('bind-repo'), ...inWorkspace, repoUrl: z.string().min(1).max(LIMITS.remoteChars) }),
])

/** The operation that an action is, and what it is called with. */
function meant(said: z.output<typeof Action>): [OfficeOperation, OperationInput] {
  const { action, ...rest } = said
  if (action === 'create') return [createWorkspace, { params: {}, query: {}, body: rest }]
  if (action === 'switch') return [switchWorkspace, { params: {}, query: {}, body: rest }]
  const { workspaceId: id, ...body } = { name: undefined, repoUrl: undefined, ...said }
  const [operation, what] = {
    rename: [updateWorkspace, { name: body.name }] as const,
    archive: [updateWorkspace, { archived: true }] as const,
    restore: [updateWorkspace, { archived: false }] as const,
    delete: [deleteWorkspace, {}] as const,
    'bind-repo': [bindRepository, { repoUrl: body.repoUrl }] as const,
  }[said.action]
  return [operation, { params: { workspaceId: id }, query: {}, body: what }]
}

export const workspaceAction: OfficeOperation = {
  name: 'workspaceAction',
  tag,
  title: 'Create, switch, and more, by action',
  description:
    'Without an action it creates. `archive` and `delete` are previewed, and confirmed by a second call with the confirmToken.',
  method: 'POST',
  path: '/api/workspaces',
  access: 'write',
  sensitive: true,
  callers: 'anybody',
  permission: null,
  confirmed: true,
  versioned: false,
  gone: false,
  statuses: [200, 201],
  examples: [
    { title: 'Create', body: { action: 'create', ...CREATED } },
    { title: 'Switch', body: { action: 'switch', workspaceId: '$WORKSPACE_ID' } },
    { title: 'Rename', body: { action: 'rename', workspaceId: '$WORKSPACE_ID', name: 'Gadgets' } },
    {
      title: 'Bind a repository',
      body: { action: 'bind-repo', workspaceId: '$WORKSPACE_ID', repoUrl: 'https://git.example/acme/docs.git' },
    },
    {
      title: 'Archive, once seen what that ends',
      body: { action: 'archive', workspaceId: '$WORKSPACE_ID' },
      previewed: true,
    },
    { title: 'Restore', body: { action: 'restore', workspaceId: '$WORKSPACE_ID' } },
    {
      title: 'Delete, once seen what that deletes',
      body: { action: 'delete', workspaceId: '$WORKSPACE_ID' },
      previewed: true,
    },
  ],
  params: z.object({}),
  query: z.object({}),
  body: Action,
  output: z.object({
    workspace: workspaceView.optional(),
    repo: repoView.optional(),
    deleted: z.looseObject({ workspaceId: z.string() }).optional(),
  }),
  run(office, call) {
    // The router has parsed it with the schema above.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const [operation, input] = meant(call.input.body as z.output<typeof Action>)
    return operation.run(office, { ...call, input })
  },
}
