import {
  createMcpHandler,
  ProtocolError,
  Server,
  type AuthInfo,
  type Implementation,
  type McpRequestContext,
  type ServerEventBus,
} from '@modelcontextprotocol/server'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv'
import { UnknownToolError, type Dispatch } from '../kernel/dispatch.ts'
import { toAppError, type AppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Resources } from '../kernel/resource.ts'
import type { StreamSource } from '../kernel/stream.ts'
import { describe } from './describe.ts'
import { INSTRUCTIONS } from './instructions.ts'
import { isListen, listen, namedUris } from './listen.ts'
import { createPlainCallRecogniser, type PlainCall, type RecognisePlainCall } from './plain-call.ts'
import { protocolError, serveResources, type Answering } from './resources.ts'
import { createReplies, toCallToolResult } from './result.ts'

const INVALID_PARAMS = -32602

/** Tools and templates change with a deployment only, the list of resources with a membership, their content at any time. */
const cached = (ttlMs: number) => ({ ttlMs, cacheScope: 'private' as const })
const DEPLOYED = cached(300_000)
const LISTED = cached(10_000)
const CONTENT = cached(1_000)

export interface McpEndpoint {
  /**
   * Serves one authenticated HTTP request, in either protocol generation: 2026-07-28 and the ones from 2025. Nothing is
   * kept between requests.
   *
   * @param body the parsed JSON body of a POST; undefined for other methods
   * @param stillThere throws where the caller's token opens nothing any more
   * @throws AppError UNAVAILABLE when the database cannot be reached; RATE_LIMITED for one stream too many
   */
  serve(request: Request, principal: Principal, body: unknown, stillThere: () => Promise<void>): Promise<Response>
  close(): Promise<void>
}

export interface McpDeps {
  readonly tools: readonly Parameters<typeof describe>[0][]
  readonly dispatch: Dispatch
  readonly resources: Resources
  /** Where streams are counted, kept alive, and ended. */
  readonly streams: { open(source: StreamSource, kind: 'mcp', request: Request): Promise<Response> }
  readonly version: string
  readonly log: Log
  /** Which calls are answered without the SDK; default: those of `createPlainCallRecogniser`. */
  readonly recognise?: RecognisePlainCall
}

/**
 * A plain `tools/call` is answered here, everything else by the SDK, which makes a server for each request: 20 times the
 * cost. Both dispatch alike and send the same bytes.
 */
export function createMcpEndpoint(deps: McpDeps): McpEndpoint {
  const serverInfo = { name: 'orkestrate', title: 'Orkestrate', version: deps.version }
  const recognise = deps.recognise ?? createPlainCallRecogniser()
  const replies = createReplies(serverInfo)
  const sdk = throughSdk(deps, serverInfo)

  const answer = async (principal: Principal, call: PlainCall): Promise<Response> => {
    try {
      return replies.result(call, toCallToolResult(await deps.dispatch(principal, call.name, call.input)))
    } catch (thrown) {
      const { error, outage } = told(thrown, deps.log)
      if (outage !== null) throw outage
      return replies.error(call, error)
    }
  }

  return {
    async serve(request, principal, body, stillThere) {
      const call = recognise(request, body)
      return call === null ? sdk.serve(request, principal, body, stillThere) : answer(principal, call)
    },
    close: () => sdk.close(),
  }
}

