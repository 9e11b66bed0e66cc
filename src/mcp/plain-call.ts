import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  classifyInboundRequest,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  RELATED_TASK_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server'

/** A `tools/call` about which everything is ordinary, so that answering it needs no server of the SDK's. */
export interface PlainCall {
  /** `modern` is 2026-07-28, `legacy` the versions from 2024 and 2025. */
  readonly era: 'legacy' | 'modern'
  readonly id: string | number
  readonly name: string
  readonly input: Readonly<Record<string, unknown>> | undefined
}

/** Says whether a request is a plain call; null: the SDK must see it. */
export type RecognisePlainCall = (request: Request, body: unknown) => PlainCall | null

const MODERN = '2026-07-28'
const LEGACY: ReadonlySet<string> = new Set(SUPPORTED_PROTOCOL_VERSIONS.filter((version) => version < MODERN))

const MESSAGE_KEYS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params'])
/** Without `task`, `inputResponses` and `requestState`, which begin or continue something. */
const PARAMS_KEYS: ReadonlySet<string> = new Set(['name', 'arguments', '_meta'])

/** How Mcp-Name says a name that no header can carry; whether it decodes to the same is for the SDK to say. */
const ENCODED = '=?base64?'

/** Envelopes that the SDK accepted. A client sends the same in all its calls, and reading one costs the SDK 20 us. */
const ENVELOPES_MAX = 256
const ENVELOPE_CHARS_MAX = 2_000

/**
 * A recogniser of plain calls. It lists what it takes, and whatever is only unusual is not on the list. What it takes, the SDK
 * would have taken, would have dispatched alike, and would have answered with the same bytes: test/mcp/two-paths.test.ts and
 * odd-calls.test.ts.
 *
 * A progress token is ordinary: most clients send one with every call, and no tool here reports progress.
 */
export function createPlainCallRecogniser(): RecognisePlainCall {
  const accepted = new Set<string>()

  const isAcceptedEnvelope = (meta: Readonly<Record<string, unknown>>): boolean => {
    const said = { info: meta[CLIENT_INFO_META_KEY], capabilities: meta[CLIENT_CAPABILITIES_META_KEY] }
    const text = JSON.stringify(said)
    if (accepted.has(text)) return true
    if (text.length > ENVELOPE_CHARS_MAX || !isAcceptedBySdk(meta)) return false
    if (accepted.size >= ENVELOPES_MAX) accepted.clear()
    accepted.add(text)
    return true
  }

  return (request, body) => {
    if (request.method !== 'POST' || !isObject(body) || !hasOnly(body, MESSAGE_KEYS)) return null
    const { jsonrpc, id, method, params } = body
    if (method !== 'tools/call' || jsonrpc !== '2.0' || !isId(id)) return null
    if (!isObject(params) || !hasOnly(params, PARAMS_KEYS)) return null
    const { name, arguments: input, _meta: meta } = params
    if (typeof name !== 'string' || !isArguments(input) || !isMeta(meta)) return null
    if (!isPlainType(request.headers.get('content-type'))) return null
    const era = eraOf(request.headers, name, meta, isAcceptedEnvelope)
    return era === null ? null : { era, id, name, input }
  }
}

function eraOf(
  headers: Headers,
  name: string,
  meta: Readonly<Record<string, unknown>> | undefined,
  isAcceptedEnvelope: (meta: Readonly<Record<string, unknown>>) => boolean,
): PlainCall['era'] | null {
  const version = headers.get('mcp-protocol-version')
  if (version !== MODERN) {
    if (version !== null && !LEGACY.has(version)) return null
    if (meta !== undefined && ENVELOPE_KEYS.some((key) => key in meta)) return null
    const accept = headers.get('accept') ?? ''
    return accept.includes('application/json') && accept.includes('text/event-stream') ? 'legacy' : null
  }
  if (meta?.[PROTOCOL_VERSION_META_KEY] !== MODERN || !isAcceptedEnvelope(meta)) return null
  if (headers.get('mcp-method') !== 'tools/call') return null
  return headers.get('mcp-name') === name && !name.startsWith(ENCODED) ? 'modern' : null
}

const ENVELOPE_KEYS = [PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY]

/** What the SDK says of this envelope in a request that is right in everything else. */
function isAcceptedBySdk(meta: Readonly<Record<string, unknown>>): boolean {
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'any', _meta: meta } }
  return classifyInboundRequest({ httpMethod: 'POST', protocolVersionHeader: MODERN, body }).kind === 'modern'
}

/** JSON, with or without saying that it is UTF-8. */
function isPlainType(contentType: string | null): boolean {
  return contentType === 'application/json' || /^application\/json; ?charset="?utf-8"?$/iu.test(contentType ?? '')
}

function isId(value: unknown): value is string | number {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

/** The SDK leaves `__proto__` out of what it hands on. */
function isArguments(value: unknown): value is PlainCall['input'] {
  return value === undefined || (isObject(value) && !Object.hasOwn(value, '__proto__'))
}

/** A task and a level for log messages are more than ordinary; a progress token is a string or an integer. */
function isMeta(value: unknown): value is Readonly<Record<string, unknown>> | undefined {
  if (value === undefined) return true
  if (!isObject(value) || RELATED_TASK_META_KEY in value || LOG_LEVEL_META_KEY in value) return false
  const { progressToken } = value
  return progressToken === undefined || isId(progressToken)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasOnly(value: object, keys: ReadonlySet<string>): boolean {
  for (const key of Object.keys(value)) if (!keys.has(key)) return false
  return true
}
