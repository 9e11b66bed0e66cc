import { DrizzleQueryError } from 'drizzle-orm/errors'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { toAppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'

/** The error codes that we answer with, and their status where the answer is JSON (RFC 6749 §5.2, 7591 §3.2.2, 8707). */
const STATUS = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  invalid_scope: 400,
  invalid_target: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  access_denied: 403,
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  temporarily_unavailable: 503,
  server_error: 500,
} as const satisfies Record<string, ContentfulStatusCode>

export type OAuthErrorCode = keyof typeof STATUS

/** A refusal in OAuth's own words. `message` is public: the `error_description`, printable ASCII. */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode
  readonly status: ContentfulStatusCode
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: OAuthErrorCode,
    description: string,
    options: { status?: ContentfulStatusCode; retryAfterSeconds?: number } = {},
  ) {
    super(description)
    this.name = 'OAuthError'
    this.code = code
    this.status = options.status ?? STATUS[code]
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** Whatever was thrown, as an OAuth error: a database that is away is 503, everything unknown is logged and a 500. */
export function toOAuthError(thrown: unknown, log: Log): OAuthError {
  if (thrown instanceof OAuthError) return thrown
  const error = toAppError(thrown)
  if (error.code === 'UNAVAILABLE') {
    return new OAuthError('temporarily_unavailable', 'The service cannot reach its database just now.', {
      retryAfterSeconds: Math.ceil((error.retryAfterMs ?? 1_000) / 1_000),
    })
  }
  if (error.code === 'PAYLOAD_TOO_LARGE') {
    return new OAuthError('invalid_request', 'The request body is too large.', { status: 413 })
  }
  log.error({ err: withoutParameters(error.cause ?? error) }, 'an OAuth request failed')
  return new OAuthError('server_error', 'An unexpected error; nothing was changed.')
}

/** A failed query's message lists its parameters, among them password hashes: the log gets the database's words alone. */
export function withoutParameters(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error
}

/** RFC 6749 §5.2. */
export function renderOAuthError(c: Context, error: OAuthError): Response {
  c.header('Cache-Control', 'no-store')
  if (error.retryAfterSeconds !== undefined) c.header('Retry-After', String(error.retryAfterSeconds))
  return c.json({ error: error.code, error_description: error.message }, error.status)
}
