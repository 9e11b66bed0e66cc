import { z } from 'zod'
import { sha256 } from '../../kernel/canonical.ts'
import { AppError } from '../../kernel/errors.ts'
import { newId, newSecret } from '../../kernel/ids.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { callerActor, entry } from '../audit/entry.ts'
import { record } from '../audit/store.ts'
import { moment, whole } from '../fields.ts'
import { changeOperation, personalOperation, readOperation, requireUnbound } from '../office.ts'
import { inviteAccepted, inviteMade, inviteRevoked, memberAdded } from './events.ts'
import { checkBound } from './founding.ts'
import { checkAcceptable, inviteState, type Invite } from './invite.ts'
import { checkRoleChange } from './roles.ts'
import {
  inviteById,
  inviteLink,
  insertInvite,
  invitesOf,
  joinByInvite,
  personById,
  revokeInvite,
} from './invite-store.ts'
import { countMembers, countMemberships, memberOf, membershipOf } from './store.ts'
import { ROLES } from './tenancy.ts'
import { showWorkspace, workspaceView } from './workspace-view.ts'

const tag = 'Invitations'
const workspaceId = z.string().min(1).max(64)
const params = z.object({ workspaceId })

const inviteView = z.object({
  id: z.string(),
  role: z.enum(ROLES),
  email: z.string().nullable(),
  state: z.enum(['open', 'used_up', 'expired', 'revoked']),
  maxUses: whole,
  uses: whole,
  createdBy: z.string(),
  createdAt: moment,
  expiresAt: moment,
})

export const listInvites = readOperation({
  name: 'listInvites',
  tag,
  title: 'List invitations',
  description: 'The newest first, those that are over too. Their links are shown once, when they are made.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/invites',
  permission: 'invites.manage',
  params,
  output: z.object({ invites: z.array(inviteView) }),
  async handle({ orm, workspaceId: id, now }) {
    return { body: { invites: (await invitesOf(orm, id)).map((invite) => viewOf(invite, now)) } }
  },
})

export const createInvite = changeOperation({
  name: 'createInvite',
  tag,
  title: 'Invite somebody',
  description:
    'Makes a link that lets whoever opens and accepts it join with a role; with `email`, only the person who has an ' +
    'account with that address. Nobody invites to a role as high as their own, but owners.',
  method: 'POST',
  path: '/api/workspaces/:workspaceId/invites',
  permission: 'invites.manage',
  sensitive: true,
  statuses: [201],
  examples: [{ title: 'A link for one person', body: { role: 'member', email: 'bob@example.org' } }],
  params,
  body: z.object({
    role: z.enum(ROLES).default('member'),
    email: z
      .email()
      .max(254)
      .transform((email) => email.toLowerCase())
      .optional(),
    maxUses: z.number().int().min(1).max(LIMITS.inviteUses).default(1),
    expiresInSeconds: z.number().int().min(60).max(LIMITS.inviteMaxSeconds).default(LIMITS.inviteDefaultSeconds),
  }),
  output: z.object({ invite: inviteView, link: z.string().describe('Below the public address; shown this once') }),
  async handle({ ws, actor, member, caller }, { body }) {
    checkRoleChange(member.role, null, body.role)
    const open = (await invitesOf(ws.tx, ws.workspaceId)).filter((invite) => inviteState(invite, ws.now) === 'open')
    checkBound('open invitations', open.length, LIMITS.invitesPerWorkspace)
    const secret = newSecret('ork_inv_')
    const invite: Invite = {
      id: newId('inv'),
      role: body.role,
      email: body.email ?? null,
      maxUses: body.maxUses,
      uses: 0,
      createdBy: caller.userId,
      createdAt: ws.now,
      expiresAt: new Date(ws.now.getTime() + body.expiresInSeconds * 1_000),
      revokedAt: null,
    }
    const expiresAt = invite.expiresAt.toISOString()
    ws.append(inviteMade, { inviteId: invite.id, role: invite.role, maxUses: invite.maxUses, expiresAt }, actor)
    ws.writeInSteps((tx) => insertInvite(tx, ws.workspaceId, invite, secretHash(secret)))
    return {
      body: { invite: viewOf(invite, ws.now), link: `/invite/${secret}` },
      createdAt: `/api/workspaces/${ws.workspaceId}/invites/${invite.id}`,
    }
  },
})

