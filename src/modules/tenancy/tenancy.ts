/** What a member may do; each role includes the ones after it. */
export const ROLES = ['owner', 'admin', 'member', 'viewer'] as const
export type Role = (typeof ROLES)[number]

/** Whom a workspace can let take claims from their holders; a member's own agents count as theirs. */
export const FORCE_RELEASE_ROLES = ['owner', 'admin', 'member'] as const
export type ForceReleaseRole = (typeof FORCE_RELEASE_ROLES)[number]

/** How compare-and-swap treats a stateHash that is an ancestor of the current one (docs/protocol.md). */
export type CasMode = 'scoped' | 'strict'

export interface Policy {
  readonly claimTtlSeconds: { readonly default: number; readonly min: number; readonly max: number }
  readonly casMode: CasMode
  readonly sessionIdleSeconds: number
  /** The least role that may take a claim from its holder. */
  readonly forceReleaseRole: ForceReleaseRole
}

/** What a workspace set differently from DEFAULT_POLICY. */
export type PolicyOverrides = Partial<Policy>

export const DEFAULT_POLICY: Policy = {
  claimTtlSeconds: { default: 900, min: 30, max: 3600 },
  casMode: 'scoped',
  sessionIdleSeconds: 1800,
  forceReleaseRole: 'admin',
}

/** The policy in force: the defaults where the workspace says nothing. */
export function effectivePolicy(overrides: PolicyOverrides): Policy {
  return { ...DEFAULT_POLICY, ...overrides }
}

/** A caller's place in a workspace, read on every call: a removed member is out with the next one. */
export interface Member {
  readonly role: Role
  readonly workspaceName: string
  readonly policy: Policy
}
