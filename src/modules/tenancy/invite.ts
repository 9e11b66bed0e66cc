import { AppError } from '../../kernel/errors.ts'
import { mayChangeRole } from './roles.ts'
import type { Role } from './tenancy.ts'

/** A way into a workspace for somebody who is not in it yet. */
export interface Invite {
  readonly id: string
  readonly role: Role
  /** The only address that may accept it, in lower case; null: anybody with the link. */
  readonly email: string | null
  readonly maxUses: number
  readonly uses: number
  readonly createdBy: string
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
}

export type InviteState = 'open' | 'used_up' | 'expired' | 'revoked'

export function inviteState(invite: Invite, now: Date): InviteState {
  if (invite.revokedAt !== null) return 'revoked'
  if (invite.uses >= invite.maxUses) return 'used_up'
  return invite.expiresAt <= now ? 'expired' : 'open'
}

/**
 * May this person come in?
 *
 * @param inviter the role that whoever made it has now: an invitation gives nothing that they could not give any more
 */
export function isAcceptable(invite: Invite, person: { email: string }, inviter: Role | null, now: Date): boolean {
  return (
    inviteState(invite, now) === 'open' &&
    (invite.email === null || invite.email === person.email.toLowerCase()) &&
    inviter !== null &&
    mayChangeRole(inviter, null, invite.role)
  )
}

/**
 * One answer to everything that is wrong, so that a link that is no good tells nothing.
 *
 * @throws AppError INVITE_INVALID
 */
export function checkAcceptable(
  invite: Invite | null,
  person: { email: string },
  inviter: Role | null,
  now: Date,
): Invite {
  if (invite === null || !isAcceptable(invite, person, inviter, now)) throw new AppError('INVITE_INVALID')
  return invite
}
