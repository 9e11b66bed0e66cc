import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Agent } from 'node:https'
import { connect as connectTcp, isIP, type LookupFunction } from 'node:net'
import { connect, type ConnectionOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createGuardedFetch } from '../../src/auth/guarded-fetch.ts'
import { isPublicAddress } from '../../src/auth/public-address.ts'
import { pretendInternet, PUBLIC_V4, PUBLIC_V6, type PretendInternet } from '../support/internet.ts'

const BOUNDS = { bytes: 1_000, ms: 3_000 }

let internet: PretendInternet
beforeAll(async () => {
  internet = await pretendInternet()
  internet.respond((_request, response) => response.end('hello'))
})
afterAll(() => internet.close())
afterEach(() => {
  expect(internet.canaryConnections()).toBe(0)
  internet.dialled.length = 0
  internet.asked.length = 0
})

const guarded = (url: string, bounds = BOUNDS) => createGuardedFetch(bounds, internet.network)(new URL(url))

describe('an address is on the internet, or it is special and never asked (S-44, RFC 6890 §2.2)', () => {
  test.each([
    ['8.8.8.8'],
    ['1.1.1.1'],
    ['93.184.215.14'],
    ['100.63.255.255'],
    ['100.128.0.0'],
    ['172.15.255.255'],
    ['172.32.0.0'],
    ['192.0.1.1'],
    ['198.17.255.255'],
    ['198.20.0.0'],
    ['223.255.255.255'],
    ['2001:4860:4860::8888'],
    ['2606:4700::1111'],
    ['2a00:1450:4001:80b::200e'],
  ])('%s is', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  test.each([
    ['0.0.0.0', 'this host'],
    ['0.1.2.3', 'this network'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['100.127.255.255', 'carrier-grade NAT'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['169.254.169.254', 'link-local: the metadata of cloud machines'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.1', 'protocol assignments'],
    ['192.0.2.1', 'documentation'],
    ['192.88.99.1', '6to4 relays'],
    ['192.168.1.1', 'private'],
    ['198.18.0.1', 'benchmarking'],
    ['198.19.255.255', 'benchmarking'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::127.0.0.1', 'IPv4-compatible'],
    ['::7f00:1', 'IPv4-compatible, in hexadecimal'],
    ['::808:808', 'IPv4-compatible, of a public address'],
    ['::ffff:127.0.0.1', 'IPv4-mapped'],
    ['::ffff:7f00:1', 'IPv4-mapped, in hexadecimal'],
    ['::ffff:8.8.8.8', 'IPv4-mapped, of a public address'],
    ['::ffff:0:127.0.0.1', 'IPv4-translated'],
    ['64:ff9b::7f00:1', 'NAT64'],
    ['64:ff9b::8.8.8.8', 'NAT64, of a public address'],
    ['64:ff9b:1::1', 'local NAT64'],
    ['100::1', 'discard'],
    ['100:0:0:1::1', 'dummy prefix'],
    ['2001::1', 'Teredo'],
    ['2001:1::1', 'protocol assignments'],
    ['2001:2::1', 'benchmarking'],
    ['2001:10::1', 'ORCHID'],
    ['2001:20::1', 'ORCHIDv2'],
    ['2001:db8::1', 'documentation'],
    ['2002:7f00:1::1', '6to4 of loopback'],
    ['2002:808:808::1', '6to4 of a public address'],
    ['3fff::1', 'documentation'],
    ['4000::1', 'not given out'],
    ['5f00::1', 'segment routing'],
    ['fc00::1', 'unique local'],
    ['fd12:3456:789a::1', 'unique local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local with a zone'],
    ['fec0::1', 'site-local'],
    ['ff02::1', 'multicast'],
    ['', 'nothing'],
    ['localhost', 'a name'],
    ['8.8.8.8 ', 'not an address'],
  ])('%s is not: %s', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('nothing is asked that is not a name on https and port 443 (S-44, CIMD §6.5)', () => {
  test.each([
    'http://client.example/c.json',
    'ftp://client.example/c.json',
    'https://client.example:8443/c.json',
    'https://127.0.0.1/c.json',
    'https://127.1/c.json',
    'https://2130706433/c.json',
    'https://0x7f000001/c.json',
    'https://0177.0.0.1/c.json',
    'https://127.0.0.1./c.json',
    'https://%31%32%37.0.0.1/c.json',
    'https://１２７.0.0.1/c.json',
    'https://169.254.169.254/latest/meta-data/',
    'https://8.8.8.8/c.json',
    'https://[::1]/c.json',
    'https://[::ffff:7f00:1]/c.json',
    'https://[::ffff:127.0.0.1]/c.json',
    'https://[fd00::1]/c.json',
    'https://[2606:4700::1111]/c.json',
  ])('%s', async (url) => {
    await expect(guarded(url)).rejects.toThrow(/only https on port 443|is an address/)
    expect(internet.asked).toEqual([])
    expect(internet.dialled).toEqual([])
  })
})

describe('a host is asked only if all its addresses are on the internet (S-44, CIMD §6.5)', () => {
  test.each([
    ['loopback', ['127.0.0.1']],
    ['IPv6 loopback', ['::1']],
    ['the metadata of cloud machines', ['169.254.169.254']],
    ['a private network', ['192.168.0.10']],
    ['an IPv4 address in IPv6', ['::ffff:127.0.0.1']],
    ['NAT64', ['64:ff9b::7f00:1']],
    ['one of several', [PUBLIC_V4, PUBLIC_V6, '10.0.0.1']],
    ['none at all', []],
  ])('not with %s', async (_, addresses) => {
    internet.names.set('special.example', [addresses])
    await expect(guarded('https://special.example/c.json')).rejects.toThrow(/not on the internet|has no address/)
    expect(internet.dialled).toEqual([])
  })

  test.each([[[PUBLIC_V4]], [[PUBLIC_V6, PUBLIC_V4]]])('with %j', async (addresses) => {
    internet.names.set('client.example', [addresses])
    const answer = await guarded('https://client.example/c.json')
    expect({ status: answer.status, body: answer.body?.toString() }).toEqual({ status: 200, body: 'hello' })
    expect(internet.dialled).toEqual([`${addresses[0]} port 443 for client.example`])
  })
})

test('a name that changes its mind after the check leads nowhere else: the checked address is dialled (S-44, CIMD §6.5)', async () => {
  internet.names.set('rebind.example', [[PUBLIC_V4], ['127.0.0.1']])
  const answer = await guarded('https://rebind.example/c.json')
  expect(answer.body?.toString()).toBe('hello')
  expect(internet.asked).toEqual(['rebind.example'])
  expect(internet.dialled).toEqual([`${PUBLIC_V4} port 443 for rebind.example`])
  // And the changed mind is seen the next time.
  await expect(guarded('https://rebind.example/c.json')).rejects.toThrow('127.0.0.1, which is not on the internet')
})

test.each([true, false])(
  'Node itself connects to the checked address, whether it tries several (%s) or one',
  async (autoSelectFamily) => {
    internet.names.set('client.example', [[PUBLIC_V4, '1.1.1.1']])
    const handed: string[] = []
    /** The addresses as Node is given them, with loopback in their place at the very last moment. */
    const diverted =
      (lookup: LookupFunction): LookupFunction =>
      (name, options, done) =>
        lookup(name, options, (error, found, family) => {
          if (typeof found === 'string') {
            handed.push(`${found}/${family}`)
            done(error, '127.0.0.1', 4)
          } else {
            handed.push(...found.map((one) => `${one.address}/${one.family}`))
            done(error, [{ address: '127.0.0.1', family: 4 }])
          }
        })
    const { port, ca } = internet.host
    const agent = Object.assign(new Agent({ keepAlive: false }), {
      createConnection: (options: ConnectionOptions & { lookup: LookupFunction }) => {
        const { host = '', servername = '' } = options
        const socket = connectTcp({ host, port, lookup: diverted(options.lookup), autoSelectFamily })
        return connect({ socket, servername, ca })
      },
    })
    const answer = await createGuardedFetch(BOUNDS, { ...internet.network, agent })(new URL('https://client.example/c'))
    expect(answer.body?.toString()).toBe('hello')
    expect(handed).toEqual(autoSelectFamily ? [`${PUBLIC_V4}/4`, '1.1.1.1/4'] : [`${PUBLIC_V4}/4`])
  },
)

test('the certificate is checked for the name, whatever address is dialled', async () => {
  internet.names.set('uncertified.example', [[PUBLIC_V4]])
  await expect(guarded('https://uncertified.example/c.json')).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
})

test('a certificate that nobody vouches for is refused', async () => {
  const { port } = internet.host
  const agent = Object.assign(new Agent({ keepAlive: false }), {
    createConnection: ({ servername = '' }: ConnectionOptions) => connect({ host: '127.0.0.1', port, servername }),
  })
  const fetch = createGuardedFetch(BOUNDS, { ...internet.network, agent })
  await expect(fetch(new URL('https://client.example/c.json'))).rejects.toMatchObject({
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  })
})

describe('what a host answers is taken as it is, and no further (S-43, CIMD §4)', () => {
  test('a redirect is an answer, and is not followed', async () => {
    internet.requests.length = 0
    internet.respond((_request, response) => response.writeHead(302, { location: 'https://127.0.0.1/secret' }).end())
    const answer = await guarded('https://client.example/c.json')
    expect(answer.status).toBe(302)
    expect(internet.requests).toHaveLength(1)
    expect(internet.dialled).toHaveLength(1)
  })

  test('the request says nothing about people here', async () => {
    internet.requests.length = 0
    internet.respond((_request, response) => response.end('hello'))
    await guarded('https://client.example/c.json')
    expect(internet.requests).toEqual([
      {
        method: 'GET',
        url: '/c.json',
        headers: {
          host: 'client.example',
          accept: 'application/json',
          'accept-encoding': 'identity',
          'user-agent': 'Orkestrate',
          connection: 'close',
        },
      },
    ])
  })

  test('a body of the very last byte allowed is whole; one byte more is none, and ends the connection', async () => {
    internet.respond((_request, response) => response.end('x'.repeat(1_000)))
    expect((await guarded('https://client.example/c.json')).body).toHaveLength(1_000)
    let cut: Promise<unknown> | undefined
    internet.respond((_request, response) => {
      cut = once(response, 'close')
      response.writeHead(200)
      response.write('x'.repeat(1_001))
    })
    expect((await guarded('https://client.example/c.json')).body).toBeNull()
    await cut
  })

  test('a host that closes before it has answered is an error', async () => {
    internet.respond((request) => request.socket.destroy())
    await expect(guarded('https://client.example/c.json')).rejects.toThrow('socket hang up')
    internet.respond((request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
      request.socket.end()
    })
    await expect(guarded('https://client.example/c.json')).rejects.toThrow('aborted')
  })
})

describe('all of it takes no longer than it may, wherever it hangs (S-43, CIMD §4)', () => {
  const hurried = { bytes: 1_000, ms: 200 }

  test.each([
    ['before the headers', () => undefined],
    ['within the body', (response: ServerResponse) => void response.writeHead(200).write('x')],
    [
      'on a protocol switch that nobody asked for',
      (response: ServerResponse) =>
        void response.socket?.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    ],
  ])('%s; then the connection ends', async (_, hang) => {
    let ended: Promise<unknown> | undefined
    internet.respond(({ socket }, response) => {
      ended = once(socket, 'close')
      hang(response)
    })
    await expect(guarded('https://client.example/c.json', hurried)).rejects.toThrow('no complete answer within 200 ms')
    await ended
  })

  test('in the name service', async () => {
    let told: AbortSignal | undefined
    const resolve = (_name: string, signal: AbortSignal) => {
      told = signal
      return new Promise<never>(() => undefined)
    }
    const fetch = createGuardedFetch(hurried, { ...internet.network, resolve })
    await expect(fetch(new URL('https://client.example/c.json'))).rejects.toThrow('no complete answer within 200 ms')
    expect(told?.aborted).toBe(true)
  })
})

describe('the real name service', () => {
  /** A name server on loopback: `answer` gives the addresses for a name, or null for no answer at all. */
  async function nameServer(answer: (name: string, type: 'A' | 'AAAA') => readonly string[] | null) {
    const socket = createSocket('udp4')
    socket.on('message', (query, from) => {
      const reply = replyTo(query, answer)
      if (reply !== null) socket.send(reply, from.port, from.address)
    })
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const server = `127.0.0.1:${socket.address().port}`
    // The resolver under test, told of another server just before its first question.
    const resolve4: (this: Resolver, name: string) => Promise<string[]> = Resolver.prototype.resolve4
    vi.spyOn(Resolver.prototype, 'resolve4').mockImplementation(function redirected(this: Resolver, name: string) {
      this.setServers([server])
      return resolve4.call(this, name)
    })
    return socket
  }
  afterEach(() => vi.restoreAllMocks())

  const fetchFrom = (url: string, ms = 3_000) => createGuardedFetch({ bytes: 10, ms })(new URL(url))

  test.each([
    ['A', ['10.1.2.3'], []],
    ['AAAA', [], ['fd00::7']],
    ['both', [PUBLIC_V4], ['::1']],
  ])('gives the addresses of both families: %s', async (_, v4, v6) => {
    const socket = await nameServer((_name, type) => (type === 'A' ? v4 : v6))
    const special = [...v4, ...v6].find((address) => !isPublicAddress(address))
    await expect(fetchFrom('https://inside.example/c')).rejects.toThrow(`leads to ${special},`)
    socket.close()
  })

  test('a name that does not exist has no address, and what only this machine knows does not either', async () => {
    const socket = await nameServer(() => [])
    await expect(fetchFrom('https://nowhere.example/c')).rejects.toThrow('has no address')
    await expect(fetchFrom('https://localhost/c')).rejects.toThrow('has no address')
    socket.close()
  })

  test('is no longer asked once the time is over', async () => {
    const cancel = vi.spyOn(Resolver.prototype, 'cancel')
    const socket = await nameServer(() => null)
    await expect(fetchFrom('https://silent.example/c', 100)).rejects.toThrow('within 100 ms')
    expect(cancel).toHaveBeenCalledOnce()
    socket.close()
  })
})

/** RFC 1035 §4: the question given back, and one record for each address. */
function replyTo(query: Buffer, answer: (name: string, type: 'A' | 'AAAA') => readonly string[] | null): Buffer | null {
  const labels: string[] = []
  let at = 12
  while ((query[at] ?? 0) > 0) {
    const length = query[at] ?? 0
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  const questionEnd = at + 5
  const type = query.readUInt16BE(at + 1) === 28 ? 'AAAA' : 'A'
  const addresses = answer(labels.join('.'), type)
  if (addresses === null) return null
  const records = addresses.map((address) => {
    const bytes = addressBytes(address)
    const record = Buffer.from([0xc0, 12, 0, type === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 60, 0, bytes.length])
    return Buffer.concat([record, bytes])
  })
  const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, records.length, 0, 0, 0, 0])
  return Buffer.concat([header, query.subarray(12, questionEnd), ...records])
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => text.split(':').filter((group) => group !== '')
  const zeros = Array<string>(8 - groups(head).length - groups(tail).length).fill('0')
  return Buffer.from(
    [...groups(head), ...zeros, ...groups(tail)].map((group) => group.padStart(4, '0')).join(''),
    'hex',
  )
}
