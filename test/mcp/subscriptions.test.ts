import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { App } from '../../src/app.ts'
import { defineEvent, SYSTEM } from '../../src/journal/event.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { deferred } from '../support/deferred.ts'
import { modernRequest } from '../support/modern.ts'
import { enter, postForm, visitor } from '../support/oauth.ts'
import { restClient } from '../support/rest.ts'
import { freshTeam, type Team } from '../support/team.ts'

const RECORDED = defineEvent<{ text: string }>('test.recorded', { teamState: false })
const MOVED = defineEvent<{ text: string }>('test.moved', { teamState: true })
/** No test waits for the periodic check: what ends a stream here is what happened. */
const PACE = { healMs: 3_600_000, keepAliveMs: 30, recheckMs: 3_600_000, stallMs: 3_600_000, updateMs: 50 }
const ID = 'io.modelcontextprotocol/subscriptionId'

let t: TestApp
let origin: string
const closers: (() => Promise<unknown>)[] = []
const sockets = new Set<Socket>()
beforeAll(async () => {
  t = await createTestApp({ pace: PACE })
  origin = await serve(t.app)
})
afterAll(async () => {
  t.app.drain()
  for (const socket of sockets) socket.destroy()
  await Promise.all(closers.map((close) => close()))
  await t.close()
})

async function serve(app: App): Promise<string> {
  const server = createAdaptorServer({ fetch: app.fetch })
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A second replica, and where it listens. */
async function replica(pace: Partial<typeof PACE> = {}): Promise<{ app: App; at: string }> {
  const other = t.replica({ ...PACE, ...pace })
  const at = await serve(other.app)
  closers.push(() => other.close())
  return { app: other.app, at }
}

const uri = (team: Pick<Team, 'id'>, name: string) => `orkestrate://workspaces/${team.id}/${name}`

function append(team: Pick<Team, 'id'>, type = RECORDED, app = t.app): Promise<void> {
  return app.journal.change({ workspace: team.id }, async (ws) => void ws.append(type, { text: 'x' }, SYSTEM))
}

async function tokenOf(name: string): Promise<string> {
  return (await t.login(name)).accessToken
}

interface Listening {
  readonly response: Response
  /** What the server acknowledged. */
  readonly acknowledged: string[]
  /** URIs that were told, in order. */
  readonly told: string[]
  readonly messages: Record<string, any>[] // oxlint-disable-line typescript/no-explicit-any -- what came
  comments(): number
  readonly ended: Promise<void>
  stop(): void
}

/** Listens with plain fetch. Resolves when the acknowledgement is there. */
async function listen(token: string, uris: string[], at = origin): Promise<Listening> {
  const over = new AbortController()
  const request = modernRequest(token, 'subscriptions/listen', { notifications: { resourceSubscriptions: uris } })
  const response = await fetch(`${at}/api/mcp`, { ...request, signal: over.signal })
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  const messages: Listening['messages'] = []
  let comments = 0
  const ended = (async () => {
    let text = ''
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop() ?? ''
      for (const part of parts) {
        if (part.startsWith(':')) comments += 1
        else messages.push(JSON.parse(/^data: (.*)$/mu.exec(part)?.[1] ?? 'null'))
      }
    }
  })()
  ended.catch(() => undefined)
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), 10_000)
  const [first] = messages
  expect(first).toMatchObject({ method: 'notifications/subscriptions/acknowledged' })
  return {
    response,
    messages,
    acknowledged: first?.['params'].notifications.resourceSubscriptions ?? [],
    get told() {
      return messages.flatMap(({ method, params }) =>
        method === 'notifications/resources/updated' ? [params.uri as string] : [],
      )
    },
    comments: () => comments,
    ended,
    stop: () => over.abort(),
  }
}

/** Resolves once that many URIs were told. */
async function told(stream: Listening, uris: string[]): Promise<void> {
  await vi.waitFor(() => expect(stream.told.toSorted()).toEqual(uris.toSorted()), 10_000)
}

