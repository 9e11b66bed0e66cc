import { AppError } from '../../kernel/errors.ts'
import type { Role } from './tenancy.ts'

/** What makes two checkouts the same repository: the canonical remote, or without one the first commit. */
export interface RepoIdentity {
  readonly canonicalRemote: string | null
  readonly rootSha: string | null
}

export interface Repo extends RepoIdentity {
  readonly id: string
}

export interface Membership {
  readonly workspaceId: string
  readonly workspaceName: string
  readonly role: Role
  readonly active: boolean
  readonly archived: boolean
  readonly repos: readonly Repo[]
}

/** Where a join goes: an existing workspace (binding the repository first where it has none), or a new one. */
export type JoinTarget =
  | { readonly kind: 'existing'; readonly membership: Membership; readonly repo: Repo | null }
  | { readonly kind: 'new'; readonly name: string }

/** The bound repository with this identity. The remote decides where both have one; forks share a first commit. */
export function findRepo(repos: readonly Repo[], identity: RepoIdentity): Repo | null {
  return (
    repos.find((repo) =>
      identity.canonicalRemote === null || repo.canonicalRemote === null
        ? identity.rootSha !== null && repo.rootSha === identity.rootSha
        : repo.canonicalRemote === identity.canonicalRemote,
    ) ?? null
  )
}

/**
 * Chooses the workspace of a join: the one asked for; else the active one if it fits; else the only one that has this
 * repository; else, for somebody who has no workspace at all, a new one named after the repository.
 *
 * @throws AppError WORKSPACE_NOT_FOUND, REPO_MISMATCH (with the bound repositories), WORKSPACE_AMBIGUOUS.
 */
export function chooseWorkspace(
  memberships: readonly Membership[],
  identity: RepoIdentity,
  workspaceId: string | undefined,
): JoinTarget {
  if (workspaceId !== undefined) {
    const asked = memberships.find((membership) => membership.workspaceId === workspaceId)
    if (asked === undefined) throw new AppError('WORKSPACE_NOT_FOUND')
    if (!fits(asked, identity)) throw repoMismatch([asked])
    return target(asked, identity)
  }
  if (memberships.length === 0) return { kind: 'new', name: repoName(identity) }
  const active = memberships.find((membership) => membership.active)
  if (active !== undefined && fits(active, identity)) return target(active, identity)
  const having = memberships.filter((membership) => findRepo(membership.repos, identity) !== null)
  const [only, ...others] = having
  if (only === undefined) throw repoMismatch(memberships)
  if (others.length > 0) {
    const candidates = having.map((m) => ({ workspaceId: m.workspaceId, name: m.workspaceName }))
    throw new AppError('WORKSPACE_AMBIGUOUS', undefined, { details: { candidates } })
  }
  return target(only, identity)
}

/** A workspace fits a repository that it has, and one that it may bind: it has none yet, and the caller may decide. */
function fits(membership: Membership, identity: RepoIdentity): boolean {
  const mayBind = membership.repos.length === 0 && (membership.role === 'owner' || membership.role === 'admin')
  return mayBind || findRepo(membership.repos, identity) !== null
}

function target(membership: Membership, identity: RepoIdentity): JoinTarget {
  return { kind: 'existing', membership, repo: findRepo(membership.repos, identity) }
}

function repoMismatch(memberships: readonly Membership[]): AppError {
  const boundRepos = memberships.flatMap((m) =>
    m.repos.map((repo) => ({
      workspaceId: m.workspaceId,
      repo: repo.canonicalRemote ?? `first commit ${repo.rootSha}`,
    })),
  )
  return new AppError('REPO_MISMATCH', undefined, { details: { boundRepos: boundRepos.slice(0, 20) } })
}

function repoName(identity: RepoIdentity): string {
  return identity.canonicalRemote?.split('/').at(-1) ?? `repository ${identity.rootSha?.slice(0, 7) ?? ''}`.trim()
}
