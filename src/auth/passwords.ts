import { hash, verify } from '@node-rs/argon2'
import { isCommonPassword } from './common-passwords.ts'
import { AUTH_LIMITS } from './limits.ts'
import { createLine } from './line.ts'

/** What a hash of Argon2id costs: memory in KiB, passes, lanes. */
export interface Argon2Cost {
  readonly memoryCost: number
  readonly timeCost: number
  readonly parallelism: number
}

/** OWASP's first choice for Argon2id (the library's default algorithm): 19 MiB, two passes, one lane. */
const ARGON2: Argon2Cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Hashes passwords, a bounded number at once. */
export interface Passwords {
  /** @throws OAuthError temporarily_unavailable when too many wait already; so does `verify`. */
  hash(password: string): Promise<string>
  /** Against null, for somebody whom nobody knows, it takes as long as against a hash, and is false (S-38). */
  verify(passwordHash: string | null, password: string): Promise<boolean>
  /** Was the hash made with other parameters than today's? */
  isOutdated(passwordHash: string): boolean
}

/** @param cost less than the default is for tests that are about something else */
export function createPasswords(
  limits: { readonly hashesAtOnce: number; readonly hashesWaiting: number } = AUTH_LIMITS,
  cost: Argon2Cost = ARGON2,
): Passwords {
  // How a hash that was made with these parameters begins (the PHC string format).
  const current = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$`
  const inTurn = createLine(limits.hashesAtOnce, limits.hashesWaiting)
  // Made now, so that the first unknown person takes no longer than the second.
  const nobodysHash = hash('nobody', cost)
  return {
    hash: (password) => inTurn(() => hash(password, cost)),
    verify: (passwordHash, password) =>
      inTurn(async () => (await verify(passwordHash ?? (await nobodysHash), password)) && passwordHash !== null),
    isOutdated: (passwordHash) => !passwordHash.startsWith(current),
  }
}

/** What keeps this from being a new password of this person; null when nothing does. */
export function faultOfPassword(password: string, email: string): string | null {
  if (password.length < AUTH_LIMITS.passwordMinChars) return 'The password needs at least 8 characters.'
  if (password.length > AUTH_LIMITS.passwordMaxChars) return 'The password can have at most 256 characters.'
  if (isCommonPassword(password, email)) return 'This password is one of the first that anybody would try.'
  return null
}
