import { canonicalJson, sha256, type Json } from '../kernel/canonical.ts'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Sealer } from '../kernel/sealer.ts'

/** What a confirmToken is good for: this, by this person, as things stood. */
export interface Intended {
  readonly userId: string
  /** A workspace's id, or what stands for the person's own account. */
  readonly place: string
  readonly operation: string
  /** Everything that the call said but the token. */
  readonly args: Json
  /**
   * How things stand: in a workspace how many events there are, elsewhere a digest of all that the operation is about. What
   * is confirmed changes it, so a token works once.
   */
  readonly standing: number | string
}

/** What would happen, and the token that makes it happen. */
export interface Preview {
  readonly preview: true
  readonly effects: object
  readonly confirmToken: string
  readonly expiresAt: string
}

export interface Confirmations {
  preview(intended: Intended, effects: object, now: Date): Promise<Preview>
  /** @throws AppError CONFIRM_INVALID for any other call, person or place, or after five minutes; CONFIRM_STALE */
  check(intended: Intended, confirmToken: string, now: Date): Promise<void>
}

/** Nothing is stored: the token is a sealed note of what was shown, and any change since makes it void. */
export function createConfirmations(sealer: Sealer): Confirmations {
  return {
    async preview(intended, effects, now) {
      const { standing } = intended
      const until = now.getTime() + LIMITS.confirmSeconds * 1_000
      const confirmToken = await sealer.seal({ call: digestOf(intended), standing, until }, LIMITS.confirmSeconds)
      return { preview: true, effects, confirmToken, expiresAt: new Date(until).toISOString() }
    },
    async check(intended, confirmToken, now) {
      const note = await sealer.open(confirmToken)
      const until = note?.['until']
      if (note?.['call'] !== digestOf(intended) || typeof until !== 'number' || until <= now.getTime()) {
        throw new AppError('CONFIRM_INVALID')
      }
      if (note['standing'] !== intended.standing) throw new AppError('CONFIRM_STALE')
    },
  }
}

function digestOf({ userId, place, operation, args }: Intended): string {
  return sha256(canonicalJson({ userId, place, operation, args })).toString('hex')
}
