import { z } from 'zod'
import { LIMITS } from '../kernel/limits.ts'
import { cleanLine, cleanText } from '../kernel/text.ts'

// Fields that several tools share. Untrusted text is cleaned here, on its way in, and nowhere else.

/** Free text of an agent, several lines. */
export const text = (maxChars: number) =>
  z
    .string()
    .max(maxChars)
    .transform((value) => cleanText(value, maxChars))

/** Free text of an agent, one line. */
export const line = (maxChars: number) =>
  z
    .string()
    .max(maxChars)
    .transform((value) => cleanLine(value, maxChars))

/** Which of the caller's sessions speaks; needed only where one sign-in has several. */
export const agentId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/u)
  .describe('Yours; needed only if several share your sign-in')

export const optionalAgentId = { agentId: agentId.optional() }

export const stateHash = z.string().min(1).max(64)

export const paths = z
  .array(
    z
      .string()
      .min(1)
      .max(LIMITS.pathBytes * 2),
  )
  .min(1)
  .max(LIMITS.pathsPerClaim)

export const sha = z
  .string()
  .regex(/^[0-9a-fA-F]{7,64}$/u)
  .transform((value) => value.toLowerCase())

export const timestamp = z.string()
