import type { Answer } from './connection.ts'

/** The protocol's two generations: of 2025, and the stateless one. */
export type Generation = '2025-11-25' | '2026-07-28'

/** A call of a tool, as a whole HTTP request. */
export function callRequest(call: {
  port: number
  token: string
  tool: string
  input: object
  generation?: Generation
}): string {
  return rpcRequest({ ...call, method: 'tools/call', params: { name: call.tool, arguments: call.input } })
}

export function rpcRequest(call: {
  port: number
  token: string
  method: string
  params: Record<string, unknown>
  generation?: Generation
}): string {
  const { port, token, method, params, generation = '2026-07-28' } = call
  const isModern = generation === '2026-07-28'
  const { name } = params
  const meta = {
    'io.modelcontextprotocol/protocolVersion': generation,
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const said = isModern ? { ...params, _meta: meta } : params
  // Non-ASCII escaped, so that characters are bytes.
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: said }).replaceAll(
    /[^\0-\x7f]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const headers = [
    'POST /api/mcp HTTP/1.1',
    `Host: localhost:${port}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    `Mcp-Protocol-Version: ${generation}`,
    ...(isModern ? [`Mcp-Method: ${method}`, ...(typeof name === 'string' ? [`Mcp-Name: ${name}`] : [])] : []),
    `Content-Length: ${body.length}`,
  ]
  return `${headers.join('\r\n')}\r\n\r\n${body}`
}

/** The JSON-RPC result of an answer, parsed. @throws for anything but a success */
export function resultOf({ status, text }: Answer): Record<string, unknown> {
  // As JSON, as the one event of a stream, or as either in chunks: the message is the only line that begins so.
  const line = text.split(/\r?\n/u).find((each) => /^(?:data: )?\{/u.test(each))
  const message = JSON.parse(line?.replace(/^data: /u, '') ?? 'null') as { result?: Record<string, unknown> } | null
  if (status !== 200 || message?.result === undefined) throw new Error(`not a result: ${text.slice(0, 2_000)}`)
  return message.result
}

/** What a tool answered. @throws for refusals */
export function payloadOf(answer: Answer): Record<string, unknown> {
  const content = resultOf(answer)['structuredContent'] as Record<string, unknown> | undefined
  if (content?.['ok'] !== true) throw new Error(`refused: ${answer.text.slice(0, 2_000)}`)
  return content
}

/** Is it a success that says this? Without parsing it: only structuredContent has these characters unescaped. */
export function isSuccess({ status, text }: Answer, says = '"ok":true'): boolean {
  return status === 200 && text.includes('"ok":true') && text.includes(says)
}

/** One field of structuredContent whose value is a string without escapes. */
export function stringField({ text }: Answer, name: string): string | null {
  const key = `"${name}":"`
  const at = text.indexOf(key)
  return at === -1 ? null : text.slice(at + key.length, text.indexOf('"', at + key.length))
}
