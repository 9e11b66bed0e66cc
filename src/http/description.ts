import { Hono } from 'hono'
import { entityTag, isKnown, versionOf } from './conditions.ts'
import { allowedMethods, methodNotAllowed } from './problem.ts'
import { requestIdOf } from './request-log.ts'

const PATH = '/api/openapi.json'
const METHODS = ['GET']

/** Any page may read it, with its condition: tools that show and try APIs run in browsers, on pages of their own. */
const OPEN = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'ETag' }
const PREFLIGHT = { 'Access-Control-Allow-Methods': 'GET', 'Access-Control-Allow-Headers': 'If-None-Match' }

/** GET /api/openapi.json: the OpenAPI document. */
export function createDescription(document: object): Hono {
  const json = JSON.stringify(document)
  const version = versionOf(json)
  const app = new Hono()
  app.get(PATH, (c) => {
    const headers = { ...OPEN, ETag: entityTag(version), 'Cache-Control': 'public, max-age=300' }
    if (isKnown(c.req.raw.headers, version)) return c.body(null, 304, headers)
    return c.body(json, 200, { ...headers, 'Content-Type': 'application/json' })
  })
  app.options(PATH, (c) => c.body(null, 204, { ...OPEN, ...PREFLIGHT, Allow: allowedMethods(METHODS) }))
  app.all(PATH, (c) => methodNotAllowed(METHODS, requestIdOf(c)))
  return app
}
