import type { z } from 'zod'
import { AppError } from './errors.ts'
import { isStorable } from './text.ts'

/** @throws AppError INVALID_INPUT with everything that is wrong */
export function parseInput(schema: z.ZodType, value: unknown): unknown {
  if (!isStorable(value)) throw invalidInput([{ path: '', message: 'text must be well-formed Unicode without NUL' }])
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalidInput(parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })))
}

export function invalidInput(issues: readonly { path: string; message: string }[]): AppError {
  return new AppError('INVALID_INPUT', undefined, { details: { issues } })
}

/** Parameters that are there once as text, the others as lists. */
export function singleOrList(queries: Readonly<Record<string, readonly string[]>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(queries).map(([name, all]) => [name, all.length === 1 ? all[0] : all]))
}
