import { z } from 'zod'
import { displayName } from '../display-name.ts'
import { isEmail, normalizeEmail } from '../email.ts'
import { AUTH_LIMITS } from '../limits.ts'
import { UpstreamError, type UpstreamPerson } from './upstream.ts'

/** The claims that we read (OpenID Connect Core §5.1), after the library has verified the token that they are in. */
const Claims = z.object({
  iss: z.string(),
  sub: z
    .string()
    .min(1)
    .max(AUTH_LIMITS.subjectChars)
    .regex(/^[^\0]*$/),
  email: z.string().optional().catch(undefined),
  name: z.string().optional().catch(undefined),
  preferred_username: z.string().optional().catch(undefined),
})

/**
 * The person whom verified claims describe. What people will see is cleaned; where there is no name, the part of the
 * address before the @ stands for it.
 *
 * @throws UpstreamError refused without a usable subject or e-mail address.
 */
export function personFrom(upstream: string, verified: Readonly<Record<string, unknown>>): UpstreamPerson {
  const claims = Claims.safeParse(verified)
  if (!claims.success) throw new UpstreamError('refused', `The answer of ${upstream} does not say who you are.`)
  const { iss, sub, name, preferred_username: userName } = claims.data
  const email = normalizeEmail(claims.data.email ?? '')
  if (!isEmail(email)) {
    throw new UpstreamError(
      'refused',
      `${upstream} did not tell your e-mail address, by which your team knows you. Allow it there and try again.`,
    )
  }
  const fallback = displayName(userName ?? '', '') || displayName(email.split('@')[0] ?? '', email)
  return { issuer: iss, subject: sub, email, name: displayName(name ?? '', fallback) }
}
