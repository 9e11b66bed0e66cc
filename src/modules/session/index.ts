/**
 * Sessions: one agent's verified presence in a workspace.
 *
 * A session is bound to its person and to the grant that its token came from; anybody else's handle behaves like one
 * that does not exist. It ends by idling past the policy's sessionIdleSeconds, or with its grant; ending takes its run
 * and claims along, each with its event. An agentId names one session of the workspace for good, so the journal never
 * means two agents by one name.
 */
import type { Actor } from '../../journal/event.ts'
import type { WorkspaceTx } from '../../journal/journal.ts'
import { SYSTEM } from '../../journal/event.ts'
import type { EndSession, Module } from '../module.ts'
import { policyOf } from '../tenancy/store.ts'
import { sessionEnded, sessionEndNoted, sessionJoined, sessionResumed } from './events.ts'
import { endSessionOperation, listSessions } from './operations.ts'
import { idleMs, type EndReason, type Session } from './session.ts'
import { earliestLastSeen, eraseSessions, liveSessions, markEnded, sessionsSeenBefore } from './store.ts'
import { joinWorkspace } from './tools.ts'

/** The session's own part of ending: the row and the event. Modules that hang on sessions come first (modules/index.ts). */
export function endOwnSession(ws: WorkspaceTx, session: Session, reason: EndReason, actor: Actor): void {
  ws.append(sessionEnded, { sessionId: session.id, agentId: session.agentId, reason }, actor)
  ws.write((tx) => markEnded(tx, session, reason, ws.now))
}

async function expire(ws: WorkspaceTx, endSession: EndSession): Promise<Date | null> {
  const idle = idleMs((await policyOf(ws.tx, ws.workspaceId)).sessionIdleSeconds)
  for (const session of await sessionsSeenBefore(ws.tx, ws.workspaceId, new Date(ws.now.getTime() - idle))) {
    await endSession(ws, session, 'idle', SYSTEM)
  }
  await ws.flush()
  const oldest = await earliestLastSeen(ws.tx, ws.workspaceId)
  return oldest === null ? null : new Date(oldest.getTime() + idle)
}

export const session: Module = {
  name: 'session',
  tools: [joinWorkspace],
  operations: [listSessions, endSessionOperation],
  events: [sessionJoined, sessionResumed, sessionEnded, sessionEndNoted],
  expire,
  inventory: async (orm, workspaceId) => ({ agents: (await liveSessions(orm, workspaceId)).length }),
  erase: eraseSessions,
}
