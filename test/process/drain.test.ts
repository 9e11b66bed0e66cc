import { expect, test } from 'vitest'
import { temporaryDirectory } from '../db/embedded-harness.ts'
import { modernRequest } from '../support/modern.ts'
import { readiness, type ServerProcess } from '../support/server-process.ts'
import { running, signIn } from './harness.ts'

/** Longer than any test: what ends it here is a signal. */
const DRAIN_SECONDS = '300'

async function leave(server: ServerProcess): Promise<void> {
  server.child.kill('SIGTERM')
  await expect.poll(() => readiness(server.origin)).toBe(503)
}

/** What comes, as far as it came; `ended` rejects when the connection is cut. */
function collect(body: ReadableStream<Uint8Array> | null): { read: () => string; ended: Promise<void> } {
  let read = ''
  const ended = (async () => {
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) read += chunk
  })()
  ended.catch(() => undefined)
  return { read: () => read, ended }
}

test('for DRAIN_SECONDS after SIGTERM all is served, while /readyz says no and every answer closes its connection', async () => {
  const server = await running({ dataDir: await temporaryDirectory(), env: { DRAIN_SECONDS } })
  const { agent, accessToken } = await signIn(server)
  const workspaceId: string = (await agent.join())['workspace'].id
  await agent.ready()
  const before = await fetch(`${server.origin}/healthz`)
  expect([before.status, before.headers.get('connection')]).toEqual([200, 'keep-alive'])

  await leave(server)
  expect(await agent.claim('src/auth')).toMatchObject({ ok: true })
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read_team_state', arguments: {} } }
  const path = `${server.origin}/api/workspaces/${workspaceId}/values/k`
  const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' }
  const answers = [
    await agent.post(call),
    await fetch(path, { method: 'PUT', headers, body: JSON.stringify({ value: 1 }) }),
    await fetch(path),
    await fetch(`${server.origin}/no-such-page`),
    await fetch(`${server.origin}/healthz`),
    await fetch(`${server.origin}/readyz`),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 201, 401, 404, 200, 503])
  expect(answers.map((answer) => answer.headers.get('connection'))).toEqual(answers.map(() => 'close'))
  expect(await server.stop()).toEqual({ code: 0, signal: null })
})

test('streams go on while the server is leaving, also new ones, and end in order when it goes', async () => {
  const server = await running({ dataDir: await temporaryDirectory(), env: { DRAIN_SECONDS } })
  const { agent, accessToken } = await signIn(server)
  const workspaceId: string = (await agent.join())['workspace'].id
  await agent.ready()
  const events = { authorization: `Bearer ${accessToken}`, accept: 'text/event-stream' }
  const uri = `orkestrate://workspaces/${workspaceId}/events`
  const open = async () => [
    await fetch(`${server.origin}/api/workspaces/${workspaceId}/events`, { headers: events }),
    await fetch(
      `${server.origin}/api/mcp`,
      modernRequest(accessToken, 'subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } }),
    ),
  ]
  const early = await open()
  await leave(server)
  const late = await open()
  expect([...early, ...late].map(({ status }) => status)).toEqual([200, 200, 200, 200])
  const readers = [...early, ...late].map(({ body }) => collect(body))
  const claimed = await agent.claim('src/auth')
  const told = `"${claimed['claim'].claimId}"`
  for (const [n, { read }] of readers.entries()) {
    await expect.poll(read, { timeout: 10_000 }).toContain(n % 2 === 0 ? told : 'notifications/resources/updated')
  }

  // Told a second time, it waits no longer.
  server.child.kill('SIGTERM')
  for (const [n, { read, ended }] of readers.entries()) {
    // Rejects where a stream is cut.
    await ended
    expect(read().endsWith('\n\n')).toBe(true)
    const messages = [...read().matchAll(/^data: (.*)$/gmu)].map((match) => JSON.parse(match[1] ?? ''))
    if (n % 2 === 0) expect(messages.at(-1)).toMatchObject({ type: 'claim.acquired' })
    else expect(messages.at(-1)).toHaveProperty('result')
  }
  expect(await server.exited).toEqual({ code: 0, signal: null })
})
