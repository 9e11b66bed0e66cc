import type { FetchLike } from './oauth.ts'

let id = 0

/** A request of the stateless generation of MCP, whose headers say again what the body says. */
export function modernRequest(
  accessToken: string,
  method: string,
  params: Record<string, unknown> = {},
): { method: 'POST'; headers: Record<string, string>; body: string } {
  id += 1
  const name = params['uri'] ?? params['name']
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  return {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }),
  }
}

export async function modernPost(
  fetchLike: FetchLike,
  accessToken: string,
  method: string,
  params: Record<string, unknown> = {},
): Promise<Response> {
  return fetchLike('/api/mcp', modernRequest(accessToken, method, params))
}
