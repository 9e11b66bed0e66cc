import { z } from 'zod'
import type { ChainedEntry } from '../../src/journal/chain.ts'

const text = z.string()

// Strict: a field that the hash does not cover could say anything.
const Exported = z.strictObject({
  seq: z.number(),
  type: text,
  at: text,
  actor: z.union([
    z.strictObject({ kind: z.literal('system') }),
    z.strictObject({ kind: z.literal('user'), userId: text }),
    z.strictObject({ kind: z.literal('agent'), userId: text, sessionId: text, agentId: text }),
    // Of account logs.
    z.strictObject({ kind: z.literal('token'), userId: text, grantId: text }),
    z.strictObject({ kind: z.literal('client'), clientId: text }),
    z.strictObject({ kind: z.literal('anybody') }),
  ]),
  payload: z.record(text, z.unknown()),
  hash: text,
})

/** Something that should be an event is none; `message` says what is wrong with it, in printable text. */
export class NotAnEvent extends Error {}

/** The value itself, which is hashed as it came, once its shape holds. @throws NotAnEvent */
export function asEvent(value: unknown): ChainedEntry {
  const parsed = Exported.safeParse(value)
  if (parsed.success) return value as ChainedEntry
  const faults = parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.') || 'event'}: ${message}`)
  throw new NotAnEvent(`it is not an exported event (${faults.slice(0, 3).join('; ')})`)
}

/**
 * The events of an export, one line at a time, so that its size does not matter.
 *
 * @throws NotAnEvent naming the line.
 */
export async function* readExport(lines: AsyncIterable<string>): AsyncGenerator<ChainedEntry> {
  let number = 0
  for await (const line of lines) {
    number += 1
    try {
      yield asEvent(JSON.parse(line))
    } catch (error) {
      if (error instanceof SyntaxError) throw new NotAnEvent(`line ${number}: it is not JSON`, { cause: error })
      if (error instanceof NotAnEvent) throw new NotAnEvent(`line ${number}: ${error.message}`, { cause: error })
      throw error
    }
  }
}
