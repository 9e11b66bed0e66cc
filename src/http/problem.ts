import { AppError, ERRORS } from '../kernel/errors.ts'

const UNAVAILABLE_MS = 1_000

/** An error as RFC 9457 problem details, with the same codes as the tools. */
export function problemResponse(error: AppError, requestId: string): Response {
  const { code, status, message, retryable, challenge, recovery, details } = error
  // A 503 without a time would be repeated at once, by all callers together.
  const retryAfterMs = error.retryAfterMs ?? (status === 503 ? UNAVAILABLE_MS : undefined)
  const body = {
    type: `/docs/errors#${code.toLowerCase()}`,
    title: ERRORS[code].title,
    status,
    detail: message,
    code,
    retryable,
    recovery,
    requestId,
    ...details,
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) }),
      // RFC 9110 §15.5.2: a 401 says how to authenticate; RFC 6750 §3.1: a 403, which scope is missing.
      ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
    },
  })
}

/** For Allow (RFC 9110 section 10.2.1): with what follows from the methods by itself. */
export function allowedMethods(methods: readonly string[]): string {
  return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].join(', ')
}

/** RFC 9110 section 15.5.6. */
export function methodNotAllowed(methods: readonly string[], requestId: string): Response {
  const allowed = allowedMethods(methods)
  const response = problemResponse(new AppError('METHOD_NOT_ALLOWED', undefined, { details: { allowed } }), requestId)
  response.headers.set('Allow', allowed)
  return response
}
