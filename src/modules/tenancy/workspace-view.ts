import { z } from 'zod'
import { versionOf } from '../../kernel/canonical.ts'
import { AppError } from '../../kernel/errors.ts'
import type { Membership, Repo } from './repository.ts'
import { ROLES } from './tenancy.ts'

export const repoView = z.object({
  id: z.string(),
  canonicalRemote: z.string().nullable(),
  rootSha: z.string().nullable(),
})

export function viewOfRepo({ id, canonicalRemote, rootSha }: Repo) {
  return { id, canonicalRemote, rootSha }
}

export const workspaceView = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  active: z.boolean().describe('Where the caller’s agents go that name no workspace'),
  archived: z.boolean(),
  repos: z.array(repoView),
})

/** A workspace as one of its members sees it. */
export function viewOfWorkspace(membership: Membership) {
  const { workspaceId: id, workspaceName, role, active, archived, repos } = membership
  return { id, name: workspaceName, role, active, archived, repos: repos.map(viewOfRepo) }
}

/** The answer that shows a workspace. @throws AppError WORKSPACE_NOT_FOUND for whoever is no member */
export function showWorkspace(membership: Membership | null) {
  if (membership === null) throw new AppError('WORKSPACE_NOT_FOUND')
  const workspace = viewOfWorkspace(membership)
  return { body: { workspace }, version: versionOf(workspace) }
}
