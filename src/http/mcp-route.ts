import { Hono, type MiddlewareHandler } from 'hono'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Principal } from '../kernel/principal.ts'
import { readJson } from './json-body.ts'

/** What the route needs of auth and of mcp. */
export interface McpRouteDeps {
  authenticate(authorization: string | undefined): Promise<Principal | null>
  challenge(tokenSent: boolean): string
  /** @param stillThere throws where the token opens nothing any more: for answers that go on */
  serve(request: Request, principal: Principal, body: unknown, stillThere: () => Promise<void>): Promise<Response>
  /** Counts everything but tool calls, which count themselves: their refusal is a tool result. */
  readonly limited: (principal: Principal) => Promise<AppError | null>
  /** Origins that pages may call from beside those on loopback; requests without an Origin come from no browser. */
  readonly allowedOrigins: ReadonlySet<string>
}

/** Pages that a program on the person's own computer serves: the MCP Inspector, or a client that somebody writes. */
const LOOPBACK_ORIGIN = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/u

/** What a client in a page has to read of an answer: where to sign in, when to come again, and what to quote. */
const EXPOSED = 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, X-Request-Id'

/**
 * /api/mcp. Before anything else, and for every method, the token: clients learn from the 401 where to sign in, and
 * Codex asks with GET and another protocol version (reference: RFC 9728 section 5.1).
 */
export function createMcpRoute(deps: McpRouteDeps): Hono {
  const app = new Hono()
  const mayCall = (origin: string) => deps.allowedOrigins.has(origin) || LOOPBACK_ORIGIN.test(origin)
  app.use('/', letPagesIn(mayCall))

  app.all('/', async (c) => {
    const authorization = c.req.header('authorization')
    const principal = await deps.authenticate(authorization)
    if (principal === null) {
      throw new AppError('UNAUTHENTICATED', undefined, { challenge: deps.challenge(authorization !== undefined) })
    }
    const origin = c.req.header('origin')
    // MCP 2026-07-28 transports, "Security Warning": DNS rebinding.
    if (origin !== undefined && !mayCall(origin)) throw new AppError('FORBIDDEN_ORIGIN')
    const stillThere = async () => {
      if ((await deps.authenticate(authorization)) === null) throw new AppError('UNAUTHENTICATED')
    }
    if (c.req.method !== 'POST') {
      await checkRate(deps, principal)
      return deps.serve(c.req.raw, principal, undefined, stillThere)
    }
    return servePost(deps, c.req.raw, principal, stillThere)
  })

  return app
}

/**
 * CORS (Fetch section 3.2) for the pages that may call, and nothing for all the others. A page brings the token that it
 * was given: no cookie is read here, so credentials are not allowed. The question before a call has no token and gets an
 * answer all the same.
 */
function letPagesIn(mayCall: (origin: string) => boolean): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header('origin')
    if (origin === undefined || !mayCall(origin)) return next()
    if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined) {
      c.header('Access-Control-Allow-Methods', 'GET, POST, DELETE')
      const asked = c.req.header('access-control-request-headers')
      if (asked !== undefined) c.header('Access-Control-Allow-Headers', asked)
      c.header('Access-Control-Max-Age', '600')
      c.header('Access-Control-Allow-Origin', origin)
      c.header('Vary', 'Origin, Access-Control-Request-Headers')
      return c.body(null, 204)
    }
    await next()
    c.header('Access-Control-Allow-Origin', origin)
    c.header('Access-Control-Expose-Headers', EXPOSED)
    c.header('Vary', 'Origin', { append: true })
    return undefined
  }
}

async function servePost(
  deps: McpRouteDeps,
  request: Request,
  principal: Principal,
  stillThere: () => Promise<void>,
): Promise<Response> {
  let body: unknown
  try {
    body = await readJson(request, { bytes: LIMITS.mcpBodyBytes, depth: LIMITS.jsonDepth })
  } catch (thrown) {
    // What cannot be read as JSON is told in JSON-RPC, with a null id (JSON-RPC 2.0 section 5.1).
    if (thrown instanceof AppError && thrown.code === 'INVALID_INPUT') return rpcError(PARSE_ERROR, thrown.message)
    throw thrown
  }
  // One batch of 1 MiB is 22,000 tools/list, a quarter of a gigabyte of answers, for one call of the rate limit. MCP has
  // had none since 2025-06-18, and no client that we know ever sent one.
  if (Array.isArray(body)) return rpcError(INVALID_REQUEST, 'Send one message in each request: batches are not served.')
  if (!isToolCall(body)) await checkRate(deps, principal)
  return deps.serve(request, principal, body, stillThere)
}

async function checkRate(deps: McpRouteDeps, principal: Principal): Promise<void> {
  const limited = await deps.limited(principal)
  if (limited !== null) throw limited
}

function isToolCall(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'method' in body && body.method === 'tools/call'
}

const PARSE_ERROR = -32700
const INVALID_REQUEST = -32600

function rpcError(code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', id: null, error: { code, message } }, { status: 400 })
}
