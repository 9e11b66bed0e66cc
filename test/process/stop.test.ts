import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { isAlive } from '../../src/db/embedded/processes.ts'
import { recordedPostmaster, temporaryDirectory } from '../db/embedded-harness.ts'
import { readiness } from '../support/server-process.ts'
import { liveClaims, postmasterOf, running, signIn } from './harness.ts'

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends the server with 0 and its PostgreSQL with it, and the next start finds everything',
  async (signal) => {
    const dataDir = await temporaryDirectory()
    // Ctrl-C does not wait for a load balancer to notice.
    const DRAIN_SECONDS = signal === 'SIGINT' ? '300' : '0'
    const server = await running({ dataDir, env: { DRAIN_SECONDS } })
    const { agent, accessToken } = await signIn(server)
    await agent.ready()
    const claimed = await agent.claim('src/auth')
    const postmaster = await postmasterOf(dataDir)

    expect(await server.stop(signal)).toEqual({ code: 0, signal: null })
    expect(isAlive(postmaster)).toBe(false)
    expect(await recordedPostmaster(dataDir)).toBeUndefined()

    const next = await running({ dataDir, port: server.port })
    const { claims } = await liveClaims(agent)
    expect(claims).toMatchObject([{ claimId: claimed['claim'].claimId, paths: ['src/auth'] }])
    const workspaces = await fetch(`${next.origin}/api/workspaces`, {
      headers: { authorization: `Bearer ${accessToken}` },
    })
    expect(workspaces.status).toBe(200)
  },
)

test('a request in flight when the server is told to stop gets its answer', async () => {
  const server = await running({ dataDir: await temporaryDirectory() })
  const { agent, accessToken } = await signIn(server)
  await agent.ready()
  const call = { name: 'read_team_state', arguments: { agentId: agent.agentId } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: call })
  const headers = {
    authorization: `Bearer ${accessToken}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': Buffer.byteLength(body),
  }
  const pending = request(`${server.origin}/api/mcp`, { method: 'POST', headers })
  const answered = once(pending, 'response')
  await new Promise((resolve) => {
    pending.write(body.slice(0, 20), resolve)
  })
  // Answered after the half request was sent, so that has been seen as well.
  expect(await readiness(server.origin)).toBe(200)

  server.child.kill('SIGTERM')
  await expect.poll(() => server.output()).toContain('"msg":"stopping"')
  pending.end(body.slice(20))
  const [response]: [IncomingMessage] = await (answered as Promise<[IncomingMessage]>)
  expect(response.statusCode).toBe(200)
  expect(await text(response)).toContain(agent.agentId)
  expect(await server.exited).toEqual({ code: 0, signal: null })
})

test('Ctrl-C in the terminal of `npm start` leaves no process behind, and a data directory to start on again', async () => {
  const dataDir = await temporaryDirectory()
  const server = await running({ dataDir, command: ['npm', 'start'], detached: true })
  onTestFinished(() => endGroup(server.pid))
  const postmaster = await postmasterOf(dataDir)
  process.kill(-server.pid, 'SIGINT')
  // The pipes close once npm, its shell and the server have all ended.
  await once(server.child, 'close')
  expect(server.output()).toContain('"msg":"stopping"')
  expect(isAlive(postmaster)).toBe(false)
  await running({ dataDir })
})

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}
