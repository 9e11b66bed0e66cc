/**
 * An internet on loopback: a name service whose answers a test decides, one https host behind two public addresses,
 * and a canary behind every other one, which must never see a connection. What is under test runs as it is: it asks for
 * names and opens connections as in the real one, and only the last step, the TCP connection, is led elsewhere.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { Agent, createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, isIP, type LookupFunction, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { Network } from '../../src/auth/guarded-fetch.ts'

export const PUBLIC_V4 = '93.184.215.14'
export const PUBLIC_V6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c'

/** The names of the one host's certificate. */
const CERTIFIED = ['client.example', 'rebind.example']

export interface PretendInternet {
  readonly network: Network
  /** What the name service answers, one after the other, and the last one from then on. Default: the public address. */
  readonly names: Map<string, readonly (readonly string[])[]>
  /** Every question to the name service. */
  readonly asked: string[]
  /** Every connection that was opened: to which address and port, for which name. */
  readonly dialled: string[]
  /** Requests that arrived at the host: method, URL, headers. */
  readonly requests: {
    readonly method: string
    readonly url: string
    readonly headers: NodeJS.Dict<string | string[]>
  }[]
  /** How many connections the canary saw. */
  canaryConnections(): number
  /** The answer of the host from now on. */
  respond(listener: RequestListener): void
  /** The host's own port and the certificate to trust, for a connection without any of the above. */
  readonly host: { readonly port: number; readonly ca: string }
  close(): Promise<void>
}

type Dial = ConnectionOptions & { readonly lookup?: LookupFunction }

export async function pretendInternet(): Promise<PretendInternet> {
  const { key, cert } = selfSigned(CERTIFIED)
  const names = new Map<string, readonly (readonly string[])[]>()
  const asked: string[] = []
  const dialled: string[] = []
  const requests: PretendInternet['requests'] = []
  let listener: RequestListener = (_request, response) => response.writeHead(404).end()
  let seenByCanary = 0

  const host = createHttpsServer({ key, cert }, (request, response) => {
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    listener(request, response)
  })
  const canary = createServer((socket) => {
    seenByCanary += 1
    socket.destroy()
  })
  const [hostPort, canaryPort] = [await listen(host), await listen(canary)]

  const resolve = async (name: string): Promise<readonly string[]> => {
    const answers = names.get(name) ?? [[PUBLIC_V4]]
    const before = asked.filter((other) => other === name).length
    asked.push(name)
    return answers[Math.min(before, answers.length - 1)] ?? []
  }
  /** The addresses that Node would connect to: itself, what it is told to look up with, or the name service. */
  const addressesOf = async (options: Dial): Promise<readonly string[]> => {
    const name = options.host ?? ''
    if (isIP(name) !== 0) return [name]
    const { lookup } = options
    if (lookup === undefined) return resolve(name)
    return new Promise((done, failed) => {
      lookup(name, { all: true }, (error, found) => {
        if (error !== null) failed(error)
        else done(typeof found === 'string' ? [found] : found.map(({ address }) => address))
      })
    })
  }
  const dial = async (options: Dial): Promise<TLSSocket> => {
    const [address = 'nothing'] = await addressesOf(options)
    dialled.push(`${address} port ${options.port} for ${options.servername}`)
    const port = address === PUBLIC_V4 || address === PUBLIC_V6 ? hostPort : canaryPort
    const { lookup: _, ...rest } = options
    return connect({ ...rest, host: '127.0.0.1', port, ca: cert })
  }
  const dialInto = async (options: Dial, done: (error: unknown, socket?: TLSSocket) => void) => {
    try {
      done(null, await dial(options))
    } catch (thrown) {
      done(thrown)
    }
  }
  const agent = Object.assign(new Agent({ keepAlive: false }), {
    createConnection: (options: Dial, done: (error: unknown, socket?: TLSSocket) => void) =>
      void dialInto(options, done),
  })

  return {
    network: { resolve, agent },
    names,
    asked,
    dialled,
    requests,
    canaryConnections: () => seenByCanary,
    respond: (next) => void (listener = next),
    host: { port: hostPort, ca: cert },
    async close() {
      host.closeAllConnections()
      await Promise.all([host, canary].map((server) => new Promise((closed) => server.close(closed))))
    },
  }
}

/** A listener on a free port of loopback. */
async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A key and a certificate that it signed itself, made by openssl. */
function selfSigned(hosts: readonly string[]): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'ork-certificate-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=${hosts.map((name) => `DNS:${name}`).join(',')}`]
  try {
    const files = ['-keyout', key, '-out', cert]
    execFileSync('openssl', ['req', '-x509', ...curve, '-days', '2', ...subject, ...files], { stdio: 'pipe' })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
