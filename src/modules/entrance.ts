import type { Database, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import type { Actor } from '../journal/event.ts'
import type { Journal, WorkspaceTx } from '../journal/journal.ts'
import { AppError } from '../kernel/errors.ts'
import { newId } from '../kernel/ids.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal } from '../kernel/principal.ts'
import { liveClaimsOfSession } from './claim/store.ts'
import type { Call } from './call.ts'
import { joinSession } from './session/join.ts'
import { pendingAlerts, type Session } from './session/session.ts'
import { lastSessionOf, liveSessionsOfGrant, sessionById } from './session/store.ts'
import type { JoinInput } from './session/tools.ts'
import { memberAdded, repoBound, workspaceCreated } from './tenancy/events.ts'
import { canonicalRemote } from './tenancy/remote.ts'
import { chooseWorkspace, findRepo, type Membership, type RepoIdentity, type Repo } from './tenancy/repository.ts'
import { insertRepo, insertWorkspace, lockUser, memberOf, membershipsOf, reposOf } from './tenancy/store.ts'
import { DEFAULT_POLICY, type Member } from './tenancy/tenancy.ts'
import { liveRunOfSession } from './workflow/store.ts'

/** How a call gets from "who is calling" to a locked workspace and the caller's own things in it. */
export interface Entrance {
  /**
   * For every tool but join_workspace: finds the session that speaks.
   *
   * @throws AppError NOT_JOINED, or AGENT_AMBIGUOUS with the candidates where one sign-in has several sessions
   */
  bySession<T>(principal: Principal, agentId: string | undefined, work: (call: Call) => Promise<T>): Promise<T>
  /** For join_workspace: chooses or creates the workspace, and creates or resumes the session. */
  byJoin<T>(principal: Principal, input: JoinInput, work: (call: Call) => Promise<T>): Promise<T>
}

export function createEntrance(deps: { database: Database; journal: Journal; log: Log }): Entrance {
  const { database, journal, log } = deps
  return {
    async bySession(principal, agentId, work) {
      const { workspaceId, id } = await findSession(database, principal, agentId)
      return journal.change(workspaceId, async (ws) => {
        const [session, member] = await Promise.all([
          sessionById(ws.tx, workspaceId, id),
          memberOf(ws.tx, workspaceId, principal.userId),
        ])
        // Looked up before the lock was taken, so it may have ended since.
        if (session === null || session.endedAt !== null || session.grantId !== principal.grantId || member === null) {
          throw new AppError('NOT_JOINED')
        }
        return work(await openCall({ principal, ws, member, session, resumed: true, log }))
      })
    },

    async byJoin(principal, input, work) {
      const identity = repoIdentity(input)
      const memberships = await database.query((orm) => membershipsOf(orm, principal.userId))
      const target = chooseWorkspace(memberships, identity, input.workspaceId)
      if (target.kind === 'new') {
        const first = await firstJoin(journal, principal, identity, (ws, member, repo) =>
          enter(ws, { principal, input, member, repo, log }, work),
        )
        if ('result' in first) return first.result
        return join(journal, { principal, input, identity, membership: first.membership, log }, work)
      }
      return join(journal, { principal, input, identity, membership: target.membership, log }, work)
    },
  }
}

/** Joins a workspace that exists, and binds the repository where the workspace has none and the caller may decide. */
async function join<T>(
  journal: Journal,
  joining: { principal: Principal; input: JoinInput; identity: RepoIdentity; membership: Membership; log: Log },
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const { principal, identity, membership } = joining
  return journal.change(membership.workspaceId, async (ws) => {
    const [member, repos] = await Promise.all([
      memberOf(ws.tx, ws.workspaceId, principal.userId),
      reposOf(ws.tx, ws.workspaceId),
    ])
    if (member === null) throw new AppError('WORKSPACE_NOT_FOUND')
    // Decided once more under the lock: another join may have bound a repository meanwhile.
    const current = { ...membership, role: member.role, repos }
    chooseWorkspace([current], identity, ws.workspaceId)
    const repo = findRepo(repos, identity) ?? bindRepo(ws, identity, { kind: 'user', userId: principal.userId })
    return enter(ws, { ...joining, member, repo }, work)
  })
}

/**
 * Creates the first workspace of somebody who has none. Two first joins of one person wait for each other, and the
 * second finds the first one's workspace.
 */
async function firstJoin<T>(
  journal: Journal,
  principal: Principal,
  identity: RepoIdentity,
  work: (ws: WorkspaceTx, member: Member, repo: Repo) => Promise<T>,
): Promise<{ result: T } | { membership: Membership }> {
  return journal.found(async (tx, begin) => {
    await lockUser(tx, principal.userId)
    const target = chooseWorkspace(await membershipsOf(tx, principal.userId), identity, undefined)
    if (target.kind === 'existing') return { membership: target.membership }
    const { ws, member } = await createWorkspace(tx, begin, { ownerId: principal.userId, name: target.name })
    const repo = bindRepo(ws, identity, { kind: 'user', userId: principal.userId })
    return { result: await work(ws, member, repo) }
  })
}

/** Starts a workspace and its journal; the creator is its owner and is in it from now on. */
export async function createWorkspace(
  tx: Tx,
  begin: (workspaceId: string, now: Date) => Promise<WorkspaceTx>,
  request: { ownerId: string; name: string },
): Promise<{ ws: WorkspaceTx; member: Member }> {
  const { ownerId, name } = request
  const id = newId('ws')
  const now = await databaseNow(tx)
  const ws = await begin(id, now)
  const owner: Actor = { kind: 'user', userId: ownerId }
  ws.append(workspaceCreated, { workspaceId: id, name }, owner)
  ws.append(memberAdded, { userId: ownerId, role: 'owner' }, owner)
  ws.write((write) => insertWorkspace(write, { id, name, ownerId, now }))
  return { ws, member: { role: 'owner', workspaceName: name, policy: DEFAULT_POLICY } }
}

function bindRepo(ws: WorkspaceTx, identity: RepoIdentity, actor: Actor): Repo {
  const repo = { id: newId('rep'), ...identity }
  ws.append(repoBound, { repoId: repo.id, ...identity }, actor)
  ws.write((tx) => insertRepo(tx, ws.workspaceId, repo, ws.now))
  return repo
}

async function enter<T>(
  ws: WorkspaceTx,
  joining: { principal: Principal; input: JoinInput; member: Member; repo: Repo; log: Log },
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const { principal, input, member, repo, log } = joining
  const { branch, headSha, dirty } = input.gitContext
  const { agentId, toolName } = input
  const here = { principal, agentId, toolName, repoId: repo.id, branch, headSha, dirty }
  const { session, resumed } = await joinSession(ws, here)
  // The session's row and the binding must be there before the rest is read, and nothing after this refuses a join.
  await ws.flush()
  ws.dueAt(new Date(ws.now.getTime() + member.policy.sessionIdleSeconds * 1000))
  return work(await openCall({ principal, ws, member, session, resumed, log }))
}

async function openCall(opening: Omit<Call, 'claims' | 'run'>): Promise<Call> {
  const { ws, session } = opening
  const [claims, run] = await Promise.all([
    liveClaimsOfSession(ws.tx, ws.workspaceId, session.id),
    liveRunOfSession(ws.tx, ws.workspaceId, session.id),
  ])
  // This call proves that the last answer arrived.
  return { ...opening, session: { ...session, alerts: pendingAlerts(session.alerts) }, claims, run }
}

async function findSession(
  database: Database,
  principal: Principal,
  agentId: string | undefined,
): Promise<Pick<Session, 'id' | 'workspaceId'>> {
  const live = await database.query((orm) => liveSessionsOfGrant(orm, principal.grantId))
  const named = agentId === undefined ? live : live.filter((session) => session.agentId === agentId)
  const [first, ...others] = named
  if (first === undefined) throw await notJoined(database, principal, agentId)
  if (agentId === undefined && others.length > 0) {
    const candidates = named.map(({ agentId: id, toolName, branch }) => ({ agentId: id, toolName, branch }))
    throw new AppError('AGENT_AMBIGUOUS', undefined, { details: { candidates } })
  }
  return first
}

/** Tells a caller whose session ended, or speaks through another sign-in now, which agentId brings it back. */
async function notJoined(database: Database, principal: Principal, agentId: string | undefined): Promise<AppError> {
  const { userId, grantId } = principal
  const last = await database.query((orm) => lastSessionOf(orm, { userId, grantId, agentId }))
  if (last === null) return new AppError('NOT_JOINED')
  const resume = `Call join_workspace with agentId "${last.agentId}" to go on with it.`
  if (last.endReason === null) {
    return new AppError('NOT_JOINED', `Your session goes on through another sign-in. ${resume}`, {
      details: { agentId: last.agentId, reason: 'resumed_elsewhere' },
    })
  }
  return new AppError('NOT_JOINED', `Your session has ended. ${resume}`, {
    details: { agentId: last.agentId, reason: last.endReason },
  })
}

function repoIdentity(input: JoinInput): RepoIdentity {
  const { remote, rootSha } = input.gitContext
  const identity = { canonicalRemote: canonicalRemote(remote), rootSha: rootSha ?? null }
  if (identity.canonicalRemote !== null || identity.rootSha !== null) return identity
  throw new AppError(
    'INVALID_INPUT',
    'The repository has no remote that others can reach; its first commit is needed.',
    {
      details: {
        issues: [
          {
            path: 'gitContext.rootSha',
            message: 'required when remote is empty or local: the first line of `git rev-list --max-parents=0 HEAD`',
          },
        ],
      },
    },
  )
}
