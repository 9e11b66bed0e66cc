import { AppError } from '../../kernel/errors.ts'
import { ROLES, type Role } from './tenancy.ts'

/**
 * Who may do what in a workspace: the least role that each thing needs. A role may do all that the roles after it may
 * (ROLES). This table is the only place that says so: tools, REST, pages and the documentation read it.
 */
export const PERMISSIONS = {
  /** See the workspace: team state, journal, values, members, policy; join it as an agent that only reads; leave it. */
  'workspace.read': 'viewer',
  /** Work as an agent: claim, publish, release. */
  work: 'member',
  /** Write and delete single values. */
  'values.write': 'member',
  /** Delete values in bulk. */
  'values.purge': 'admin',
  /** See, make and take back invitations, for lower roles than one's own. */
  'invites.manage': 'admin',
  /** Change the role of members and remove them, where theirs and the new one are lower than one's own. */
  'members.manage': 'admin',
  /** Bind and unbind repositories. */
  'repos.manage': 'admin',
  /** Change the name and the policy. */
  'workspace.configure': 'admin',
  /** End an agent's session. */
  'sessions.end': 'admin',
  /** Make owners and other admins, and unmake them. */
  'equals.manage': 'owner',
  /** Archive the workspace, and bring it back. */
  'workspace.archive': 'owner',
  /** Delete the workspace with all that it holds. */
  'workspace.delete': 'owner',
} as const satisfies Record<string, Role>

export type Permission = keyof typeof PERMISSIONS

/** Is `role` at least `least`? */
export function reaches(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) <= ROLES.indexOf(least)
}

export function may(role: Role, permission: Permission): boolean {
  return reaches(role, PERMISSIONS[permission])
}

/** @throws AppError FORBIDDEN_ROLE with the least role that may */
export function requirePermission(role: Role, permission: Permission): void {
  requireRole(role, PERMISSIONS[permission])
}

/** @throws AppError FORBIDDEN_ROLE with the least role that may */
export function requireRole(role: Role, requiredRole: Role): void {
  if (!reaches(role, requiredRole)) throw new AppError('FORBIDDEN_ROLE', undefined, { details: { requiredRole, role } })
}

/** May somebody with the role `mine` make a member of role `from` one of role `to`? `null` is somebody who is none. */
export function mayChangeRole(mine: Role, from: Role | null, to: Role | null): boolean {
  const lower = (role: Role | null) => role === null || !reaches(role, mine)
  return may(mine, 'equals.manage') || (may(mine, 'members.manage') && lower(from) && lower(to))
}

/** @throws AppError FORBIDDEN_ROLE */
export function checkRoleChange(mine: Role, from: Role | null, to: Role | null): void {
  if (mayChangeRole(mine, from, to)) return
  const requiredRole = may(mine, 'members.manage') ? PERMISSIONS['equals.manage'] : PERMISSIONS['members.manage']
  throw new AppError('FORBIDDEN_ROLE', undefined, { details: { requiredRole, role: mine } })
}

/**
 * A workspace has an owner, always.
 *
 * @param owners how many there are, the member in question among them
 * @throws AppError LAST_OWNER
 */
export function checkOwnerStays(from: Role, to: Role | null, owners: number): void {
  if (from === 'owner' && to !== 'owner' && owners <= 1) throw new AppError('LAST_OWNER')
}
