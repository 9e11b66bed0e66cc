import type { Context, MiddlewareHandler } from 'hono'
import { newId } from '../kernel/ids.ts'
import type { Log } from '../kernel/log.ts'

const requestIds = new WeakMap<Request, string>()

/** The id of this request, in its log lines, its answer's X-Request-Id, and every error it gets. */
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
    await next()
    c.header('X-Request-Id', requestId)
    const { method, path } = c.req
    const ms = Math.round((performance.now() - started) * 10) / 10
    log.info({ requestId, method, path: loggablePath(path), status: c.res.status, ms }, 'request')
  }
}

/** Paths are ours and hold no secret, but a caller can put anything there. */
function loggablePath(path: string): string {
  return path.length > 200 || /ork_/iu.test(path) ? `${path.slice(0, 40).replace(/ork_.*/iu, '')}…` : path
}
