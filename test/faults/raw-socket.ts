import { connect, type Socket } from 'node:net'

/** A client's end of a connection that does what no HTTP library would. */
export interface RawSocket {
  readonly socket: Socket
  /** What has come, as text, from the last `forget` on; of a paused socket nothing. */
  received(): string
  forget(): void
  /** When the server ended or reset it, on the clock of `performance`; null while it is open. */
  readonly endedAt: number | null
}

/** @throws Error when nobody listens */
export function openRawSocket(port: number): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    let text = ''
    let endedAt: number | null = null
    const ended = () => {
      endedAt ??= performance.now()
    }
    socket.setEncoding('utf8')
    socket.once('error', reject).on('error', ended).once('end', ended).once('close', ended)
    socket.once('connect', () => {
      socket.on('data', (chunk: string) => (text += chunk))
      resolve({
        socket,
        received: () => text,
        forget() {
          text = ''
        },
        get endedAt() {
          return endedAt
        },
      })
    })
  })
}

/** Many of them, some at a time. */
export async function openRawSockets(port: number, count: number): Promise<RawSocket[]> {
  const opened: RawSocket[] = []
  while (opened.length < count) {
    const batch = Array.from({ length: Math.min(50, count - opened.length) }, () => openRawSocket(port))
    opened.push(...(await Promise.all(batch)))
  }
  return opened
}

/** The text of a GET. */
export function getRequest(path: string, headers: Readonly<Record<string, string>>): string {
  const fields = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`
}
