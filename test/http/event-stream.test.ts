import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { App } from '../../src/app.ts'
import { defineEvent, SYSTEM } from '../../src/journal/event.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { deferred } from '../support/deferred.ts'
import { postForm, type ObtainedTokens } from '../support/oauth.ts'

const HAPPENED = defineEvent<{ text: string }>('test.happened', { teamState: false })
/** Rhythms that a test can wait for, and one that no test reaches. */
const PACE = { healMs: 100, keepAliveMs: 30, recheckMs: 30, stallMs: 3_600_000 }

let t: TestApp
let ada: ObtainedTokens
let bob: ObtainedTokens
let origin: string
const closers: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  t = await createTestApp({ pace: PACE })
  ada = await t.login('Ada')
  bob = await t.login('Bob')
  origin = (await listen(t.app)).origin
})
afterAll(async () => {
  await Promise.all(closers.map((close) => close()))
  await t.close()
})

/** The app behind a real socket. */
async function listen(app: App): Promise<{ origin: string; sockets: Socket[]; close(): Promise<void> }> {
  const server = createAdaptorServer({ fetch: app.fetch })
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    app.drain()
    for (const socket of open) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  closers.push(close)
  return { origin: `http://127.0.0.1:${port}`, sockets, close }
}

async function newWorkspace(tokens = ada): Promise<string> {
  const response = await t.fetch('/api/workspaces', {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Widgets' }),
  })
  const { workspace } = (await response.json()) as { workspace: { id: string } }
  return workspace.id
}

/** Appends events whose payload has that many characters. @returns the last seq. */
function append(workspaceId: string, count = 1, chars = 3, app = t.app): Promise<number> {
  return app.journal.change({ workspace: workspaceId }, async (ws) => {
    for (let n = 0; n < count; n += 1) ws.append(HAPPENED, { text: 'é'.repeat(chars) }, SYSTEM)
    return ws.nextSeq - 1
  })
}

interface SentEvent {
  readonly id: string
  readonly event: string
  readonly data: unknown
}

interface Stream {
  readonly response: IncomingMessage
  readonly events: SentEvent[]
  comments(): number
  /** Resolves with the events once the one with that seq is there. */
  until(seq: number): Promise<SentEvent[]>
  /** Resolves when the server has ended the answer properly; rejects when the connection was cut. */
  readonly ended: Promise<void>
  readonly cut: boolean
  stop(): void
}

const open = new Set<Socket>()

/**
 * A reader of a stream that understands what a browser's EventSource does (WHATWG HTML, section 9.2.6).
 *
 * @param options.bytes after so many the connection is cut, and what has come of the next event is forgotten
 */
