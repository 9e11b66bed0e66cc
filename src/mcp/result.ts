import {
  SERVER_INFO_META_KEY,
  type CallToolResult,
  type Implementation,
  type ProtocolError,
} from '@modelcontextprotocol/server'
import type { Answer } from '../kernel/dispatch.ts'
import type { PlainCall } from './plain-call.ts'

/**
 * An answer as MCP carries it. Claude Code and Codex show the model structuredContent, OpenCode and Gemini the text:
 * both say the same. Indented, because some clients hide long lines.
 */
export function toCallToolResult(answer: Answer): CallToolResult {
  return {
    content: [{ type: 'text', text: JSON.stringify(answer, null, 2) }],
    structuredContent: answer,
    ...(answer.ok ? {} : { isError: true }),
  }
}

/** Answers to plain calls, as responses: bytes for bytes what the SDK sends for the same. */
export interface Replies {
  result(call: PlainCall, result: CallToolResult): Response
  error(call: PlainCall, error: ProtocolError): Response
}

export function createReplies(serverInfo: Implementation): Replies {
  // Put together as text: what every answer has would else be copied and written as JSON anew for each.
  const modern = JSON.stringify({ resultType: 'complete', _meta: { [SERVER_INFO_META_KEY]: serverInfo } }).slice(1)
  return {
    result({ era, id }, result) {
      const json = JSON.stringify(result)
      const whole = era === 'modern' ? `${json.slice(0, -1)},${modern}` : json
      return reply(era, `{"result":${whole},"jsonrpc":"2.0","id":${JSON.stringify(id)}}`)
    },
    error: ({ era, id }, { code, message, data }) =>
      reply(
        era,
        JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } }),
      ),
  }
}

/** Clients of 2025 are answered by a stream of one event, those of 2026-07-28 by JSON. */
function reply(era: PlainCall['era'], json: string): Response {
  // Headers as plain objects and bodies as text are what @hono/node-server sends without making streams of them.
  return era === 'modern'
    ? new Response(json, { headers: JSON_HEADERS })
    : new Response(`event: message\ndata: ${json}\n\n`, { headers: STREAM_HEADERS })
}

const JSON_HEADERS = { 'content-type': 'application/json' }
const STREAM_HEADERS = {
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  'content-type': 'text/event-stream',
  'x-accel-buffering': 'no',
}
