import { z } from 'zod'
import { AppError } from '../../kernel/errors.ts'
import { agentEffects, changeOperation, readOperation, type WorkspaceChange } from '../office.ts'
import { callerActor, entriesOfBoth } from '../audit/entry.ts'
import { record } from '../audit/store.ts'
import { moment } from '../fields.ts'
import { memberChanged, memberRemoved } from './events.ts'
import { checkOwnerStays, checkRoleChange, may } from './roles.ts'
import { countOwners, deleteMember, membersOf, namedMember, setRole, type NamedMember } from './store.ts'
import { ROLES, type Role } from './tenancy.ts'

const tag = 'Members'
const workspaceId = z.string().min(1).max(64)
const params = z.object({ workspaceId, userId: z.string().min(1).max(64) })

const memberView = z.object({
  userId: z.string(),
  name: z.string(),
  email: z.string().optional().describe('Shown to those who manage members, and of oneself'),
  role: z.enum(ROLES),
  joinedAt: moment,
  me: z.boolean(),
})

export const listMembers = readOperation({
  name: 'listMembers',
  tag,
  title: 'List members',
  description: 'Everybody in the workspace, with their roles.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/members',
  permission: 'workspace.read',
  params: z.object({ workspaceId }),
  output: z.object({ members: z.array(memberView) }),
  async handle({ orm, member, caller, ...view }) {
    const members = await membersOf(orm, view.workspaceId)
    return { body: { members: members.map((one) => viewOf(one, caller.userId, member.role)) } }
  },
})

export const changeMember = changeOperation({
  name: 'changeMember',
  tag,
  title: 'Change a role',
  description:
    'Gives a member another role. Admins change lower roles than their own, owners all of them; the last owner stays owner.',
  method: 'PATCH',
  path: '/api/workspaces/:workspaceId/members/:userId',
  permission: 'members.manage',
  sensitive: true,
  examples: [{ title: 'Make somebody an admin', body: { role: 'admin' } }],
  params,
  body: z.object({ role: z.enum(ROLES) }),
  output: z.object({ member: memberView }),
  async handle(change, { params: { userId }, body: { role } }) {
    const { ws, member: mine, caller } = change
    const target = await found(change, userId)
    checkRoleChange(mine.role, target.role, role)
    checkOwnerStays(target.role, role, await countOwners(ws.tx, ws.workspaceId))
    if (role !== target.role) give(change, [[target, role]])
    return { body: { member: viewOf({ ...target, role }, caller.userId, mine.role) } }
  },
})

export const removeMember = changeOperation({
  name: 'removeMember',
  tag,
  title: 'Remove a member, or leave',
  description:
    'Ends the membership at once, with all of the person’s agents and their claims. With one’s own userId: leaves. The ' +
    'last owner can not leave.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId/members/:userId',
  permission: 'workspace.read',
  sensitive: true,
  params,
  output: z.object({ removed: z.object({ userId: z.string(), reason: z.enum(['left', 'removed']) }) }),
  async effects(change, { params: { userId } }) {
    const target = await leaving(change, userId)
    return {
      member: { userId, name: target.name, role: target.role },
      ...agentEffects(await change.agents({ userId })),
    }
  },
  async handle(change, { params: { userId } }) {
    const { ws, caller, actor } = change
    const { role } = await leaving(change, userId)
    const reason = userId === caller.userId ? 'left' : 'removed'
    await change.endAgents(await change.agents({ userId }), 'member_removed')
    ws.append(memberRemoved, { userId, role, reason }, actor)
    ws.writeInSteps((tx) => deleteMember(tx, ws.workspaceId, userId))
    const ended = { workspaceId: ws.workspaceId, userId, role, reason } as const
    ws.atEnd((tx) => record(tx, entriesOfBoth(userId, 'membership.ended', ended, callerActor(caller))))
    return { body: { removed: { userId, reason } } }
  },
})

export const transferOwnership = changeOperation({
  name: 'transferOwnership',
  tag,
  title: 'Transfer ownership',
  description: 'Makes another member an owner, and the caller an admin.',
  method: 'POST',
  path: '/api/workspaces/:workspaceId/ownership',
  permission: 'equals.manage',
  sensitive: true,
  examples: [{ title: 'Hand the workspace over', body: { userId: '$USER_ID' } }],
  params: z.object({ workspaceId }),
  body: z.object({ userId: z.string().min(1).max(64) }),
  output: z.object({ members: z.array(memberView) }),
  async handle(change, { body: { userId } }) {
    const { ws, caller } = change
    const [mine, target] = await Promise.all([found(change, caller.userId), found(change, userId)])
    if (userId !== caller.userId) {
      give(change, [...(target.role === 'owner' ? [] : [[target, 'owner'] as const]), [mine, 'admin']])
    }
    await ws.flush()
    const members = await membersOf(ws.tx, ws.workspaceId)
    return { body: { members: members.map((one) => viewOf(one, caller.userId, 'admin')) } }
  },
})

/** @throws AppError NOT_FOUND */
async function found({ ws }: WorkspaceChange, userId: string): Promise<NamedMember> {
  const target = await namedMember(ws.tx, ws.workspaceId, userId)
  if (target === null) throw new AppError('NOT_FOUND')
  return target
}

/** The member, if the caller may end that membership. Leaving needs nobody's permission. */
async function leaving(change: WorkspaceChange, userId: string): Promise<NamedMember> {
  const target = await found(change, userId)
  if (userId !== change.caller.userId) checkRoleChange(change.member.role, target.role, null)
  checkOwnerStays(target.role, null, await countOwners(change.ws.tx, change.ws.workspaceId))
  return target
}

/** Gives members other roles. */
function give({ ws, actor, caller }: WorkspaceChange, roles: readonly (readonly [NamedMember, Role])[]): void {
  const entries = roles.flatMap(([{ userId, role: from }, to]) => {
    ws.append(memberChanged, { userId, from, to }, actor)
    ws.write((tx) => setRole(tx, ws.workspaceId, userId, to))
    const changed = { workspaceId: ws.workspaceId, userId, from, to }
    return entriesOfBoth(userId, 'role.changed', changed, callerActor(caller))
  })
  ws.atEnd((tx) => record(tx, entries))
}

function viewOf({ userId, name, email, role, joinedAt }: NamedMember, me: string, mine: Role) {
  const seesAddress = userId === me || may(mine, 'members.manage')
  return { userId, name, ...(seesAddress ? { email } : {}), role, joinedAt: joinedAt.toISOString(), me: userId === me }
}
