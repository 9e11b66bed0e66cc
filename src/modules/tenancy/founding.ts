import type { ScopedTx } from '../../db/client.ts'
import { databaseNow } from '../../db/clock.ts'
import type { Actor } from '../../journal/event.ts'
import type { Founding, WorkspaceTx } from '../../journal/journal.ts'
import { AppError } from '../../kernel/errors.ts'
import { newId } from '../../kernel/ids.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { entry, type KnownActor } from '../audit/entry.ts'
import { record } from '../audit/store.ts'
import { memberAdded, repoBound, workspaceCreated } from './events.ts'
import { canonicalRemote } from './remote.ts'
import type { Repo, RepoIdentity } from './repository.ts'
import { countMemberships, insertRepo, insertWorkspace } from './store.ts'
import { DEFAULT_POLICY, type Member } from './tenancy.ts'

/**
 * Starts a workspace and its journal; the creator is its owner and is in it from now on.
 *
 * @throws AppError WORKSPACE_LIMIT
 */
export async function foundWorkspace(
  tx: ScopedTx<Founding>,
  begin: (now: Date) => Promise<WorkspaceTx<Founding>>,
  request: { ownerId: string; name: string; by: KnownActor },
): Promise<{ ws: WorkspaceTx<Founding>; member: Member }> {
  const { ownerId, name, by } = request
  checkBound('workspaces of a person', await countMemberships(tx, ownerId), LIMITS.workspacesPerUser)
  const now = await databaseNow(tx)
  const ws = await begin(now)
  const { workspaceId: id } = ws
  const owner: Actor = { kind: 'user', userId: ownerId }
  ws.append(workspaceCreated, { workspaceId: id, name }, owner)
  ws.append(memberAdded, { userId: ownerId, role: 'owner' }, owner)
  ws.writeInSteps((write) => insertWorkspace(write, { id, name, ownerId, now }))
  const membership = { workspaceId: id, userId: ownerId, role: 'owner', how: 'founded' } as const
  ws.atEnd((last) => record(last, [entry(ownerId, 'membership.began', membership, by)]))
  return { ws, member: { role: 'owner', workspaceName: name, policy: DEFAULT_POLICY } }
}

/**
 * Binds a repository that the workspace does not have yet.
 *
 * @param bound how many it has
 * @throws AppError WORKSPACE_LIMIT
 */
export function bindRepo(ws: WorkspaceTx, identity: RepoIdentity, bound: number, actor: Actor): Repo {
  checkBound('repositories', bound, LIMITS.reposPerWorkspace)
  const repo = { id: newId('rep'), ...identity }
  ws.append(repoBound, { repoId: repo.id, ...identity }, actor)
  ws.write((tx) => insertRepo(tx, ws.workspaceId, repo, ws.now))
  return repo
}

/** @throws AppError WORKSPACE_LIMIT where one more would be too many */
export function checkBound(what: string, count: number, max: number): void {
  if (count < max) return
  throw new AppError('WORKSPACE_LIMIT', `There can be at most ${max} ${what}.`, { details: { what, count, max } })
}

/** @throws AppError INVALID_INPUT for what names no repository that others can reach */
export function parseRemote(repoUrl: string): string {
  const remote = canonicalRemote(repoUrl)
  if (remote !== null) return remote
  const issues = [{ path: 'repoUrl', message: 'must be the address of a repository that others can reach' }]
  throw new AppError('INVALID_INPUT', undefined, { details: { issues } })
}
