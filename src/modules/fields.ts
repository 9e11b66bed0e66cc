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

// What REST answers with says more of its types than tools do, whose list has to be short.

/** RFC 3339, in UTC with milliseconds. */
export const moment = z.string().meta({ format: 'date-time' })

/** A count, a position, a length of time. */
export const whole = z.number().int().min(0)

/** A whole number in an address. Digits and nothing else: Number() would also take an empty text, hexadecimal and 1e3. */
export const wholeText = z
  .string()
  .regex(/^\d{1,15}$/u, 'must be a whole number')
  .transform(Number)
  .meta({ type: 'integer', minimum: 0 })

/** Which part of a log is read. */
export const pageOfLog = z.object({
  after: wholeText.default(0).describe('A seq; 0 unless given: from the first on'),
  limit: wholeText
    .pipe(z.number().min(1).max(LIMITS.eventsPerPage))
    .meta({ type: 'integer', minimum: 1, maximum: LIMITS.eventsPerPage })
    .default(100)
    .describe('How many at most; 100 unless given. An export has all of them'),
})

/** An entry of a log, as exported: with the hash that chains it to the one before. */
export const chained = z.looseObject({
  seq: whole,
  type: z.string(),
  at: moment,
  actor: z.looseObject({ kind: z.string() }),
  payload: z.looseObject({}),
  hash: z.string(),
})
