import type { Database, OfUser, Scoped } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import type { Journal } from '../journal/journal.ts'
import { endSession } from './index.ts'
import { liveSessionCounts, liveSessionsBy, liveSessionsOfGrant, sessionById } from './session/store.ts'
import { secretHash } from './tenancy/invite-operations.ts'
import { inviteById, inviteLink } from './tenancy/invite-store.ts'
import { isAcceptable } from './tenancy/invite.ts'
import { memberOf, membershipsOf, namedMember } from './tenancy/store.ts'
import type { Role } from './tenancy/tenancy.ts'
import type { Membership } from './tenancy/repository.ts'

/** What pages and sign-in need of the workspaces, outside of any call. */
export interface Directory {
  /** The person's workspaces, oldest first, without the archived ones. */
  list(userId: string): Promise<Membership[]>
  /** What an invitation says to this person; null where its link lets them in nowhere. */
  invitation(secret: string, person: { email: string }): Promise<Invitation | null>
  /** How many live sessions came from each of a person's grants; those without any are left out. */
  agentsOf(userId: string, grantIds: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Those sessions. */
  agentsBy(orm: Scoped<OfUser>, grantIds: readonly string[]): ReturnType<typeof liveSessionsBy>
  /** Ends every session that came from a person's grant, with its run and claims. */
  endSessionsOfGrant(grantId: string, userId: string): Promise<void>
}

/** A way into a workspace, as somebody sees it who holds its link. */
export interface Invitation {
  readonly workspaceName: string
  readonly role: Role
  readonly invitedBy: string
}

export function createDirectory({ database, journal }: { database: Database; journal: Journal }): Directory {
  async function endSessionOfGrant(workspaceId: string, id: string, grantId: string): Promise<void> {
    await journal.change({ workspace: workspaceId }, async (ws) => {
      const session = await sessionById(ws.tx, workspaceId, id)
      // It may have ended, or moved to another grant, since it was listed.
      if (session === null || session.endedAt !== null || session.grantId !== grantId) return
      await endSession(ws, session, 'grant_revoked', { kind: 'user', userId: session.userId })
    })
  }

  return {
    list: (userId) => database.read({ user: userId }, (orm) => membershipsOf(orm, userId)),

    async invitation(secret, person) {
      const link = await database.query((orm) => inviteLink(orm, secretHash(secret)))
      if (link === null) return null
      const { leadsTo: workspaceId, inviteId } = link
      return database.read({ workspace: workspaceId }, async (orm) => {
        const invite = await inviteById(orm, workspaceId, inviteId)
        const inviter = invite === null ? null : await namedMember(orm, workspaceId, invite.createdBy)
        const member = inviter === null ? null : await memberOf(orm, workspaceId, inviter.userId)
        if (invite === null || inviter === null || member === null) return null
        if (!isAcceptable(invite, person, member.role, await databaseNow(orm))) return null
        return { workspaceName: member.workspaceName, role: invite.role, invitedBy: inviter.name }
      })
    },

    agentsOf: (userId, grantIds) => database.read({ user: userId }, (orm) => liveSessionCounts(orm, grantIds)),

    agentsBy: liveSessionsBy,

    async endSessionsOfGrant(grantId, userId) {
      const list = () => database.read({ user: userId }, (orm) => liveSessionsOfGrant(orm, grantId))
      // Resuming may have brought a grant more sessions than it could begin, which is as many as are listed at a time.
      for (let live = await list(); live.length > 0; live = await list()) {
        for (const { id, workspaceId } of live) await endSessionOfGrant(workspaceId, id, grantId)
      }
    },
  }
}
