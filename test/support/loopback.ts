import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'

export interface Loopback {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** Who answers from now on; until then, and after `hang`, nobody does, but connections are accepted. */
  answer(listener: RequestListener): void
  /** Stops listening: connections are refused. The port is the same after `open`. */
  close(): Promise<void>
  open(): Promise<void>
}

/** An HTTP server on a free port of loopback, which can go away and come back. */
export async function listenOnLoopback(): Promise<Loopback> {
  let answering: RequestListener = () => undefined
  const server = createServer((request, response) => answering(request, response))
  let port = 0
  const open = async () => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('no port')
    port = address.port
  }
  await open()
  return {
    origin: `http://127.0.0.1:${port}`,
    answer(listener) {
      answering = listener
    },
    open,
    async close() {
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
