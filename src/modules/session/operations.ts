import { z } from 'zod'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { line, moment } from '../fields.ts'
import { agentEffects, changeOperation, readOperation, type WorkspaceChange } from '../office.ts'
import { requirePermission } from '../tenancy/roles.ts'
import { sessionEndNoted } from './events.ts'
import { liveSessions, sessionById, type NamedSession } from './store.ts'

const tag = 'Agents'
const workspaceId = z.string().min(1).max(64)

const shownSession = z.looseObject({
  id: z.string(),
  agentId: z.string(),
  user: z.string(),
  userId: z.string(),
  toolName: z.string(),
  repoId: z.string(),
  branch: z.string(),
  headSha: z.string(),
  joinedAt: moment,
  lastSeenAt: moment,
  status: z.string(),
  objective: z.string().nullable(),
})

export const listSessions = readOperation({
  name: 'listSessions',
  tag,
  title: 'List agents',
  description: 'The live sessions, by agentId. `objective` was written by the agent.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/sessions',
  permission: 'workspace.read',
  params: z.object({ workspaceId }),
  query: z.object({ cursor: z.string().max(64).optional() }),
  output: z.object({ sessions: z.array(shownSession), nextCursor: z.string().optional() }),
  async handle({ orm, ...view }, { query: { cursor = '' } }) {
    const all = await liveSessions(orm, view.workspaceId)
    const rest = all.filter(({ agentId }) => agentId > cursor)
    const page = rest.slice(0, LIMITS.itemsPerPage)
    const next = rest.length > page.length ? { nextCursor: page.at(-1)?.agentId ?? '' } : {}
    return { body: { sessions: page.map(viewOf), ...next } }
  },
})

export const endSessionOperation = changeOperation({
  name: 'endSession',
  tag,
  title: 'End an agent’s session',
  description:
    'Ends the session with its run and its claims, at once; the agent is told with its next call and may join again. ' +
    'Everybody may end their own agents. Previewed and confirmed.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId/sessions/:sessionId',
  permission: 'work',
  sensitive: true,
  examples: [{ title: 'Once seen what it holds', body: { reason: 'it hangs' }, previewed: true }],
  params: z.object({ workspaceId, sessionId: z.string().min(1).max(64) }),
  body: z.object({ reason: line(LIMITS.reasonChars).default('') }),
  output: z.object({ ended: z.object({ sessionId: z.string(), agentId: z.string() }) }),
  async effects(change, { params: { sessionId } }) {
    await endable(change, sessionId)
    return agentEffects(await change.agents({ sessionId }))
  },
  async handle(change, { params: { sessionId }, body: { reason } }) {
    const { ws, actor } = change
    const agentId = await endable(change, sessionId)
    await change.endAgents(await change.agents({ sessionId }), 'ended_by_admin')
    if (reason !== '') ws.append(sessionEndNoted, { sessionId, agentId, note: reason }, actor)
    return { body: { ended: { sessionId, agentId } } }
  },
})

/** @returns the agentId, if the caller may end it. @throws AppError NOT_FOUND, FORBIDDEN_ROLE */
async function endable({ ws, member, caller }: WorkspaceChange, sessionId: string): Promise<string> {
  const session = await sessionById(ws.tx, ws.workspaceId, sessionId)
  if (session === null || session.endedAt !== null) throw new AppError('NOT_FOUND')
  if (session.userId !== caller.userId) requirePermission(member.role, 'sessions.end')
  return session.agentId
}

function viewOf(session: NamedSession) {
  const {
    id,
    agentId,
    userName: user,
    userId,
    toolName,
    repoId,
    branch,
    headSha,
    joinedAt,
    lastSeenAt,
    state,
  } = session
  return {
    id,
    agentId,
    user,
    userId,
    toolName,
    repoId,
    branch,
    headSha,
    joinedAt: joinedAt.toISOString(),
    lastSeenAt: lastSeenAt.toISOString(),
    status: state?.status ?? 'active',
    objective: state?.objective ?? null,
  }
}
