import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { ConnectionTarget } from '../../src/db/client.ts'

export interface Gateway {
  readonly url: string
  /** How often the client has sent something after an answer, on all connections together: its round trips. */
  roundTrips(): number
  /** Resets the client's connections (RST): it gets an error, not an end. */
  reset(): void
  close(): Promise<void>
}

/**
 * A DATABASE_URL for a PostgreSQL that listens on a unix socket only: what a server process of its own needs. Connects
 * through to it from a free loopback port.
 */
export async function openGateway(target: ConnectionTarget): Promise<Gateway> {
  const { host, port, database, username, password = '' } = 'url' in target ? partsOf(new URL(target.url)) : target
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).once('error', () => socket.destroy())
    return socket
  }
  const clients = new Set<Socket>()
  let roundTrips = 0
  const server = createServer((client) => {
    const address = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
    const upstream = keep(connect(address))
    keep(client).pipe(upstream).pipe(client)
    clients.add(client)
    let answered = true
    upstream.on('data', () => {
      answered = true
    })
    client.on('data', () => {
      if (answered) roundTrips += 1
      answered = false
    })
    client.once('close', () => {
      clients.delete(client)
      upstream.destroy()
    })
    upstream.once('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return {
    url: `postgres://${encodeURIComponent(username)}:${encodeURIComponent(password)}@127.0.0.1:${address.port}/${database}`,
    roundTrips: () => roundTrips,
    reset() {
      for (const client of clients) client.resetAndDestroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function partsOf(url: URL) {
  const [username, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)]
  return { host: url.hostname, port: Number(url.port || 5432), database: url.pathname.slice(1), username, password }
}
