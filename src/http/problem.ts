import { ERRORS, type AppError } from '../kernel/errors.ts'

/** An error as RFC 9457 problem details, with the same codes as the tools. */
export function problemResponse(error: AppError, requestId: string): Response {
  const { code, status, message, retryable, retryAfterMs, challenge, recovery, details } = error
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
      // RFC 9110 section 15.5.2: a 401 says how to authenticate.
      ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
    },
  })
}
