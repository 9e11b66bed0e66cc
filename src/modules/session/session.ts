import type { Actor, Subject } from '../../journal/event.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import type { Alert } from './alert.ts'

export const STATUSES = ['active', 'idle', 'blocked', 'planning', 'handoff', 'done'] as const
export type Status = (typeof STATUSES)[number]

/** What a session published about itself. Untrusted text, cleaned and capped on the way in. */
export interface AgentState {
  readonly objective: string
  readonly footprint: readonly string[]
  readonly plan: readonly string[]
  readonly notes: string
  readonly completed: readonly string[]
  readonly status: Status
  readonly repo?: {
    readonly branch?: string
    readonly headSha?: string
    readonly dirty?: boolean
    readonly aheadBehind?: string
  }
  readonly publishedAt: string
}

/** One agent's verified presence in a workspace. */
export interface Session {
  readonly id: string
  readonly workspaceId: string
  readonly agentId: string
  readonly userId: string
  readonly grantId: string
  readonly toolName: string
  readonly repoId: string
  readonly branch: string
  readonly headSha: string
  readonly dirty: boolean
  readonly joinedAt: Date
  readonly lastSeenAt: Date
  readonly endedAt: Date | null
  readonly state: AgentState | null
  readonly alerts: readonly Alert[]
}

/** Why a session ended. */
export type EndReason =
  | 'idle'
  | 'grant_revoked'
  | 'ended_by_admin'
  | 'member_removed'
  | 'workspace_archived'
  | 'workspace_deleted'
  | 'repo_unbound'

/** Whether a sign of life at `now` is worth storing. */
export function needsSight(session: Pick<Session, 'lastSeenAt'>, now: Date): boolean {
  return now.getTime() - session.lastSeenAt.getTime() >= LIMITS.presenceSeconds * 1000
}

/** How long after it was last seen, as stored, a session idles out. */
export function idleMs(sessionIdleSeconds: number): number {
  return (sessionIdleSeconds + LIMITS.presenceSeconds) * 1000
}

export function actorOf(session: Pick<Session, 'id' | 'agentId' | 'userId'>): Actor {
  return { kind: 'agent', userId: session.userId, sessionId: session.id, agentId: session.agentId }
}

/** The family an agentId starts with: what the tool or client calls itself, as `[a-z0-9-]`, at most 24 characters. */
export function toolFamily(toolName: string): string {
  const base = toolName.replace(/\(.*$/su, '').toLowerCase()
  const slug = base.replace(/[^a-z0-9]+/gu, '-').replace(/^-+|-+$/gu, '')
  return slug.slice(0, 24).replace(/-+$/u, '') || 'agent'
}

export type JoinDecision = { readonly kind: 'create'; readonly agentId: string } | { readonly kind: 'resume' }

/**
 * What a join becomes. A caller's own agentId, live or ended not long ago, is resumed: the same session. A name that
 * belongs to somebody else is refused, also after that session ended: the journal must not name two people with it.
 *
 * @param named the session that has the asked-for agentId in this workspace, if any
 * @param freshId an agentId that nobody has, for callers that name none
 */
export function decideJoin(
  request: { agentId: string | undefined; userId: string },
  named: Pick<Session, 'userId'> | null,
  freshId: string,
): JoinDecision {
  if (request.agentId === undefined) return { kind: 'create', agentId: freshId }
  if (named === null) return { kind: 'create', agentId: request.agentId }
  if (named.userId !== request.userId)
    throw new AppError('AGENT_TAKEN', undefined, { details: { agentId: request.agentId } })
  return { kind: 'resume' }
}

/** Whether an event that somebody else, or time, made is about this session: its presence, its claims or its state. */
export function touchesSession(actor: Actor, subject: Subject, sessionId: string): boolean {
  const mine = actor.kind === 'agent' && actor.sessionId === sessionId
  return !mine && subject.sessionId === sessionId
}
