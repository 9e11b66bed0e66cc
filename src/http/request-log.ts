import type { Context, MiddlewareHandler } from 'hono'
import { newId } from '../kernel/ids.ts'
import type { Log } from '../kernel/log.ts'
import { withRequestId } from '../kernel/request-context.ts'

const requestIds = new WeakMap<Request, string>()

/** The id of this request, in its log lines (see createLog), its answer's X-Request-Id, and every error it gets. */
export function requestIdOf(c: Context): string {
  const known = requestIds.get(c.req.raw)
  if (known !== undefined) return known
  const id = newId('req')
  requestIds.set(c.req.raw, id)
  return id
}

/**
 * One line per request: method, path, status, time. Never a query string, a header or a body: that is where tokens,
 * codes and cookies are.
 */
export function requestLog(log: Log): MiddlewareHandler {
  return async (c, next) => {
    const requestId = requestIdOf(c)
    const started = performance.now()
    await withRequestId(requestId, next)
    // c.header would make the finished answer anew, its body as a stream: more than all else that a trivial call costs.
    c.res.headers.set('X-Request-Id', requestId)
    const { method, path } = c.req
    const ms = Math.round((performance.now() - started) * 10) / 10
    log.info({ requestId, method, path: loggablePath(path), status: c.res.status, ms }, 'request')
  }
}

/**
 * Our paths hold no secret, but callers put anything there, in any encoding: a segment that none of our routes and ids
 * could have (the longest has 29 characters, an encoded token more than 40) is not shown.
 */
function loggablePath(path: string): string {
  const segments = path.split('/').map((part) => (/^[\w.-]{0,40}$/.test(part) && !/ork_/i.test(part) ? part : '…'))
  return segments.length > 12 ? `${segments.slice(0, 12).join('/')}/…` : segments.join('/')
}
