import type { InWorkspace, OfUser } from '../db/client.ts'
import type { Actor } from '../journal/event.ts'
import type { WorkspaceTx } from '../journal/journal.ts'
import type { Caller } from '../kernel/operation.ts'
import { liveClaims } from './claim/store.ts'
import { endSession, modules } from './index.ts'
import type { LiveAgent, WhichAgents, WorkspaceChange } from './office.ts'
import { liveSessions, sessionById } from './session/store.ts'
import type { Member } from './tenancy/tenancy.ts'

/** A locked workspace with what operations do across modules: end agents, count and delete everything. */
export function workspaceChange(
  caller: Caller,
  member: Member,
  ws: WorkspaceTx<InWorkspace & OfUser>,
): WorkspaceChange {
  const { workspaceId } = ws
  const actor: Actor = { kind: 'user', userId: caller.userId }
  return {
    caller,
    member,
    ws,
    actor,
    agents: (which) => liveAgents(ws, which),
    async endAgents(agents, reason) {
      for (const { sessionId } of agents) {
        const session = await sessionById(ws.tx, workspaceId, sessionId)
        if (session !== null && session.endedAt === null) await endSession(ws, session, reason, actor)
      }
    },
    async inventory() {
      const counts = await Promise.all(
        modules.map(async (module) => (await module.inventory?.(ws.tx, workspaceId)) ?? {}),
      )
      return Object.fromEntries(counts.flatMap((count) => Object.entries(count)))
    },
    async erase() {
      for (const module of modules.toReversed()) {
        ws.writeInSteps(async (tx) => module.erase?.(tx, workspaceId, ws.now))
      }
      await ws.flush()
      ws.erase()
    },
  }
}

async function liveAgents(ws: WorkspaceTx, { userId, repoId, sessionId }: WhichAgents): Promise<LiveAgent[]> {
  const [sessions, claims] = await Promise.all([liveSessions(ws.tx, ws.workspaceId), liveClaims(ws.tx, ws.workspaceId)])
  const wanted = sessions.filter(
    (session) =>
      session.userId === (userId ?? session.userId) &&
      session.repoId === (repoId ?? session.repoId) &&
      session.id === (sessionId ?? session.id),
  )
  return wanted.map(({ id, agentId, userName }) => ({
    sessionId: id,
    agentId,
    user: userName,
    claims: claims
      .filter((claim) => claim.sessionId === id)
      .map((claim) => ({ claimId: claim.id, paths: claim.patterns.map((pattern) => pattern.display) })),
  }))
}
