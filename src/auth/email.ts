import { z } from 'zod'
import { AUTH_LIMITS } from './limits.ts'

const Email = z.email().max(AUTH_LIMITS.emailChars)

/** One address, one spelling: without white space around it, in lower case. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}

/** Is this, normalised, an e-mail address? */
export function isEmail(email: string): boolean {
  return Email.safeParse(email).success
}
