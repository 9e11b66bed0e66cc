import { z } from 'zod'
import type { WorkspaceTx } from '../../journal/journal.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { sha } from '../fields.ts'
import { agentEffects, changeOperation, readOperation } from '../office.ts'
import { repoUnbound } from './events.ts'
import { bindRepo, parseRemote } from './founding.ts'
import { findRepo, type Repo } from './repository.ts'
import { deleteRepo, reposOf } from './store.ts'
import { repoView, viewOfRepo } from './workspace-view.ts'

const tag = 'Repositories'
const workspaceId = z.string().min(1).max(64)
const params = z.object({ workspaceId })

export const listRepos = readOperation({
  name: 'listRepos',
  tag,
  title: 'List repositories',
  description: 'The repositories that agents may join from.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/repos',
  permission: 'workspace.read',
  params,
  output: z.object({ repos: z.array(repoView) }),
  handle: async ({ orm, workspaceId: id }) => ({ body: { repos: (await reposOf(orm, id)).map(viewOfRepo) } }),
})

export const bindRepository = changeOperation({
  name: 'bindRepository',
  tag,
  title: 'Bind a repository',
  description:
    'By the address of its remote in any form, or by its first commit where there is none. One that is bound already is ' +
    'answered as it is.',
  method: 'POST',
  path: '/api/workspaces/:workspaceId/repos',
  permission: 'repos.manage',
  sensitive: true,
  statuses: [200, 201],
  examples: [{ title: 'By its address', body: { repoUrl: 'https://git.example/acme/docs.git' } }],
  params,
  body: z
    .object({ repoUrl: z.string().min(1).max(LIMITS.remoteChars).optional(), rootSha: sha.optional() })
    .refine(({ repoUrl, rootSha }) => repoUrl !== undefined || rootSha !== undefined, 'repoUrl or rootSha is needed'),
  output: z.object({ repo: repoView }),
  async handle({ ws, actor }, { body: { repoUrl, rootSha = null } }) {
    const identity = { canonicalRemote: repoUrl === undefined ? null : parseRemote(repoUrl), rootSha }
    const bound = await reposOf(ws.tx, ws.workspaceId)
    const same = findRepo(bound, identity)
    if (same !== null) return { body: { repo: viewOfRepo(same) } }
    const repo = bindRepo(ws, identity, bound.length, actor)
    return { body: { repo: viewOfRepo(repo) }, createdAt: `/api/workspaces/${ws.workspaceId}/repos/${repo.id}` }
  },
})

export const unbindRepository = changeOperation({
  name: 'unbindRepository',
  tag,
  title: 'Unbind a repository',
  description: 'Agents can no longer join from it; those that work on it end. Previewed and confirmed.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId/repos/:repoId',
  permission: 'repos.manage',
  sensitive: true,
  params: z.object({ workspaceId, repoId: z.string().min(1).max(64) }),
  output: z.object({ unbound: repoView }),
  async effects(change, { params: { repoId } }) {
    const repo = await found(change.ws, repoId)
    return { repo: viewOfRepo(repo), ...agentEffects(await change.agents({ repoId })) }
  },
  async handle(change, { params: { repoId } }) {
    const { ws, actor } = change
    const repo = await found(ws, repoId)
    await change.endAgents(await change.agents({ repoId }), 'repo_unbound')
    ws.append(repoUnbound, { repoId }, actor)
    ws.write((tx) => deleteRepo(tx, ws.workspaceId, repoId))
    return { body: { unbound: viewOfRepo(repo) } }
  },
})

/** @throws AppError NOT_FOUND */
async function found(ws: WorkspaceTx, repoId: string): Promise<Repo> {
  const repo = (await reposOf(ws.tx, ws.workspaceId)).find(({ id }) => id === repoId)
  if (repo === undefined) throw new AppError('NOT_FOUND')
  return repo
}
