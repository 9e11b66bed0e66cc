import {
  createMcpHandler,
  ProtocolError,
  Server,
  type AuthInfo,
  type McpRequestContext,
} from '@modelcontextprotocol/server'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv'
import { UnknownToolError, type Dispatch } from '../kernel/dispatch.ts'
import { AppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal } from '../kernel/principal.ts'
import { describe } from './describe.ts'
import { INSTRUCTIONS } from './instructions.ts'
import { toCallToolResult } from './result.ts'

const INVALID_PARAMS = -32602

/** Tool lists change with a deployment only. */
const LIST_TTL_MS = 300_000

export interface McpEndpoint {
  /**
   * Serves one authenticated HTTP request, in either protocol generation: 2026-07-28 and the ones from 2025. Nothing is
   * kept between requests.
   *
   * @param body the parsed JSON body of a POST; undefined for other methods
   * @throws AppError UNAVAILABLE when the database cannot be reached
   */
  serve(request: Request, principal: Principal, body: unknown): Promise<Response>
  close(): Promise<void>
}

export function createMcpEndpoint(deps: {
  tools: readonly Parameters<typeof describe>[0][]
  dispatch: Dispatch
  version: string
  log: Log
}): McpEndpoint {
  const listed = deps.tools.map(describe)
  const serverInfo = { name: 'orkestrate', title: 'Orkestrate', version: deps.version }
  const options = {
    capabilities: { tools: {} },
    instructions: INSTRUCTIONS,
    // One validator for all: `new Ajv()` per request was 31 % of its cost.
    jsonSchemaValidator: new AjvJsonSchemaValidator(),
    cacheHints: {
      'tools/list': { ttlMs: LIST_TTL_MS, cacheScope: 'private' as const },
      'server/discover': { ttlMs: LIST_TTL_MS, cacheScope: 'private' as const },
    },
  }
  // The SDK carries AuthInfo through unchanged; what belongs to it stays on our side.
  const exchanges = new WeakMap<AuthInfo, Exchange>()

  function buildServer(context: McpRequestContext): Server {
    const server = new Server(serverInfo, options)
    server.setRequestHandler('tools/list', () => ({ tools: listed }))
    server.setRequestHandler('tools/call', async ({ params }) => {
      const exchange = context.authInfo === undefined ? undefined : exchanges.get(context.authInfo)
      if (exchange === undefined) throw new Error('a tool call reached the protocol without a principal')
      return callTool(exchange, params.name, params.arguments)
    })
    return server
  }

  async function callTool(exchange: Exchange, name: string, input: unknown) {
    try {
      return toCallToolResult(await deps.dispatch(exchange.principal, name, input))
    } catch (thrown) {
      if (thrown instanceof UnknownToolError) {
        throw new ProtocolError(INVALID_PARAMS, thrown.message, { nearest: thrown.nearest })
      }
      if (thrown instanceof AppError) exchange.failure = thrown
      throw thrown
    }
  }

  const handler = createMcpHandler(buildServer, {
    legacy: 'stateless',
    onerror: (err) => deps.log.debug({ err }, 'a request was refused by the protocol'),
  })

  return {
    async serve(request, principal, body) {
      const { clientId, scopes } = principal
      const authInfo: AuthInfo = { token: '', clientId, scopes: [...scopes] }
      const exchange: Exchange = { principal, failure: null }
      exchanges.set(authInfo, exchange)
      const response = await handler.fetch(request, body === undefined ? { authInfo } : { authInfo, parsedBody: body })
      if (!callsTool(body)) return response
      // The generation of 2025 is answered with a stream whose head is there before the tool has run. An outage is HTTP's
      // to tell (503, Retry-After): a JSON-RPC error inside a 200 would look like an answer.
      const text = await response.text()
      if (exchange.failure !== null) throw exchange.failure
      return new Response(text, response)
    },
    close: () => handler.close(),
  }
}

/** Whether a message, or one of a batch, calls a tool: its answer ends by itself, as that of a subscription does not. */
function callsTool(body: unknown): boolean {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body]
  return messages.some(
    (message) =>
      typeof message === 'object' && message !== null && 'method' in message && message.method === 'tools/call',
  )
}

/** One HTTP request on its way through the SDK. */
interface Exchange {
  readonly principal: Principal
  failure: AppError | null
}