function throughSdk(deps: McpDeps, serverInfo: Implementation): McpEndpoint {
  // The SDK carries AuthInfo through unchanged; what belongs to it stays on our side.
  const exchanges = new WeakMap<AuthInfo, Exchange>()
  const buildServer = serverFactory(deps, serverInfo, ({ authInfo }) => {
    const exchange = authInfo === undefined ? undefined : exchanges.get(authInfo)
    if (exchange === undefined) throw new Error('a request reached the protocol without a principal')
    return exchange
  })
  const options = {
    legacy: 'stateless' as const,
    onerror: (err: Error) => deps.log.debug({ err }, 'a request was refused by the protocol'),
  }
  const handler = createMcpHandler(buildServer, options)

  return {
    async serve(request, principal, body, stillThere) {
      const { clientId, scopes } = principal
      const authInfo: AuthInfo = { token: '', clientId, scopes: [...scopes] }
      const exchange: Exchange = { principal, failure: null }
      exchanges.set(authInfo, exchange)
      if (isListen(body)) {
        const watched = await deps.resources.watch(principal, namedUris(body), stillThere)
        const sdk = (bus: ServerEventBus) => createMcpHandler(buildServer, { ...options, bus, keepAliveMs: 0 })
        return listen(sdk, deps.streams, watched, { request, authInfo, body })
      }
      const fetched = await handler.fetch(request, body === undefined ? { authInfo } : { authInfo, parsedBody: body })
      const response = await whole(fetched)
      // An outage is HTTP's to tell (503, Retry-After): a JSON-RPC error inside a 200 would look like an answer.
      if (exchange.failure !== null) throw exchange.failure
      return response
    },
    close: () => handler.close(),
  }
}

/** A server for each request, as the SDK wants it; everything that can be made once is. */
function serverFactory(
  deps: McpDeps,
  serverInfo: Implementation,
  exchangeOf: (context: McpRequestContext) => Exchange,
) {
  const { resources, dispatch, log } = deps
  const listed = deps.tools.map(describe)
  const options = {
    instructions: INSTRUCTIONS,
    // One validator for all: `new Ajv()` per request was 31 % of its cost.
    jsonSchemaValidator: new AjvJsonSchemaValidator(),
    cacheHints: {
      'tools/list': DEPLOYED,
      'server/discover': DEPLOYED,
      'resources/templates/list': DEPLOYED,
      'resources/list': LISTED,
      'resources/read': CONTENT,
    },
  }

  return (context: McpRequestContext): Server => {
    // In the older generation `subscribe` would announce resources/subscribe, which needs a connection that remembers.
    const capabilities = { tools: {}, resources: context.era === 'modern' ? { subscribe: true } : {} }
    const server = new Server(serverInfo, { ...options, capabilities })
    const answer: Answering = (work) => answered(exchangeOf(context), log, work)
    server.setRequestHandler('tools/list', () => ({ tools: listed }))
    server.setRequestHandler('tools/call', ({ params }) =>
      answer(async (principal) => toCallToolResult(await dispatch(principal, params.name, params.arguments))),
    )
    serveResources(server, resources, answer)
    return server
  }
}

async function answered<T>(exchange: Exchange, log: Log, work: (principal: Principal) => Promise<T>): Promise<T> {
  try {
    return await work(exchange.principal)
  } catch (thrown) {
    const { error, outage } = told(thrown, log)
    if (outage !== null) exchange.failure = outage
    throw error
  }
}

/** What went wrong, as the protocol tells it; and the outage, if it is one, since that is for HTTP to tell. */
function told(thrown: unknown, log: Log): { error: ProtocolError; outage: AppError | null } {
  if (thrown instanceof ProtocolError) return { error: thrown, outage: null }
  if (thrown instanceof UnknownToolError) {
    const error = new ProtocolError(INVALID_PARAMS, thrown.message, { nearest: thrown.nearest })
    return { error, outage: null }
  }
  const error = toAppError(thrown)
  if (error.code === 'INTERNAL') log.error({ err: thrown }, 'a request of the protocol failed')
  return { error: protocolError(error), outage: error.code === 'UNAVAILABLE' ? error : null }
}

/**
 * The response once all of it is there. For clients of 2025 the SDK opens a stream, with status 200, before the handler has
 * run. Handlers answer within seconds and send nothing before their result, so nobody waits longer for this.
 */
async function whole(response: Response): Promise<Response> {
  const { status, headers } = response
  const text = await response.text()
  return new Response(text === '' ? null : text, { status, headers })
}

/** One HTTP request on its way through the SDK. */
interface Exchange {
  readonly principal: Principal
  failure: AppError | null
}
