import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { LABELS, type Metrics } from '../kernel/metrics.ts'

const METHODS = new Set<string>(LABELS.method)

/** Times every request by the template of its route; the path itself, which anybody can make up, is in no figure. */
export function requestMetrics(metrics: Metrics): MiddlewareHandler {
  return async (c, next) => {
    const took = metrics.timer('orkestrate_http_request_duration_seconds')
    await next()
    took({ route: routeOf(c), method: methodOf(c), status: `${Math.floor(c.res.status / 100)}xx` })
  }
}

/** Anybody can send any: one that we know, or `other`. */
export function methodOf(c: Context): string {
  return METHODS.has(c.req.method) ? c.req.method : 'other'
}

/** The template of the most precise route that fits; middleware is for many paths and has a `*`. */
export function routeOf(c: Context): string {
  return matchedRoutes(c).findLast(({ path }) => !path.includes('*'))?.path ?? 'other'
}

/** The templates that `routeOf` can give. */
export function routeTemplates(routes: readonly { readonly path: string }[]): string[] {
  return [...new Set(routes.map(({ path }) => path).filter((path) => !path.includes('*')))]
}