test('the official client is told of the resources it named, and reads them again', async () => {
  const team = await freshTeam(t)
  const requestInit = { headers: { authorization: `Bearer ${await tokenOf(`Ada${team.n}`)}` } }
  const client = new Client({ name: 'x', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${origin}/api/mcp`), { requestInit }))
  expect(client.getServerCapabilities()).toMatchObject({ resources: { subscribe: true } })
  const updated: string[] = []
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri))
  const names = [uri(team, 'state'), uri(team, 'claims')]
  const subscription = await client.listen({ resourceSubscriptions: names, toolsListChanged: true })
  expect(subscription.honoredFilter).toEqual({ resourceSubscriptions: names })
  await team.bob.agent.join()
  await team.ada.agent.ready()
  await vi.waitFor(() => expect(new Set(updated)).toEqual(new Set(names)), 10_000)
  const { contents } = await client.readResource({ uri: uri(team, 'state') })
  expect(contents[0]).toHaveProperty('text', expect.stringContaining(team.ada.agent.agentId))
  await subscription.close()
  await client.close()
})

test('events are told always, state and claims only when team state moved, each by the URI that was named', async () => {
  const team = await freshTeam(t)
  const query = `${uri(team, 'events')}?after=7`
  const stream = await listen(await tokenOf(`Ada${team.n}`), [query, uri(team, 'claims'), uri(team, 'state')])
  expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
  await append(team)
  await told(stream, [query])
  await append(team, MOVED)
  await told(stream, [query, query, uri(team, 'claims'), uri(team, 'state')])
  const ids = stream.messages.map(({ params }) => params['_meta'][ID])
  expect(new Set(ids)).toEqual(new Set([ids[0]]))
  await vi.waitFor(() => expect(stream.comments()).toBeGreaterThan(2), 10_000)
  stream.stop()
})

test('a burst is told together, at the pace of the stream', async () => {
  const team = await freshTeam(t)
  const { app, at } = await replica({ updateMs: 3_600_000 })
  const stream = await listen(await tokenOf(`Ada${team.n}`), [uri(team, 'events')], at)
  for (let n = 0; n < 20; n += 1) await append(team, RECORDED, app)
  await told(stream, [uri(team, 'events')])
  // The second one is an hour away; draining ends the wait, and nothing else is told.
  app.drain()
  await stream.ended
  expect(stream.told).toHaveLength(1)
  expect(stream.messages.at(-1)).toMatchObject({ result: { resultType: 'complete' } })
})

test('what happens on one replica is told on the other, also to who comes back there', async () => {
  const team = await freshTeam(t)
  const other = await replica()
  const token = await tokenOf(`Ada${team.n}`)
  const here = await listen(token, [uri(team, 'events')])
  await append(team, RECORDED, other.app)
  await told(here, [uri(team, 'events')])
  here.stop()
  const there = await listen(token, [uri(team, 'events')], other.at)
  await append(team)
  await told(there, [uri(team, 'events')])
  expect(there.told).toHaveLength(1)
  there.stop()
})

test('of others, and of none, nothing is acknowledged; with nothing left the stream ends at once', async () => {
  const team = await freshTeam(t)
  const others = await freshTeam(t)
  const token = await tokenOf(`Ada${team.n}`)
  const foreign = [uri(others, 'state'), uri({ id: 'ws_missing' }, 'state'), 'test://x', uri(team, 'members')]
  const none = await listen(token, foreign)
  await none.ended
  expect(none.acknowledged).toEqual([])
  expect(none.messages.at(-1)).toMatchObject({ result: { resultType: 'complete' } })
  const some = await listen(token, [...foreign, uri(team, 'state')])
  expect(some.acknowledged).toEqual([uri(team, 'state')])
  await append(others, MOVED)
  await append(team, MOVED)
  await told(some, [uri(team, 'state')])
  some.stop()
})

test('a viewer listens; a token that is bound to another workspace does not', async () => {
  const team = await freshTeam(t)
  await team.admit(team.bob, 'viewer')
  const stream = await listen(await tokenOf(`Bob${team.n}`), [uri(team, 'events')])
  await append(team)
  await told(stream, [uri(team, 'events')])
  stream.stop()

  const two = (await team.ada.rest.post('/api/workspaces', { name: 'Two' })).body.workspace
  const name = `Ada${team.n}`
  const browser = visitor(t.fetch, t.publicUrl)
  await enter(browser, { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` })
  const rest = restClient(t.fetch, { cookie: browser.cookie(), 'sec-fetch-site': 'same-origin' })
  const { id, secret } = (await rest.post('/api/tokens', { name: 'x', workspaceId: two.id })).body.token
  const bound = await listen(secret, [uri(team, 'events'), uri(two, 'events')])
  expect(bound.acknowledged).toEqual([uri(two, 'events')])
  await rest.delete(`/api/tokens/${id}`)
  await bound.ended
})

