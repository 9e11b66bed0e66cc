import type { OfficeOperation } from '../../src/modules/office.ts'
import type { CallTool } from '../../src/modules/call.ts'
import { rpcMessage } from '../support/agent.ts'
import { names, plain, type Naming } from './fields.ts'
import { fieldsOf, filled, shapeOf, textsOf, variantsOf, type Shape } from './sample.ts'
import type { Stranger, Told } from './strangers.ts'

/** A way to call an operation or a tool with all that it takes. */
export interface Attempt {
  readonly label: string
  readonly kind: 'operation' | 'tool'
  readonly access: 'read' | 'write'
  readonly permission: string | null
  readonly browserOnly: boolean
  /** The fields that name something. */
  readonly naming: readonly Naming[]
  readonly fields: readonly string[]
  /** Those of them that anything may be written in. */
  readonly texts: readonly string[]
  readonly by: (stranger: Stranger, named: (field: Naming) => unknown) => Promise<Told>
}

type Fill = (field: string) => unknown

export function attemptsOf(operation: OfficeOperation): Attempt[] {
  const { name, access, permission, callers, follow } = operation
  const [params, query] = [shapeOf(operation.params), shapeOf(operation.query)]
  const bodies = operation.body === null ? [null] : variantsOf(shapeOf(operation.body))
  const attempts = bodies.map((body): Attempt => {
    const fields = [params, query, body ?? {}].flatMap(fieldsOf)
    const action = body?.properties?.['action']?.const
    return {
      label: typeof action === 'string' ? `${name} ${action}` : name,
      kind: 'operation',
      access,
      permission,
      browserOnly: callers === 'browser',
      naming: [...new Set(fields.filter(names))],
      fields,
      texts: textsOf(body ?? {}),
      by: (stranger, named) => send(stranger, operation, { params, query, body }, fillWith(named)),
    }
  })
  if (follow === undefined) return attempts
  return attempts.flatMap((attempt) => [
    attempt,
    {
      ...attempt,
      label: `${attempt.label} as a stream`,
      by: (stranger, named) =>
        send(
          { ...stranger, headers: { ...stranger.headers, accept: 'text/event-stream' } },
          operation,
          { params, query, body: null },
          fillWith(named),
        ),
    },
  ])
}

const fillWith =
  (named: (field: Naming) => unknown): Fill =>
  (field) =>
    names(field) ? named(field) : plain(field)

async function send(
  { fetch, headers }: Stranger,
  { method, path }: OfficeOperation,
  { params, query, body }: { params: Shape; query: Shape; body: Shape | null },
  fill: Fill,
): Promise<Told> {
  const inPath = filled(params, fill)
  const address = path.replace(/:(\w+)/gu, (_all, name: string) => encodeURIComponent(String(inPath[name])))
  const asked = new URLSearchParams()
  for (const [name, value] of Object.entries(filled(query, fill))) asked.set(name, String(value))
  // A body that may be any JSON has no fields.
  const said = body === null ? undefined : body.properties === undefined ? plain('value') : filled(body, fill)
  const response = await fetch(`${address}?${asked.toString()}`, {
    method,
    headers: { ...headers, ...(said === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(said === undefined ? {} : { body: JSON.stringify(said) }),
  })
  const { status } = response
  if (response.headers.get('content-type') === 'text/event-stream') {
    await response.body?.cancel()
    return { status, headers: response.headers, body: null }
  }
  const text = await response.text()
  return { status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
}

export function attemptOf(tool: CallTool): Attempt {
  const shape = shapeOf(tool.input)
  const fields = fieldsOf(shape)
  return {
    label: tool.name,
    kind: 'tool',
    access: tool.access,
    permission: tool.access === 'write' ? 'work' : null,
    browserOnly: false,
    naming: [...new Set(fields.filter(names))],
    fields,
    texts: textsOf(shape),
    by: async ({ fetch, headers }, named) => {
      const response = await fetch('/api/mcp', {
        method: 'POST',
        headers: {
          ...headers,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: tool.name, arguments: filled(shape, fillWith(named)) },
        }),
      })
      const message = await rpcMessage(response)
      const { status, headers: answered } = response
      return { status, headers: answered, body: message.result?.structuredContent ?? message }
    },
  }
}

/**
 * An answer without what differs from call to call, and without the names that were presented: two callers who named
 * different things must not be able to tell these answers apart.
 */
export function indistinct({ status, headers, body }: Told, presented: readonly unknown[]): object {
  const echoes = presented
    .flat()
    .map((value) => String(value).replace(/^https:\/\/|\.git$/gu, ''))
    .filter((value) => value !== '')
  const text = (value: string) =>
    echoes
      .reduce(
        (said, echo) => said.replaceAll(echo, '<presented>').replaceAll(encodeURIComponent(echo), '<presented>'),
        value,
      )
      .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/gu, '<time>')
      .replace(/\b(ws|usr|rep|ses|run|clm|gr|req|inv|pat)_[a-z2-7]{26}\b/gu, '<$1>')
      .replace(/\bork_inv_[a-z2-7]{32}/gu, '<secret>')
      .replace(/\b\d+-[0-9a-f]{16}\b/gu, '<stateHash>')
  const clean = (value: unknown, name = ''): unknown => {
    if (/^(version|fence|seq|expiresInSeconds|idleSeconds|confirmToken)$/u.test(name)) return `<${name}>`
    if (typeof value === 'string') return text(value)
    if (Array.isArray(value)) return value.map((one) => clean(one))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, clean(inner, key)]))
  }
  const { requestId: _requestId, ...rest } = { requestId: '', ...(typeof body === 'object' ? body : {}) }
  const ignored = /^(x-request-id|etag|ratelimit-|date)/u
  const shown = [...headers].filter(([name]) => !ignored.test(name)).map(([name, value]) => [name, text(value)])
  return { status, headers: Object.fromEntries(shown), body: Array.isArray(body) ? clean(body) : clean(rest) }
}
