import type { AuthInfo, McpHttpHandler, ServerEvent, ServerEventBus } from '@modelcontextprotocol/server'
import type { WatchedResources } from '../kernel/resource.ts'
import type { StreamSource } from '../kernel/stream.ts'

export function isListen(body: unknown): body is object {
  return typeof body === 'object' && body !== null && 'method' in body && body.method === 'subscriptions/listen'
}

/** The URIs that the request names; none where it is malformed, which the SDK tells its sender. */
export function namedUris(body: object): readonly string[] {
  const uris: unknown = filterOf(body)?.['resourceSubscriptions']
  return Array.isArray(uris) && uris.every((uri) => typeof uri === 'string') ? uris : []
}

/**
 * `subscriptions/listen` (MCP 2026-07-28). The SDK checks the request, narrows it to what we announce, and words every
 * message; what it cannot do is around it. Its bus tells all listeners of the process alike, whoever they are, and it
 * queues for a reader without a bound. So each stream has an SDK handler of its own, with a bus of its own that hears of
 * this reader's resources only, and of the next ones when the reader has taken the last.
 *
 * @throws AppError where there may be no stream
 */
export async function listen(
  sdk: (bus: ServerEventBus) => McpHttpHandler,
  streams: { open(source: StreamSource, kind: 'mcp', request: Request): Promise<Response> },
  watched: WatchedResources,
  { request, authInfo, body }: { request: Request; authInfo: AuthInfo; body: object },
): Promise<Response> {
  const bus = createListenBus()
  const handler = sdk(bus)
  const response = await handler.fetch(request, { authInfo, parsedBody: narrowed(body, watched.uris) })
  // Refused, or nothing to listen to, which the SDK acknowledges and ends.
  if (!bus.listened || response.body === null) return response
  const said = response.body
  try {
    const chunks = (signal: AbortSignal) => listenChunks(said, { handler, bus }, watched, signal)
    return await streams.open({ ...watched, chunks }, 'mcp', request)
  } catch (thrown) {
    await handler.close()
    throw thrown
  }
}

/** A bus with one listener. */
interface ListenBus extends ServerEventBus {
  /** Whether the SDK accepted the request and listens. */
  readonly listened: boolean
}

function createListenBus(): ListenBus {
  let listener: ((event: ServerEvent) => void) | null = null
  return {
    get listened() {
      return listener !== null
    },
    publish: (event) => listener?.(event),
    subscribe(listen) {
      listener = listen
      return () => {
        listener = null
      }
    },
  }
}

/** The same request for these URIs only: what its acknowledgement says. */
function narrowed(body: object, uris: readonly string[]): object {
  const filter = filterOf(body)
  if (filter === null || namedUris(body).length === 0) return body
  const params = 'params' in body ? body.params : undefined
  return { ...body, params: { ...Object(params), notifications: { ...filter, resourceSubscriptions: uris } } }
}

function filterOf(body: object): Readonly<Record<string, unknown>> | null {
  const params: unknown = 'params' in body ? body.params : undefined
  if (typeof params !== 'object' || params === null || !('notifications' in params)) return null
  const filter = params.notifications
  return typeof filter === 'object' && filter !== null ? { ...filter } : null
}

/**
 * What the SDK says on its stream: the acknowledgement, then a message for each change, at the end the request's result.
 * Every message is one chunk of the SDK's, made as it is published, so nothing waits there.
 */
async function* listenChunks(
  said: ReadableStream<Uint8Array>,
  sdk: { readonly handler: McpHttpHandler; readonly bus: ListenBus },
  watched: WatchedResources,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const messages = said.pipeThrough(new TextDecoderStream()).getReader()
  const next = async () => (await messages.read()).value ?? ''
  yield await next()
  for await (const uris of watched.updates(signal)) {
    let text = ''
    for (const uri of uris) {
      sdk.bus.publish({ kind: 'resource_updated', uri })
      text += await next()
    }
    // Nothing comes any more: the request was cancelled.
    if (!sdk.bus.listened) return
    yield text
  }
  await sdk.handler.close()
  yield await next()
}
