import { Hono } from 'hono'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Principal } from '../kernel/principal.ts'
import type { RateLimiter } from '../kernel/rate-limit.ts'
import { readJson } from './json-body.ts'

/** What the route needs of auth and of mcp. */
export interface McpRouteDeps {
  authenticate(authorization: string | undefined): Promise<Principal | null>
  challenge(tokenSent: boolean): string
  serve(request: Request, principal: Principal, body: unknown): Promise<Response>
  /** Counts everything but tool calls, which count themselves: their refusal is a tool result. */
  readonly limiter: RateLimiter
  /** Origins that browsers may call from; requests without an Origin come from no browser. */
  readonly allowedOrigins: ReadonlySet<string>
}

/**
 * /api/mcp. Before anything else, and for every method, the token: clients learn from the 401 where to sign in, and
 * Codex asks with GET and another protocol version (reference: RFC 9728 section 5.1).
 */
export function createMcpRoute(deps: McpRouteDeps): Hono {
  const app = new Hono()

  app.all('/', async (c) => {
    const authorization = c.req.header('authorization')
    const principal = await deps.authenticate(authorization)
    if (principal === null) {
      throw new AppError('UNAUTHENTICATED', undefined, { challenge: deps.challenge(authorization !== undefined) })
    }
    const origin = c.req.header('origin')
    // MCP 2026-07-28 transports, "Security Warning": DNS rebinding.
    if (origin !== undefined && !deps.allowedOrigins.has(origin)) throw new AppError('FORBIDDEN_ORIGIN')
    if (c.req.method !== 'POST') {
      checkRate(deps.limiter, principal)
      return deps.serve(c.req.raw, principal, undefined)
    }
    return servePost(deps, c.req.raw, principal)
  })

  return app
}

async function servePost(deps: McpRouteDeps, request: Request, principal: Principal): Promise<Response> {
  let body: unknown
  try {
    body = await readJson(request, { bytes: LIMITS.mcpBodyBytes, depth: LIMITS.jsonDepth })
  } catch (thrown) {
    // What cannot be read as JSON is told in JSON-RPC, with a null id (JSON-RPC 2.0 section 5.1).
    if (thrown instanceof AppError && thrown.code === 'INVALID_INPUT') return parseError(thrown)
    throw thrown
  }
  if (!isToolCall(body)) checkRate(deps.limiter, principal)
  return deps.serve(request, principal, body)
}

function checkRate(limiter: RateLimiter, principal: Principal): void {
  const retryAfterMs = limiter(principal.grantId)
  if (retryAfterMs > 0) throw new AppError('RATE_LIMITED', undefined, { retryAfterMs })
}

function isToolCall(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'method' in body && body.method === 'tools/call'
}

const PARSE_ERROR = -32700

function parseError(error: AppError): Response {
  return Response.json(
    { jsonrpc: '2.0', id: null, error: { code: PARSE_ERROR, message: error.message } },
    { status: 400 },
  )
}
