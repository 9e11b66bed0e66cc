import { ERRORS, type AppError } from '../kernel/errors.ts'

/** An error as RFC 9457 problem details, with the same codes as the tools. */
export function problemResponse(error: AppError, requestId: string, headers: Record<string, string> = {}): Response {
  const { code, status, message, retryable, retryAfterMs, recovery, details } = error
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
  const retryAfter = retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...retryAfter, ...headers },
  })
}
