import { Resolver } from 'node:dns/promises'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { isIP, isIPv4, type LookupFunction } from 'node:net'
import { isPublicAddress } from './public-address.ts'

/** What a host answered. */
export interface GuardedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Null when it is longer than we read. */
  readonly body: Buffer | null
}

/**
 * GETs a URL that somebody outside named. Every such request goes through here; a URL that the operator configured, such
 * as that of an identity provider, does not: it may well be inside the network.
 *
 * @throws Error when the host may not be asked, cannot be reached, or takes too long. Its message is for the log alone.
 */
export type GuardedFetch = (url: URL) => Promise<GuardedAnswer>

/** How names are resolved and connections made; the internet, except in tests. */
export interface Network {
  /** All addresses of a host name. */
  resolve(host: string, signal: AbortSignal): Promise<readonly string[]>
  /** Makes the connection, to an address that it is given by `lookup`. */
  readonly agent: Agent
}

/** A connection for each request: nobody asks the same host twice within seconds. */
const INTERNET: Network = { resolve: resolveAll, agent: new Agent({ keepAlive: false, rejectUnauthorized: true }) }

/** Tries per name server, and how long the first of them waits; the second waits twice as long. */
const DNS_TRIES = 2
const DNS_TIMEOUT_MS = 500

/**
 * A fetch that cannot be turned against the network that this server is in (S-44; server-side request forgery): https
 * and port 443 only; a host that is a name, all of whose addresses are on the internet; the connection goes to these
 * very addresses, so that an answer of the name service that changes in between (DNS rebinding) changes nothing, while
 * the certificate is checked for the name; redirects are not followed.
 */
export function createGuardedFetch(
  bounds: { readonly bytes: number; readonly ms: number },
  network: Network = INTERNET,
): GuardedFetch {
  return async (url) => {
    requireAskable(url)
    const signal = AbortSignal.timeout(bounds.ms)
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error(`no complete answer within ${bounds.ms} ms`)))
    })
    const asked = network.resolve(url.hostname, signal).then((addresses) => {
      requirePublic(url.hostname, addresses)
      return get(url, { addresses, signal, bytesMax: bounds.bytes, agent: network.agent })
    })
    // Whatever hangs, the caller does not: the signal ends what it can, and nobody waits for the rest.
    return Promise.race([asked, late])
  }
}

/** URL has normalised the host: an address is one in plain form now, whatever it was written as (`0x7f000001`, `127.1`). */
function requireAskable(url: URL): void {
  if (url.protocol !== 'https:' || url.port !== '') throw new Error('only https on port 443 is asked')
  if (isIP(url.hostname) !== 0 || url.hostname.startsWith('[')) throw new Error('the host is an address, not a name')
}

function requirePublic(host: string, addresses: readonly string[]): void {
  if (addresses.length === 0) throw new Error(`${host} has no address`)
  const special = addresses.find((address) => !isPublicAddress(address))
  if (special !== undefined) throw new Error(`${host} leads to ${special}, which is not on the internet`)
}

/**
 * Asks the name servers itself rather than through the operating system: its resolver occupies a thread of four for as
 * long as a hostile name server likes, knows names of this machine and network that the internet does not, and cannot be
 * told to stop.
 */
async function resolveAll(host: string, signal: AbortSignal): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES })
  const cancel = () => resolver.cancel()
  signal.addEventListener('abort', cancel)
  try {
    const families = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    // A host rarely has both; with neither there is nothing to connect to.
    return families.flatMap((family) => (family.status === 'fulfilled' ? family.value : []))
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

function get(
  url: URL,
  how: {
    readonly addresses: readonly string[]
    readonly signal: AbortSignal
    readonly bytesMax: number
    readonly agent: Agent
  },
): Promise<GuardedAnswer> {
  const { agent, signal, bytesMax } = how
  const headers = { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'Orkestrate' }
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, signal, headers, lookup: pinnedTo(how.addresses) }, (incoming) => {
      const { statusCode = 0, headers } = incoming
      readAtMost(incoming, bytesMax).then((body) => resolve({ status: statusCode, headers, body }), reject)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** The name service as the connection sees it: it knows one host, and nothing but what was checked. */
function pinnedTo(addresses: readonly string[]): LookupFunction {
  const known = addresses.map((address) => ({ address, family: isIPv4(address) ? 4 : 6 }))
  return (_host, options, done) => {
    const [first] = known
    if (options.all === true || first === undefined) done(null, known)
    else done(null, first.address, first.family)
  }
}

/** The whole body, or null as soon as it is longer; leaving the loop ends the connection. */
async function readAtMost(incoming: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
