import { randomBytes } from 'node:crypto'
import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding'
import type { Founding, WorkspaceTx } from '../../journal/journal.ts'
import { AppError } from '../../kernel/errors.ts'
import { newId } from '../../kernel/ids.ts'
import { LIMITS } from '../../kernel/limits.ts'
import type { Principal } from '../../kernel/principal.ts'
import { alert } from './alert.ts'
import { sessionJoined, sessionResumed } from './events.ts'
import { actorOf, decideJoin, toolFamily, type Session } from './session.ts'
import { checkBound } from '../tenancy/founding.ts'
import { countLiveSessions, countLiveSessionsOfGrant, insertSession, saveSession, sessionByAgentId } from './store.ts'

export interface Joining {
  readonly principal: Principal
  readonly agentId: string | undefined
  readonly toolName: string | undefined
  readonly repoId: string
  readonly branch: string
  readonly headSha: string
  readonly dirty: boolean
}

/** Creates or resumes the caller's session in a workspace that is locked and whose member the caller is. */
export async function joinSession(
  ws: WorkspaceTx<Founding>,
  joining: Joining,
): Promise<{ session: Session; resumed: boolean }> {
  const toolName = joining.toolName ?? joining.principal.clientName
  const named = joining.agentId === undefined ? null : await sessionByAgentId(ws.tx, ws.workspaceId, joining.agentId)
  const freshId = joining.agentId === undefined ? await freshAgentId(ws, toolFamily(toolName)) : ''
  const decision = decideJoin({ agentId: joining.agentId, userId: joining.principal.userId }, named, freshId)
  const here = { repoId: joining.repoId, branch: joining.branch, headSha: joining.headSha, dirty: joining.dirty }
  if (decision.kind === 'resume' && named !== null) return { session: resume(ws, named, joining, here), resumed: true }

  if ((await countLiveSessionsOfGrant(ws.tx, joining.principal.grantId)) >= LIMITS.sessionsPerGrant) {
    throw new AppError('SESSION_LIMIT')
  }
  checkBound('agents', await countLiveSessions(ws.tx, ws.workspaceId), LIMITS.sessionsPerWorkspace)
  const session: Session = {
    ...here,
    id: newId('ses'),
    workspaceId: ws.workspaceId,
    agentId: decision.kind === 'create' ? decision.agentId : freshId,
    userId: joining.principal.userId,
    grantId: joining.principal.grantId,
    toolName,
    joinedAt: ws.now,
    lastSeenAt: ws.now,
    endedAt: null,
    state: null,
    alerts: [],
  }
  ws.write((tx) => insertSession(tx, session))
  appendJoined(ws, session, false)
  return { session, resumed: false }
}

/** The same session, now speaking through this grant. One that had ended is live again; its claims stay ended. */
function resume(ws: WorkspaceTx, named: Session, joining: Joining, here: Partial<Session>): Session {
  const idleSeconds = Math.floor((ws.now.getTime() - named.lastSeenAt.getTime()) / 1000)
  const inUse = named.endedAt === null && idleSeconds < LIMITS.inUseSeconds
  const session: Session = {
    ...named,
    ...here,
    grantId: joining.principal.grantId,
    toolName: joining.toolName ?? named.toolName,
    lastSeenAt: ws.now,
    endedAt: null,
    alerts: inUse ? [...named.alerts, alert('SESSION_IN_USE', ws.now, { idleSeconds })] : named.alerts,
  }
  ws.write((tx) => saveSession(tx, session))
  if (named.endedAt === null) {
    const { id, agentId, branch, headSha } = session
    ws.append(sessionResumed, { sessionId: id, agentId, branch, headSha }, actorOf(session))
  } else {
    appendJoined(ws, session, true)
  }
  return session
}

function appendJoined(ws: WorkspaceTx, session: Session, resumed: boolean): void {
  const { id, agentId, userId, toolName, repoId, branch, headSha } = session
  ws.append(
    sessionJoined,
    { sessionId: id, agentId, userId, toolName, repoId, branch, headSha, resumed },
    actorOf(session),
  )
}

/** `<family>-<4 base32 characters>`: a million names a family, so a second try is rare and a sixth is a bug. */
async function freshAgentId(ws: WorkspaceTx, family: string): Promise<string> {
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const agentId = `${family}-${encodeBase32LowerCaseNoPadding(randomBytes(3)).slice(0, 4)}`
    if ((await sessionByAgentId(ws.tx, ws.workspaceId, agentId)) === null) return agentId
  }
  throw new Error(`no free agentId for family ${family}`)
}
