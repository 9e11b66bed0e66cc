import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { ConnectionTarget } from '../../src/db/client.ts'

/**
 * A DATABASE_URL for a PostgreSQL that listens on a unix socket only: what a server process of its own needs. Connects
 * through to it from a free loopback port.
 */
export async function openGateway(target: ConnectionTarget): Promise<{ url: string; close(): Promise<void> }> {
  if ('url' in target) return { url: target.url, close: () => Promise.resolve() }
  const { host, port, database, username, password = '' } = target
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).once('error', () => socket.destroy())
    return socket
  }
  const server = createServer((client) => {
    const address = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
    const upstream = keep(connect(address))
    keep(client).pipe(upstream).pipe(client)
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return {
    url: `postgres://${encodeURIComponent(username)}:${encodeURIComponent(password)}@127.0.0.1:${address.port}/${database}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