/** Streams of both kinds, of one person. */
async function streamsOf(name: string, team: Team, at = origin) {
  const token = await tokenOf(name)
  const events = await fetch(`${at}${team.at}/events`, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
  })
  expect(events.status).toBe(200)
  const listening = await listen(token, [uri(team, 'state'), uri(team, 'events')], at)
  const ended = Promise.all([events.text(), listening.ended])
  ended.catch(() => undefined)
  return { token, ended }
}

test.each<[string, (team: Team) => Promise<unknown>]>([
  ['removed', (team) => team.ada.rest.confirmed('DELETE', `${team.at}/members/${team.bob.userId}`)],
  ['gone by themselves', (team) => team.bob.rest.confirmed('DELETE', `${team.at}/members/${team.bob.userId}`)],
  ['of an archived workspace', (team) => team.ada.rest.confirmed('PATCH', team.at, { archived: true })],
  ['of a deleted workspace', (team) => team.ada.rest.confirmed('DELETE', team.at)],
])('a member %s is out of open streams at once, on every replica', async (_who, end) => {
  const team = await freshTeam(t)
  await team.admit(team.bob, 'member')
  const other = await replica()
  const streams = [await streamsOf(`Bob${team.n}`, team), await streamsOf(`Bob${team.n}`, team, other.at)]
  await end(team)
  await expect(Promise.all(streams.map(({ ended }) => ended))).resolves.toHaveLength(2)
})

test('other members stay when one is removed, and a new role ends nothing', async () => {
  const team = await freshTeam(t)
  await team.admit(team.bob, 'member')
  const stream = await listen(await tokenOf(`Ada${team.n}`), [uri(team, 'state')])
  const bobs = await listen(await tokenOf(`Bob${team.n}`), [uri(team, 'state')])
  await team.ada.rest.patch(`${team.at}/members/${team.bob.userId}`, { role: 'viewer' })
  await append(team, MOVED)
  await told(bobs, [uri(team, 'state')])
  await team.ada.rest.confirmed('DELETE', `${team.at}/members/${team.bob.userId}`)
  await bobs.ended
  await vi.waitFor(() => expect(stream.told.length).toBeGreaterThan(0))
  const before = stream.told.length
  await append(team, MOVED)
  await vi.waitFor(() => expect(stream.told.length).toBeGreaterThan(before))
  stream.stop()
})

test('a revoked token is out of its open streams at once; the person’s other tokens stay', async () => {
  const team = await freshTeam(t)
  const other = await streamsOf(`Ada${team.n}`, team)
  const { accessToken, clientId } = await t.login(`Ada${team.n}`)
  const stream = await listen(accessToken, [uri(team, 'events')])
  await postForm(t.fetch, `${t.publicUrl}/api/oauth/revoke`, { token: accessToken, client_id: clientId })
  await stream.ended
  let isOver = false
  other.ended.then(
    () => (isOver = true),
    () => undefined,
  )
  const still = await listen(other.token, [uri(team, 'events')])
  await append(team)
  await told(still, [uri(team, 'events')])
  expect(isOver).toBe(false)
  still.stop()
})

