import { DrizzleQueryError } from 'drizzle-orm/errors'
import postgres from 'postgres'
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
  for (const error of causes(thrown)) if ('code' in error && typeof error.code === 'string') return error.code
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

/**
 * A statement that failed, as it may be logged: what PostgreSQL says, and the statement without its values. Those are
 * e-mail addresses, hashes and people's texts; drizzle puts them into the message and `params`, PostgreSQL into `detail`
 * and `where`, and for data exceptions (class 22) into the message itself.
 */
export class StatementError extends Error {
  override readonly name = 'StatementError'
  /** SQLSTATE. */
  readonly code: string
  readonly query: string | undefined
  readonly constraint: string | undefined

  constructor(failed: Error, code: string, query: string | undefined) {
    const [said] = causes(failed).slice(-1)
    super(code.startsWith('22') || said === undefined ? `data exception ${code}` : said.message)
    this.code = code
    this.query = query
    this.constraint = said !== undefined && 'constraint_name' in said ? String(said.constraint_name) : undefined
    const frames = failed.stack?.split(failed.message)[1]
    if (frames !== undefined) this.stack = `${this.name}: ${this.message}${frames}`
  }
}

/** The error and what caused it, outermost first. */
function causes(thrown: unknown): Error[] {
  const chain: Error[] = []
  for (let error = thrown; error instanceof Error && chain.length < 5; error = error.cause) chain.push(error)
  return chain
}

/** True where the server, or our way into it, is what is wrong: no answer, no such user or database, a faulty URL. */
export function isDatabaseOutOfReach(thrown: unknown): thrown is Error {
  if (!(thrown instanceof Error)) return false
  const code = databaseErrorCode(thrown) ?? ''
  return isUnavailable(code) || /^(28|3D)/.test(code) || thrown instanceof URIError
}

function isUnavailable(code: string): boolean {
  return UNAVAILABLE_CODES.has(code) || UNAVAILABLE_STATES.test(code)
}

/** disk_full: what is there can be read, and nothing can be added. */
const DISK_FULL = '53100'

const NO_ROOM =
  'The database has no room to write: its disk is full. Reading goes on, and so does writing once whoever runs the server ' +
  'has made room; nothing is lost.'

/** The one place where the database's errors become ours; anything unknown passes through and is a bug. */
export function fromDatabaseError(thrown: unknown): unknown {
  if (thrown instanceof AppError) return thrown
  const code = databaseErrorCode(thrown)
  if (code === undefined) return thrown
  if (code === DISK_FULL) {
    const details = { reason: 'storage_full' }
    return new AppError('UNAVAILABLE', NO_ROOM, { details, retryAfterMs: 5_000, cause: withoutValues(thrown, code) })
  }
  if (isUnavailable(code) || SERIALIZATION.has(code)) {
    return new AppError('UNAVAILABLE', undefined, { retryAfterMs: 1000, cause: withoutValues(thrown, code) })
  }
  return withoutValues(thrown, code)
}

function withoutValues(thrown: unknown, code: string): unknown {
  if (thrown instanceof DrizzleQueryError) return new StatementError(thrown, code, thrown.query)
  if (thrown instanceof postgres.PostgresError) return new StatementError(thrown, code, undefined)
  return thrown
}