export const deleteInvite = changeOperation({
  name: 'revokeInvite',
  tag,
  title: 'Take an invitation back',
  description: 'Its link lets nobody in any more. Who came in with it stays.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId/invites/:inviteId',
  permission: 'invites.manage',
  sensitive: true,
  params: z.object({ workspaceId, inviteId: z.string().min(1).max(64) }),
  output: z.object({ invite: inviteView }),
  async handle({ ws, actor }, { params: { inviteId } }) {
    const invite = await inviteById(ws.tx, ws.workspaceId, inviteId)
    if (invite === null) throw new AppError('NOT_FOUND')
    if (invite.revokedAt === null) {
      ws.append(inviteRevoked, { inviteId }, actor)
      ws.writeInSteps((tx) => revokeInvite(tx, ws.workspaceId, inviteId, ws.now))
    }
    return { body: { invite: viewOf({ ...invite, revokedAt: invite.revokedAt ?? ws.now }, ws.now) } }
  },
})

export const acceptInvite = personalOperation({
  name: 'acceptInvite',
  tag,
  title: 'Accept an invitation',
  description: 'With the secret that a link ends with. The caller becomes a member, at once.',
  method: 'POST',
  path: '/api/invites/accept',
  access: 'write',
  sensitive: true,
  gone: true,
  examples: [{ title: 'With the end of the link', body: { secret: '$INVITE_SECRET' } }],
  params: z.object({}),
  body: z.object({ secret: z.string().min(1).max(100) }),
  output: z.object({ workspace: workspaceView }),
  async handle({ caller, database, journal, keep }, { body }) {
    requireUnbound(caller)
    const { userId } = caller
    const [link, person] = await database.query((orm) =>
      Promise.all([inviteLink(orm, secretHash(body.secret)), personById(orm, userId)]),
    )
    if (link === null || person === null) throw new AppError('INVITE_INVALID')
    return journal.change({ workspace: link.leadsTo, user: userId }, async (ws) => {
      const invite = await inviteById(ws.tx, ws.workspaceId, link.inviteId)
      const inviter = invite === null ? null : await memberOf(ws.tx, ws.workspaceId, invite.createdBy)
      const { id: inviteId, role } = checkAcceptable(invite, person, inviter?.role ?? null, ws.now)
      if ((await memberOf(ws.tx, ws.workspaceId, userId)) !== null) throw new AppError('ALREADY_MEMBER')
      checkBound('members', await countMembers(ws.tx, ws.workspaceId), LIMITS.membersPerWorkspace)
      checkBound('workspaces of a person', await countMemberships(ws.tx, userId), LIMITS.workspacesPerUser)
      ws.append(inviteAccepted, { inviteId, userId, role }, { kind: 'user', userId })
      ws.append(memberAdded, { userId, role }, { kind: 'user', userId })
      ws.writeInSteps((tx) => joinByInvite(tx, ws.workspaceId, inviteId, { userId, role, now: ws.now }))
      await ws.flush()
      const membership = { workspaceId: ws.workspaceId, userId, role, how: 'invited' } as const
      ws.atEnd((tx) => record(tx, [entry(userId, 'membership.began', membership, callerActor(caller))]))
      const answer = showWorkspace(await membershipOf(ws.tx, ws.workspaceId, userId))
      await keep(ws.tx, answer, ws.now)
      return answer
    })
  },
})

/** In the form in which secrets are stored. */
export function secretHash(secret: string): string {
  return sha256(secret).toString('hex')
}

function viewOf(invite: Invite, now: Date) {
  const { id, role, email, maxUses, uses, createdBy, createdAt, expiresAt } = invite
  return {
    id,
    role,
    email,
    state: inviteState(invite, now),
    maxUses,
    uses,
    createdBy,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }
}
