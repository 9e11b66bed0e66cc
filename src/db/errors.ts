import { AppError } from '../kernel/errors.ts'

/** SQLSTATEs after which the same transaction may simply be run again (PostgreSQL manual, appendix A, class 40). */
const SERIALIZATION = new Set(['40001', '40P01'])

/**
 * SQLSTATE classes and codes that mean "not now": connection trouble (08), out of resources or disk (53), shutting down
 * or starting up (57P0x), cancelled by our own timeouts (57014, 55P03, 25P03).
 */
const UNAVAILABLE_STATES = /^(08|53|57P0)|^(57014|55P03|25P03|25P04)$/

/** What postgres.js and Node's sockets report before there is a server to answer with a SQLSTATE. */
const UNAVAILABLE_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
])

/** The SQLSTATE or socket code of what was thrown; drizzle wraps the driver's error as `cause`. */
export function databaseErrorCode(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth += 1) {
    if ('code' in error && typeof error.code === 'string') return error.code
  }
  return undefined
}

/** True where running the whole transaction again is the right answer. */
export function isSerializationFailure(thrown: unknown): boolean {
  return SERIALIZATION.has(databaseErrorCode(thrown) ?? '')
}

/** True for a unique violation (23505), which a few stores expect and turn into a decision. */
export function isUniqueViolation(thrown: unknown): boolean {
  return databaseErrorCode(thrown) === '23505'
}

/** The one place where the database's errors become ours; anything unknown passes through and is a bug. */
export function fromDatabaseError(thrown: unknown): unknown {
  if (thrown instanceof AppError) return thrown
  const code = databaseErrorCode(thrown)
  if (code === undefined) return thrown
  if (UNAVAILABLE_CODES.has(code) || UNAVAILABLE_STATES.test(code) || SERIALIZATION.has(code)) {
    return new AppError('UNAVAILABLE', undefined, { retryAfterMs: 1000, cause: thrown })
  }
  return thrown
}
