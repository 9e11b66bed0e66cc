import type { Database } from '../db/client.ts'
import { exportEvent, type ExportedEvent } from '../journal/event.ts'
import type { Journal } from '../journal/journal.ts'
import { AppError } from '../kernel/errors.ts'
import { createWorkspace } from './entrance.ts'
import { endSession } from './index.ts'
import { liveSessionsOfGrant, sessionById } from './session/store.ts'
import { memberOf, membershipsOf, setActiveWorkspace } from './tenancy/store.ts'
import type { Membership } from './tenancy/repository.ts'

/** What people do with workspaces, outside of any agent's session. */
export interface Directory {
  /** The person's workspaces, oldest first. */
  list(userId: string): Promise<Membership[]>
  /** A new workspace, owned by and active for the person. */
  create(userId: string, name: string): Promise<Membership>
  /** Makes a workspace the active one. @throws AppError WORKSPACE_NOT_FOUND */
  activate(userId: string, workspaceId: string): Promise<Membership>
  /** A page of the journal. @throws AppError WORKSPACE_NOT_FOUND for everybody who is no member */
  events(userId: string, workspaceId: string, after: number, limit: number): Promise<ExportedEvent[]>
  /** The journal after a position and on, as Journal.subscribe; the caller checks membership, at the start and again. */
  follow(workspaceId: string, after: number, signal: AbortSignal): AsyncIterable<ExportedEvent[]>
  /** @throws AppError WORKSPACE_NOT_FOUND for everybody who is no member */
  checkMember(userId: string, workspaceId: string): Promise<void>
  /** Ends every session that came from a grant, with its run and claims. */
  endSessionsOfGrant(grantId: string): Promise<void>
}

export function createDirectory(deps: { database: Database; journal: Journal }): Directory {
  const { database, journal } = deps
  const list = (userId: string) => database.query((orm) => membershipsOf(orm, userId))

  async function membership(userId: string, workspaceId: string): Promise<Membership> {
    const found = (await list(userId)).find((candidate) => candidate.workspaceId === workspaceId)
    if (found === undefined) throw new AppError('WORKSPACE_NOT_FOUND')
    return found
  }

  async function checkMember(userId: string, workspaceId: string): Promise<void> {
    const member = await database.query((orm) => memberOf(orm, workspaceId, userId))
    if (member === null) throw new AppError('WORKSPACE_NOT_FOUND')
  }

  return {
    list,

    async create(userId, name) {
      const id = await journal.found(async (tx, begin) => {
        const { ws } = await createWorkspace(tx, begin, { ownerId: userId, name })
        return ws.workspaceId
      })
      return membership(userId, id)
    },

    async activate(userId, workspaceId) {
      const found = await membership(userId, workspaceId)
      await database.query((orm) => setActiveWorkspace(orm, userId, workspaceId))
      return { ...found, active: true }
    },

    async events(userId, workspaceId, after, limit) {
      await checkMember(userId, workspaceId)
      return (await journal.read(workspaceId, after, limit)).map(exportEvent)
    },

    async *follow(workspaceId, after, signal) {
      for await (const batch of journal.subscribe(workspaceId, after, signal)) yield batch.map(exportEvent)
    },

    checkMember,

    async endSessionsOfGrant(grantId) {
      const live = await database.query((orm) => liveSessionsOfGrant(orm, grantId))
      for (const { id, workspaceId } of live) {
        await journal.change(workspaceId, async (ws) => {
          const session = await sessionById(ws.tx, workspaceId, id)
          // It may have ended, or moved to another grant, since it was listed.
          if (session === null || session.endedAt !== null || session.grantId !== grantId) return
          await endSession(ws, session, 'grant_revoked', { kind: 'user', userId: session.userId })
        })
      }
    },
  }
}
