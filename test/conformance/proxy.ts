import { createServer, request } from 'node:http'
import { once } from 'node:events'
import { portOf } from '../support/server-process.ts'

export interface AuthorizingProxy {
  readonly origin: string
  /** Where requests go from now on, and the token that those to the MCP endpoint carry. */
  forward(port: number): void
  authorize(accessToken: string): void
  close(): void
}

/**
 * Stands before the server and says who is calling, because the suite cannot: it has no option for a token. Everything
 * else goes through unchanged, Host and Origin among it, streams as they come, and both ends learn of a cut.
 */
export async function startProxy(): Promise<AuthorizingProxy> {
  const target = { port: 0, accessToken: '' }
  const server = createServer((incoming, outgoing) => {
    const isMcp = incoming.url?.startsWith('/api/mcp') === true
    const headers = isMcp ? { ...incoming.headers, authorization: `Bearer ${target.accessToken}` } : incoming.headers
    const upstream = request(
      { host: '127.0.0.1', port: target.port, path: incoming.url, method: incoming.method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    upstream.on('error', () => outgoing.destroy())
    outgoing.on('close', () => upstream.destroy())
    incoming.pipe(upstream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${portOf(server)}`,
    forward(port) {
      target.port = port
    },
    authorize(accessToken) {
      target.accessToken = accessToken
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
