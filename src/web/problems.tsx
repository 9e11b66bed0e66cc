import type { Context } from 'hono'
import type { AppError, ErrorCode } from '../kernel/errors.ts'
import { currentRequestId } from '../kernel/request-context.ts'
import { pageHeaders } from './page-headers.ts'
import { type Problem, ProblemPage } from './pages/problem.tsx'
import { renderPage } from './render.ts'

/** Without `happened` the error's own message says it. */
type Row = Omit<Problem, 'happened'> & Partial<Pick<Problem, 'happened'>>

/** What people can meet on a page. The table of errors (kernel/errors.ts) speaks to programs. */
const PROBLEMS: Readonly<Partial<Record<ErrorCode, Row>>> = {
  NOT_FOUND: {
    status: 404,
    title: 'There is no such page',
    happened: 'Nothing is at this address, or you may not see it.',
    next: 'Check the address for typing errors, or begin at the start page.',
  },
  FORBIDDEN_ORIGIN: {
    status: 403,
    title: 'This is not allowed',
    next: 'Nothing was done. If you did not mean to send anything here, close this window.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'This is too large',
    happened: 'What was sent is larger than any form of ours, so nothing was done.',
    next: 'Go back and enter less.',
  },
  RATE_LIMITED: {
    status: 429,
    title: 'Too much at once',
    next: 'Nothing was done. Wait for as long as it says, then reload this page.',
  },
  UNAVAILABLE: {
    status: 503,
    title: 'Try again in a moment',
    next: 'Reload this page in a few seconds. If it stays away, tell whoever runs this server.',
  },
}

const UNEXPECTED: Row = {
  status: 500,
  title: 'Something went wrong',
  next: 'Try again. If it keeps failing, tell whoever runs this server, with the request below.',
}

/** An error as it is told to a person. */
export function problemOf({ code, message, retryAfterMs }: AppError): Problem {
  const problem = { happened: message, ...(PROBLEMS[code] ?? UNEXPECTED) }
  return retryAfterMs === undefined ? problem : { ...problem, retryAfterSeconds: Math.ceil(retryAfterMs / 1_000) }
}

/** Answers with the page of a problem; the route's middleware adds the headers (pageHeaders). */
export function renderProblem(c: Context, problem: Problem): Promise<Response> {
  if (problem.retryAfterSeconds !== undefined) c.header('Retry-After', String(problem.retryAfterSeconds))
  return renderPage(c, <ProblemPage problem={problem} requestId={currentRequestId()} />, problem.status)
}

/**
 * Does a browser ask for a page? Below /api and /.well-known are programs, and some of those say that they take HTML
 * (Java's default Accept begins with it).
 */
export function wantsPage(request: Request): boolean {
  const { pathname } = new URL(request.url)
  const forPrograms = /^\/(api|\.well-known)(\/|$)/u.test(pathname)
  return !forPrograms && /\btext\/html\b/iu.test(request.headers.get('accept') ?? '')
}

/** The same with the headers of a page, where no route was found that would add them. */
export function problemPages(publicUrl: string): (c: Context, error: AppError) => Promise<Response> {
  const headers = pageHeaders(publicUrl)
  return async (c, error) => {
    await headers(c, async () => {
      c.res = await renderProblem(c, problemOf(error))
    })
    return c.res
  }
}
