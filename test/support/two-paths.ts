import type { Dispatch } from '../../src/kernel/dispatch.ts'
import { toAppError } from '../../src/kernel/errors.ts'
import type { Log } from '../../src/kernel/log.ts'
import type { Principal } from '../../src/kernel/principal.ts'
import { createMcpEndpoint, type McpDeps } from '../../src/mcp/handler.ts'
import { createPlainCallRecogniser } from '../../src/mcp/plain-call.ts'
import { tools } from '../../src/modules/index.ts'

export const VERSIONS = ['2025-06-18', '2025-11-25', '2026-07-28'] as const

export const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': { roots: { listChanged: true }, elicitation: { form: {}, url: {} } },
}

export const ADA: Principal = {
  userId: 'usr_ada',
  userName: 'Ada',
  grantId: 'gr_ada',
  clientId: 'cl_ada',
  clientName: 'Claude Code',
  scopes: ['mcp:read', 'mcp:write'],
  workspaceId: null,
}

/** Everything that a client can tell of an answer, and what became of the call behind it. */
export interface Outcome {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly bytes: string
  readonly dispatched: readonly unknown[]
}

export interface TwoPaths {
  /** The same request by both ways; `plain` says whether the first answered without the SDK. */
  send(request: Request, body: unknown, principal?: Principal): Promise<{ plain: boolean; own: Outcome; sdk: Outcome }>
  close(): Promise<void>
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }
const nothing = (): never => {
  throw new Error('no part of this test')
}

/**
 * The product's endpoint, and one that hands everything to the SDK. What the first one's dispatch answered, or threw, the
 * other's does again: what differs then is the path.
 */
export function createTwoPaths(dispatch: Dispatch): TwoPaths {
  const recognise = createPlainCallRecogniser()
  let plain = false
  let answered: ReturnType<Dispatch> | null = null
  let dispatched: unknown[] = []
  const deps: Omit<McpDeps, 'dispatch'> = {
    tools,
    resources: { templates: [], list: nothing, read: nothing, watch: nothing },
    streams: { open: nothing },
    version: '0.0.0-test',
    log: silent,
  }
  const own = createMcpEndpoint({
    ...deps,
    recognise(request, body) {
      const call = recognise(request, body)
      plain = call !== null
      return call
    },
    dispatch(...call) {
      dispatched.push(call)
      answered = dispatch(...call)
      return answered
    },
  })
  const sdk = createMcpEndpoint({
    ...deps,
    recognise: () => null,
    dispatch(...call) {
      dispatched.push(call)
      return answered ?? dispatch(...call)
    },
  })

  const outcome = async (endpoint: typeof own, request: Request, body: unknown, principal: Principal) => {
    dispatched = []
    try {
      const response = await endpoint.serve(request, principal, body, async () => {})
      const bytes = Buffer.from(await response.arrayBuffer()).toString('base64')
      return { status: response.status, headers: [...response.headers], bytes, dispatched }
    } catch (thrown) {
      const { code, status, message } = toAppError(thrown)
      return { status, headers: [], bytes: `thrown: ${code} ${message}`, dispatched }
    }
  }

  return {
    async send(request, body, principal = ADA) {
      answered = null
      const first = await outcome(own, request.clone(), body, principal)
      const wasPlain = plain
      return { plain: wasPlain, own: first, sdk: await outcome(sdk, request.clone(), body, principal) }
    },
    async close() {
      await own.close()
      await sdk.close()
    },
  }
}

/** A call as a client of that version sends it. */
export function toolCall(
  version: (typeof VERSIONS)[number],
  name: string,
  input: unknown,
  id: string | number = 1,
): { request: Request; body: unknown } {
  const modern = version === '2026-07-28'
  const params = { name, arguments: input, _meta: { progressToken: id, ...(modern ? ENVELOPE : {}) } }
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': version,
    ...(modern ? { 'mcp-method': 'tools/call', 'mcp-name': name } : {}),
  }
  const body = { jsonrpc: '2.0', id, method: 'tools/call', params }
  return { request: new Request('http://localhost/api/mcp', { method: 'POST', headers }), body }
}

/** What an outcome's body says. */
export function messageOf(outcome: Outcome): Record<string, unknown> {
  const text = Buffer.from(outcome.bytes, 'base64').toString()
  const message: Record<string, unknown> = JSON.parse(text.replace(/^event: message\ndata: /u, ''))
  return message
}
