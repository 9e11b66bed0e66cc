import type { MiddlewareHandler } from 'hono'
import { tracedRequest } from '../kernel/trace.ts'
import { requestIdOf } from './request-log.ts'
import { methodOf, routeOf } from './request-metrics.ts'

/** A span for every request, by the template of its route, until its headers. */
export function requestTrace(): MiddlewareHandler {
  return (c, next) =>
    tracedRequest(
      'request',
      (name) => c.req.header(name),
      async (note) => {
        await next()
        const [method, route] = [methodOf(c), routeOf(c)]
        const status = c.res.status
        const facts = {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': status,
          'orkestrate.request_id': requestIdOf(c),
        }
        note(facts, `${method} ${route}`)
      },
    )
}
