import type { Database, Scoped, ScopedTx } from '../db/client.ts'
import type { Founding, Journal, WorkspaceTx } from '../journal/journal.ts'
import { AppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import type { ToolRequest } from '../kernel/dispatch.ts'
import type { Principal } from '../kernel/principal.ts'
import { liveClaimsOfSession } from './claim/store.ts'
import type { Asking, Call } from './call.ts'
import { callerOf } from './caller.ts'
import type { Confirmations } from './confirmation.ts'
import { joinSession } from './session/join.ts'
import { pendingAlerts } from './session/alert.ts'
import { createSeats, type Seat } from './session/seats.ts'
import { lastSessionOf, liveSessionsOfGrant } from './session/store.ts'
import type { JoinInput } from './session/tools.ts'
import { callerActor } from './audit/entry.ts'
import { bindRepo, foundWorkspace } from './tenancy/founding.ts'
import { canonicalRemote } from './tenancy/remote.ts'
import { chooseWorkspace, findRepo, type Membership, type RepoIdentity, type Repo } from './tenancy/repository.ts'
import { countJoin, lockUser, memberOf, membershipsOf, reposOf } from './tenancy/store.ts'
import type { Member } from './tenancy/tenancy.ts'
import { liveRunOfSession } from './workflow/store.ts'

/** How a call gets from "who is calling" to a locked workspace and the caller's own things in it. */
export interface Entrance {
  /**
   * For every tool but join_workspace: finds the session that speaks.
   *
   * @throws AppError NOT_JOINED, or AGENT_AMBIGUOUS with the candidates where one sign-in has several sessions
   */
  bySession<T>(request: ToolRequest<Asking>, work: (call: Call, known: Promise<unknown>) => Promise<T>): Promise<T>
  /** For join_workspace: chooses or creates the workspace, and creates or resumes the session. */
  byJoin<T>(principal: Principal, input: JoinInput, work: (call: Call) => Promise<T>): Promise<T>
}

/**
 * Is the consent that a caller came with still in force? Then it is held until the transaction ends. Tokens are believed
 * for a second after their end, and a session that began in that second would outlive its grant.
 */
export type HoldGrant = (tx: ScopedTx, grantId: string) => Promise<boolean>

interface EntranceDeps {
  readonly database: Database
  readonly journal: Journal
  readonly holdGrant: HoldGrant
  readonly log: Log
  readonly confirmations: Confirmations
}

export function createEntrance(deps: EntranceDeps): Entrance {
  const { database, journal, holdGrant, log, confirmations } = deps
  const seats = createSeats()
  return {
    async bySession(request, work) {
      const { principal, agentId } = request
      const remembered = seats.of(principal, agentId)
      if (remembered !== null) {
        const seated = await sit(deps, request, { ...remembered, remembered: true }, work)
        if (seated !== null) return seated.result
        seats.forget(principal, agentId)
      }
      const found = await findSession(database, principal, agentId)
      seats.keep(principal, agentId, found)
      const seated = await sit(deps, request, { ...found, remembered: false }, work)
      // Looked up in a transaction before, so it may have ended since.
      if (seated === null) throw new AppError('NOT_JOINED')
      return seated.result
    },

    async byJoin(principal, input, work) {
      const identity = repoIdentity(input)
      const memberships = await openedBy(principal, database)
      // A token for one workspace asks for that one.
      const asked = input.workspaceId ?? principal.workspaceId ?? undefined
      const target = chooseWorkspace(memberships, identity, asked)
      if (target.kind === 'new') {
        const first = await firstJoin(journal, principal, identity, (ws, member, repo) =>
          enter(ws, { principal, input, member, repo, holdGrant, log, confirmations }, work),
        )
        if ('result' in first) return first.result
        return join(
          journal,
          { principal, input, identity, membership: first.membership, holdGrant, log, confirmations },
          work,
        )
      }
      return join(
        journal,
        { principal, input, identity, membership: target.membership, holdGrant, log, confirmations },
        work,
      )
    },
  }
}

/** Runs the work for the session; null, with nothing done, where that is not the session of the call, or not any more. */
function sit<T>(
  { journal, log, confirmations }: Pick<EntranceDeps, 'journal' | 'log' | 'confirmations'>,
  { principal, reads, ahead }: ToolRequest<Asking>,
  seat: Seat & { remembered: boolean },
  work: (call: Call, known: Promise<unknown>) => Promise<T>,
): Promise<{ result: T } | null> {
  const { workspaceId, id: sessionId } = seat
  const ask = async (orm: Scoped) => {
    const caller = callerOf(orm, workspaceId, sessionId, principal.userId)
    const known = ahead === null ? Promise.resolve() : ahead({ orm, workspaceId, sessionId })
    known.catch(() => undefined)
    return { caller: await caller, known }
  }
  const enterWorkspace = async (ws: WorkspaceTx, { caller, known }: Awaited<ReturnType<typeof ask>>) => {
    const { session, member, claims, run } = caller
    if (session === null || session.endedAt !== null || session.grantId !== principal.grantId || member === null) {
      return null
    }
    if (seat.remembered && seat.joins !== caller.joins) return null
    const opening = { principal, ws, member, session, claims, run, resumed: true, log, confirmations }
    return { result: await work(openCall(opening), known) }
  }
  const scope = { workspace: workspaceId }
  return reads ? journal.look(scope, enterWorkspace, ask) : journal.change(scope, enterWorkspace, ask)
}

/** The person's workspaces, as far as the token opens them. */
async function openedBy({ userId, workspaceId }: Principal, database: Database): Promise<Membership[]> {
  const all = await database.read({ user: userId }, (orm) => membershipsOf(orm, userId))
  if (workspaceId === null) return all
  const only = all.find((membership) => membership.workspaceId === workspaceId)
  // Not an empty list: whoever has no workspace is given a new one.
  if (only === undefined) throw new AppError('WORKSPACE_NOT_FOUND')
  return [only]
}

/** A call of join_workspace, on its way to a workspace. */
interface Joining {
  readonly principal: Principal
  readonly input: JoinInput
  readonly holdGrant: HoldGrant
  readonly log: Log
  readonly confirmations: Confirmations
}

/** Joins a workspace that exists, and binds the repository where the workspace has none and the caller may decide. */
async function join<T>(
  journal: Journal,
  joining: Joining & { identity: RepoIdentity; membership: Membership },
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const { principal, identity, membership } = joining
  const { userId } = principal
  // The person too: a grant's sessions are counted across workspaces.
  return journal.change({ workspace: membership.workspaceId, user: userId }, async (ws) => {
    const [member, repos] = await Promise.all([memberOf(ws.tx, ws.workspaceId, userId), reposOf(ws.tx, ws.workspaceId)])
    if (member === null) throw new AppError('WORKSPACE_NOT_FOUND')
    // Decided once more under the lock: another join may have bound a repository meanwhile.
    const current = { ...membership, role: member.role, repos }
    chooseWorkspace([current], identity, ws.workspaceId)
    const repo = findRepo(repos, identity) ?? bindRepo(ws, identity, repos.length, { kind: 'user', userId })
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
  work: (ws: WorkspaceTx<Founding>, member: Member, repo: Repo) => Promise<T>,
): Promise<{ result: T } | { membership: Membership }> {
  const { userId } = principal
  return journal.found({ user: userId }, async (tx, begin) => {
    await lockUser(tx, userId)
    const target = chooseWorkspace(await membershipsOf(tx, userId), identity, undefined)
    if (target.kind === 'existing') return { membership: target.membership }
    const { ws, member } = await foundWorkspace(tx, begin, {
      ownerId: userId,
      name: target.name,
      by: callerActor(principal),
    })
    const repo = bindRepo(ws, identity, 0, { kind: 'user', userId })
    return { result: await work(ws, member, repo) }
  })
}

async function enter<T>(
  ws: WorkspaceTx<Founding>,
  joining: Joining & { member: Member; repo: Repo },
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const { principal, input, member, repo, log, confirmations } = joining
  await countJoin(ws.tx, principal.userId)
  if (!(await joining.holdGrant(ws.tx, principal.grantId))) throw new AppError('UNAUTHENTICATED')
  const { branch, headSha, dirty } = input.gitContext
  const { agentId, toolName } = input
  const here = { principal, agentId, toolName, repoId: repo.id, branch, headSha, dirty }
  const { session, resumed } = await joinSession(ws, here)
  // The session's row and the binding must be there before the rest is read, and nothing after this refuses a join.
  await ws.flush()
  ws.dueAt(new Date(ws.now.getTime() + member.policy.sessionIdleSeconds * 1000))
  const [claims, run] = await Promise.all([
    liveClaimsOfSession(ws.tx, ws.workspaceId, session.id),
    liveRunOfSession(ws.tx, ws.workspaceId, session.id),
  ])
  return work(openCall({ principal, ws, member, session, claims, run, resumed, log, confirmations }))
}

/** The call, which proves that the last answer arrived. */
function openCall(opening: Omit<Call, 'stored'>): Call {
  const stored = opening.session
  const alerts = pendingAlerts(stored.alerts)
  return { ...opening, stored, session: alerts.length === stored.alerts.length ? stored : { ...stored, alerts } }
}

async function findSession(database: Database, principal: Principal, agentId: string | undefined): Promise<Seat> {
  const { userId, grantId } = principal
  const live = await database.read({ user: userId }, (orm) => liveSessionsOfGrant(orm, grantId))
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
  const { userId, grantId, workspaceId } = principal
  const caller = { userId, grantId, agentId, workspaceId }
  const last = await database.read({ user: userId }, (orm) => lastSessionOf(orm, caller))
  if (last === null) return new AppError('NOT_JOINED')
  const resume = `Call join_workspace with agentId "${last.agentId}" to go on with it.`
  if (last.endReason === null) {
    return new AppError('NOT_JOINED', `Your session goes on through another sign-in. ${resume}`, {
      details: { agentId: last.agentId, reason: 'resumed_elsewhere', since: last.lastSeenAt.toISOString() },
    })
  }
  return new AppError('NOT_JOINED', `Your session has ended. ${resume}`, {
    details: { agentId: last.agentId, reason: last.endReason, since: (last.endedAt ?? last.lastSeenAt).toISOString() },
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