test('a person’s streams of both kinds are bounded together', async () => {
  const team = await freshTeam(t)
  const { token } = await streamsOf(`Ada${team.n}`, team)
  const more = Array.from({ length: LIMITS.streamsPerUser - 2 }, () => listen(token, [uri(team, 'state')]))
  const [first] = await Promise.all(more)
  await expect(listen(token, [uri(team, 'state')])).rejects.toThrow(/^429 .*RATE_LIMITED/u)
  first?.stop()
  await vi.waitFor(async () => void (await listen(token, [uri(team, 'state')])), 10_000)
})

test('a drain ends streams with the result of the request, and refuses new ones', async () => {
  const team = await freshTeam(t)
  const { app, at } = await replica()
  const token = await tokenOf(`Ada${team.n}`)
  const stream = await listen(token, [uri(team, 'state')], at)
  app.drain()
  await stream.ended
  expect(stream.messages.at(-1)).toMatchObject({
    id: stream.messages[0]?.['params']['_meta'][ID],
    result: { resultType: 'complete' },
  })
  await expect(listen(token, [uri(team, 'state')], at)).rejects.toThrow(/^503 /u)
})

test('what listens to nothing, or not as the protocol says, gets the protocol’s answer and takes no place', async () => {
  const team = await freshTeam(t)
  const token = await tokenOf(`Ada${team.n}`)
  for (const notifications of [undefined, 1, { resourceSubscriptions: [1] }]) {
    const response = await t.fetch('/api/mcp', modernRequest(token, 'subscriptions/listen', { notifications }))
    expect(await response.json()).toMatchObject({ error: { code: -32602 } })
  }
  const tools = modernRequest(token, 'subscriptions/listen', { notifications: { toolsListChanged: true } })
  const response = await t.fetch('/api/mcp', tools)
  expect(await response.text()).toContain('"resultType":"complete"')
  const { headers, ...rest } = modernRequest(token, 'subscriptions/listen', {
    notifications: { resourceSubscriptions: [uri(team, 'state')] },
  })
  const mismatch = await t.fetch('/api/mcp', { ...rest, headers: { ...headers, 'mcp-method': 'tools/list' } })
  expect(mismatch.status).toBe(400)
})

test('of more URIs than a stream may have the first are acknowledged', async () => {
  const team = await freshTeam(t)
  const uris = Array.from({ length: LIMITS.urisPerStream + 5 }, (_, n) => `${uri(team, 'events')}?after=${n}`)
  const stream = await listen(await tokenOf(`Ada${team.n}`), uris)
  expect(stream.acknowledged).toEqual(uris.slice(0, LIMITS.urisPerStream))
  stream.stop()
})

test('a reader that takes nothing is cut, and nothing was kept for it', async () => {
  const team = await freshTeam(t)
  const { app, at } = await replica({ updateMs: 0, stallMs: 150 })
  const { headers, body } = modernRequest(await tokenOf(`Ada${team.n}`), 'subscriptions/listen', {
    // Each notification is the length of its URI: so the sockets’ buffers are full after some thousand.
    notifications: {
      resourceSubscriptions: Array.from({ length: 100 }, (_, n) => `${uri(team, 'events')}?x=${n}${'x'.repeat(1_900)}`),
    },
  })
  const { port, hostname } = new URL(at)
  const stuck = connect(Number(port), hostname)
  sockets.add(stuck)
  stuck.on('error', () => undefined)
  stuck.pause()
  const lines = Object.entries({ ...headers, host: 'localhost', 'content-length': String(Buffer.byteLength(body)) })
  const before = new Set(sockets)
  stuck.write(`POST /api/mcp HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}`).join('\r\n')}\r\n\r\n${body}`)
  await vi.waitFor(() => expect([...sockets].some((socket) => !before.has(socket))).toBe(true), 10_000)
  const server = [...sockets].find((socket) => !before.has(socket))
  const cut = deferred()
  server?.once('close', () => cut.resolve())
  const isOpen = () => server?.destroyed === false
  while (isOpen()) await append(team, RECORDED, app)
  await cut.promise
  // It was cut because its buffers were full, and not before.
  expect(server?.bytesWritten).toBeGreaterThan(100_000)
})
