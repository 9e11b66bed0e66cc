/**
 * Whose rows a transaction works with: a workspace's; what a person has in all of theirs, to read; both; or, for what the
 * server does by itself, how far every journal goes, to read. Row-level security holds each statement to it whatever its
 * WHERE says (migrations/0002_row_security.sql): without a scope a tenant's table has no rows and takes none.
 *
 * A caller's word makes no scope. A person is who the token says, and a workspace is one that was found in the scope of
 * its member before.
 */
export type Scope = InWorkspace | OfUser | (InWorkspace & OfUser) | OfSystem

export interface InWorkspace {
  readonly workspace: string
}

export interface OfUser {
  readonly user: string
}

export interface OfSystem {
  readonly system: true
}

/**
 * Tells a transaction its scope, until it ends (`true`: local). All three are set, so that no default of a role or a
 * database stands in for one that is not named. As parameters, because an id may have come from outside.
 */
export const SET_SCOPE = `select set_config('orkestrate.workspace_id', $1, true),
  set_config('orkestrate.user_id', $2, true), set_config('orkestrate.system', $3, true)`

/** The parameters of SET_SCOPE. */
export function scopeSettings(scope: Scope | null): string[] {
  const { workspace = '', user = '', system = false }: Partial<InWorkspace & OfUser & { system: boolean }> = scope ?? {}
  return [workspace, user, system ? 'on' : '']
}
