import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * The network between a server and its PostgreSQL, as bad as it is told to be:
 * `up`; `silent`, where everything sent is lost in the dark and nothing is ever refused, as behind a firewall that drops;
 * `refused`, where nobody listens and what was open is reset.
 */
export type LinkState = 'up' | 'silent' | 'refused'

export interface Link {
  readonly port: number
  set(state: LinkState): void
  /** What each chunk waits, in each direction, from now on. */
  delayBy(ms: number): void
  close(): Promise<void>
}

/** Forwards a loopback port to another one. */
export async function openLink(targetPort: number): Promise<Link> {
  let state: LinkState = 'up'
  let delayMs = 0
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.once('close', () => sockets.delete(socket)).once('error', () => socket.destroy())
  }

  function forward(from: Socket, to: Socket): void {
    /** Chunks leave in the order in which they came, whatever each one waits. */
    let last = Promise.resolve()
    from.on('data', (chunk: Buffer) => {
      if (state === 'silent') return
      if (delayMs === 0) {
        last = last.then(() => void (to.writable && to.write(chunk)))
        return
      }
      const due = delay(delayMs)
      last = last.then(() => due).then(() => void (to.writable && to.write(chunk)))
    })
    from.once('close', () => {
      // What was lost does not come back: neither does the news that one end has gone.
      if (state !== 'silent') void last.then(() => to.destroy())
    })
  }

  const server = createServer((client) => {
    if (state === 'refused') return client.resetAndDestroy()
    keep(client)
    // What asks to be connected gets no answer either.
    if (state === 'silent') return undefined
    const upstream = keep(connect({ host: '127.0.0.1', port: targetPort }))
    forward(client, upstream)
    forward(upstream, client)
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port,
    set(next) {
      // Bytes are missing on every connection that was open in the dark: none of them can go on.
      if (next === 'refused' || state === 'silent') cut()
      state = next
    },
    delayBy(ms) {
      delayMs = ms
    },
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
