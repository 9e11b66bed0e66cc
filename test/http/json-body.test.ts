import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nestedDeeperThan, readJson } from '../../src/http/json-body.ts'
import { toAppError } from '../../src/kernel/errors.ts'

// Over a socket: that a declared body may be taken whole rests on what Node's parser lets through.

const LIMITS = { bytes: 1_000, depth: 4 }
let called = 0
const server = createAdaptorServer({
  async fetch(request) {
    called += 1
    try {
      return Response.json(await readJson(request, LIMITS))
    } catch (thrown) {
      const { status, code, message } = toAppError(thrown)
      return Response.json({ code, message }, { status })
    }
  },
})
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => void server.close())

/** Sends these bytes and reads until the server has closed. */
async function exchange(headers: readonly string[], body: Buffer): Promise<string> {
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  const head = ['POST / HTTP/1.1', 'host: localhost', 'connection: close', 'content-type: application/json', ...headers]
  socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]))
  return text(socket)
}

const chunked = (body: Buffer) =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])

const WAYS: [string, (body: Buffer) => Promise<string>][] = [
  ['with a declared length', (body) => exchange([`content-length: ${body.length}`], body)],
  ['in chunks', (body) => exchange(['transfer-encoding: chunked'], chunked(body))],
]

describe.each(WAYS)('a body %s', (_way, send) => {
  test('is read as JSON, in any script, up to the bound', async () => {
    const value = { text: `ü𝒳${'x'.repeat(900)}`, list: [1, { a: null }] }
    const answer = await send(Buffer.from(JSON.stringify(value)))
    expect(answer).toMatch(/^HTTP\/1.1 200/)
    expect(answer).toContain(JSON.stringify(value))
    expect(await send(Buffer.from(`"${'x'.repeat(998)}"`))).toMatch(/^HTTP\/1.1 200/)
  })

  test('is refused when it is too long, not UTF-8, nested too deep, empty, or no JSON', async () => {
    expect(await send(Buffer.from(`"${'x'.repeat(999)}"`))).toMatch(/^HTTP\/1.1 413.*PAYLOAD_TOO_LARGE/su)
    expect(await send(Buffer.from([0x22, 0xff, 0x22]))).toMatch(/^HTTP\/1.1 400.*is not UTF-8/su)
    expect(await send(Buffer.from('[[[[[]]]]]'))).toMatch(/^HTTP\/1.1 400.*nested deeper/su)
    expect(await send(Buffer.from('{"a":'))).toMatch(/^HTTP\/1.1 400.*not valid JSON/su)
  })
})

test('two lengths, or a length beside chunks, never get here: nobody sends more than they declared', async () => {
  const before = called
  const smuggled = await exchange(['content-length: 4', 'transfer-encoding: chunked'], chunked(Buffer.from('"xx"')))
  expect(smuggled).toMatch(/^HTTP\/1.1 400/)
  const twice = await exchange(['content-length: 4', 'content-length: 5'], Buffer.from('"xx"x'))
  expect(twice).toMatch(/^HTTP\/1.1 400/)
  expect(called).toBe(before)
})

test('brackets in strings do not nest, escaped quotes do not end strings', () => {
  expect(nestedDeeperThan('{"a":"[[[[[[\\"[[[\\\\"}', 1)).toBe(false)
  expect(nestedDeeperThan('{"a":"\\\\"  ,"b":[]}', 1)).toBe(true)
  expect(nestedDeeperThan('[[],[],[]]', 2)).toBe(false)
  expect(nestedDeeperThan('[[],[[]]]', 2)).toBe(true)
})