async function follow(
  workspaceId: string,
  options: { origin?: string; token?: string; query?: string; lastEventId?: string; bytes?: number } = {},
): Promise<Stream> {
  const request = get(`${options.origin ?? origin}/api/workspaces/${workspaceId}/events${options.query ?? ''}`, {
    agent: false,
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${options.token ?? ada.accessToken}`,
      ...(options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId }),
    },
  })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  open.add(response.socket)
  const events: SentEvent[] = []
  let comments = 0
  let bytesLeft = options.bytes ?? Infinity
  let text = Buffer.alloc(0)
  response.on('data', (chunk: Buffer) => {
    text = Buffer.concat([text, chunk.subarray(0, bytesLeft)])
    bytesLeft -= Math.min(bytesLeft, chunk.byteLength)
    if (bytesLeft === 0) response.destroy()
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.subarray(0, end).toString().split('\n')
      text = text.subarray(end + 2)
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      comments += lines.filter((line) => line.startsWith(':')).length
      const data = field('data')
      if (data !== undefined)
        events.push({ id: field('id') ?? '', event: field('event') ?? '', data: JSON.parse(data) as unknown })
    }
  })
  const ended = once(response, 'end').then(() => undefined)
  ended.catch(() => undefined)
  return {
    response,
    events,
    comments: () => comments,
    async until(seq) {
      await vi.waitFor(() => expect(Number(events.at(-1)?.id)).toBeGreaterThanOrEqual(seq), 20_000)
      return events
    },
    ended,
    get cut() {
      return bytesLeft === 0
    },
    stop: () => response.destroy(),
  }
}

async function page(workspaceId: string, query = '', token = ada.accessToken, accept = 'application/json') {
  const response = await t.fetch(`/api/workspaces/${workspaceId}/events${query}`, {
    headers: { authorization: `Bearer ${token}`, accept },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const ids = (events: readonly SentEvent[]) => events.map(({ id }) => Number(id))
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

test('a stream has the events of the pages, in order: those that are there, and those to come', async () => {
  const workspaceId = await newWorkspace()
  await append(workspaceId, 3)
  const stream = await follow(workspaceId)
  expect(stream.response.statusCode).toBe(200)
  expect(stream.response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  const last = await append(workspaceId, 250)
  const events = await stream.until(last)
  const { body } = await page(workspaceId, '?limit=1000')
  expect(events.map(({ data }) => data)).toEqual(body['events'])
  expect(events.map(({ id, event, data }) => ({ id, event, data }))).toEqual(
    (body['events'] as { seq: number; type: string }[]).map((event) => ({
      id: String(event.seq),
      event: event.type,
      data: event,
    })),
  )
})

test('a stream begins after `after`, or after Last-Event-ID, which wins', async () => {
  const workspaceId = await newWorkspace()
  const last = await append(workspaceId, 5)
  const byQuery = await follow(workspaceId, { query: '?after=2' })
  expect(ids(await byQuery.until(last))).toEqual(range(3, last))
  const byHeader = await follow(workspaceId, { query: '?after=2', lastEventId: '4' })
  expect(ids(await byHeader.until(last))).toEqual(range(5, last))
  for (const lastEventId of ['x', '-1', '1.5', '']) {
    const refused = await follow(workspaceId, { lastEventId })
    expect(refused.response.statusCode, lastEventId).toBe(400)
  }
})

test('cut anywhere and resumed on another replica, every event comes once and in order', async () => {
  const workspaceId = await newWorkspace()
  const replica = t.replica()
  closers.push(() => replica.close())
  const origins = [origin, (await listen(replica.app)).origin]
  const total = 30 + (await append(workspaceId))
  const writing = (async () => {
    for (let n = 0; n < 30; n += 1) await append(workspaceId, 1, 300, n % 2 === 0 ? t.app : replica.app)
  })()
  const seen: number[] = []
  let turns = 0
  for (; seen.at(-1) !== total; turns += 1) {
    const stream = await follow(workspaceId, {
      origin: origins[turns % 2] ?? origin,
      lastEventId: String(seen.at(-1) ?? 0),
      // An event takes about 900 bytes: cuts fall between events, inside of them, and inside of characters.
      bytes: 600 + ((turns * 97) % 1_500),
    })
    await vi.waitFor(() => expect(stream.cut || ids(stream.events).at(-1) === total).toBe(true), 20_000)
    stream.stop()
    seen.push(...ids(stream.events))
  }
  await writing
  expect(seen).toEqual(range(1, total))
  expect(turns).toBeGreaterThan(10)
})

test('an idle stream is kept alive by comments', async () => {
  const workspaceId = await newWorkspace()
  const stream = await follow(workspaceId)
  await vi.waitFor(() => expect(stream.comments()).toBeGreaterThan(2), 10_000)
  const last = await append(workspaceId)
  expect(ids(await stream.until(last))).toEqual(range(1, last))
})

test('a workspace of others, as stream or as page, is answered like one that does not exist', async () => {
  const others = await newWorkspace()
  const answers = await Promise.all(
    ['text/event-stream', 'application/json'].flatMap((accept) =>
      [others, 'ws_missing'].map((id) => page(id, '', bob.accessToken, accept)),
    ),
  )
  for (const { status, body } of answers) {
    expect(status).toBe(404)
    expect({ ...body, requestId: '' }).toEqual({ ...answers[0]?.body, requestId: '' })
  }
  expect((await follow(others, { token: 'ork_at_nothing' })).response.statusCode).toBe(401)
})

test('a stream ends when its token is revoked (S-09, ASVS 7.4.1)', async () => {
  const carol = await t.login('Carol')
  const stream = await follow(await newWorkspace(carol), { token: carol.accessToken })
  await stream.until(2)
  await postForm(t.fetch, `${t.publicUrl}/api/oauth/revoke`, { token: carol.accessToken, client_id: carol.clientId })
  await stream.ended
  expect(ids(stream.events)).toEqual([1, 2])
})

test('a stream ends when its reader is no member any more', async () => {
  const workspaceId = await newWorkspace()
  const stream = await follow(workspaceId)
  await stream.until(2)
  await t.database.write({ workspace: workspaceId }, (tx) => tx.execute(sql`delete from members`))
  await stream.ended
  await append(workspaceId)
  expect(ids(stream.events)).toEqual([1, 2])
})

test('a reader that takes nothing is cut', async () => {
  const workspaceId = await newWorkspace()
  // More than the sockets' buffers of both ends take: loopback holds up to about 10 MB.
  for (let n = 0; n < 30; n += 1) await append(workspaceId, 2, 250_000)
  const replica = t.replica({ ...PACE, stallMs: 150 })
  closers.push(() => replica.close())
  const server = await listen(replica.app)
  const { port, hostname } = new URL(server.origin)
  const stuck = connectTcp(Number(port), hostname)
  open.add(stuck)
  stuck.on('error', () => undefined)
  stuck.write(
    `GET /api/workspaces/${workspaceId}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n` +
      `Authorization: Bearer ${ada.accessToken}\r\n\r\n`,
  )
  await vi.waitFor(() => expect(server.sockets).toHaveLength(1))
  const cut = deferred()
  server.sockets[0]?.once('close', () => cut.resolve())
  await cut.promise
})

test('a person has a bounded number of streams, and gets a place back when one is closed', async () => {
  const workspaceId = await newWorkspace(bob)
  const token = bob.accessToken
  const streams = await Promise.all(Array.from({ length: LIMITS.streamsPerUser }, () => follow(workspaceId, { token })))
  expect(streams.map(({ response }) => response.statusCode)).toEqual(streams.map(() => 200))
  const refused = await page(workspaceId, '', token, 'text/event-stream')
  expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
  const others = await follow(await newWorkspace())
  expect(others.response.statusCode).toBe(200)
  streams[0]?.stop()
  await vi.waitFor(async () => expect((await follow(workspaceId, { token })).response.statusCode).toBe(200), 10_000)
})

test('the body of an answer to HEAD is nobody’s, and gives its place back', async () => {
  const dora = await t.login('Dora')
  const workspaceId = await newWorkspace(dora)
  const replica = t.replica({ ...PACE, stallMs: 50 })
  closers.push(() => replica.close())
  const server = await listen(replica.app)
  const headers = { authorization: `Bearer ${dora.accessToken}`, accept: 'text/event-stream' }
  const url = `${server.origin}/api/workspaces/${workspaceId}/events`
  for (let n = 0; n < LIMITS.streamsPerUser; n += 1) {
    expect((await fetch(url, { method: 'HEAD', headers })).status).toBe(200)
  }
  await vi.waitFor(async () => {
    const stream = await follow(workspaceId, { origin: server.origin, token: dora.accessToken })
    expect(stream.response.statusCode).toBe(200)
  }, 10_000)
})

test('draining ends streams after a whole event and refuses new ones', async () => {
  const workspaceId = await newWorkspace()
  const last = await append(workspaceId, 3)
  const replica = t.replica()
  closers.push(() => replica.close())
  const server = await listen(replica.app)
  const stream = await follow(workspaceId, { origin: server.origin })
  await stream.until(last)
  replica.app.drain()
  await stream.ended
  expect(ids(stream.events)).toEqual(range(1, last))
  const late = await follow(workspaceId, { origin: server.origin })
  expect(late.response.statusCode).toBe(503)
  expect(late.response.headers['retry-after']).toBe('1')
})

test('pages end where the journal ends, and a page after it is empty and goes on from there', async () => {
  const workspaceId = await newWorkspace()
  const last = await append(workspaceId, 4)
  const read = async (query: string) => {
    const { body } = await page(workspaceId, query)
    const seqs = (body['events'] as { seq: number }[]).map(({ seq }) => seq)
    return { seqs, nextAfter: body['nextAfter'], hasMore: body['hasMore'] }
  }
  expect(await read('')).toEqual({ seqs: range(1, last), nextAfter: last, hasMore: false })
  expect(await read('?limit=2')).toEqual({ seqs: [1, 2], nextAfter: 2, hasMore: true })
  expect(await read(`?after=${last - 2}&limit=2`)).toEqual({ seqs: [last - 1, last], nextAfter: last, hasMore: false })
  expect(await read(`?after=${last - 3}&limit=2`)).toMatchObject({ nextAfter: last - 1, hasMore: true })
  expect(await read(`?after=${last}`)).toEqual({ seqs: [], nextAfter: last, hasMore: false })
  expect(await read('?after=999999999999999')).toEqual({ seqs: [], nextAfter: 999_999_999_999_999, hasMore: false })
  await append(workspaceId, LIMITS.eventsPerPage)
  const full = await read(`?limit=${LIMITS.eventsPerPage}`)
  expect(full).toEqual({ seqs: range(1, LIMITS.eventsPerPage), nextAfter: LIMITS.eventsPerPage, hasMore: true })
})

test.each([
  'limit=0',
  'limit=1001',
  'limit=1.5',
  'limit=',
  'after=-1',
  'after=1e3',
  'after=0x10',
  'after=',
  'after=1000000000000000',
  'after=x',
])('a page asked for with %s is refused, and the field named', async (query) => {
  const { status, body } = await page(await newWorkspace(), `?${query}`)
  expect(status).toBe(400)
  expect(body).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: query.split('=')[0] }] })
})
