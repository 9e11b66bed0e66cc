import { readdir, readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { EmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { start, temporaryDirectory } from '../db/embedded-harness.ts'
import { freePort, portOf, readiness } from '../support/server-process.ts'
import { launch, NO_HANG_MS, running, signIn } from './harness.ts'

/** A PostgreSQL that somebody else runs, on a loopback port. */
async function externalPostgres(dataDir: string, port: number): Promise<EmbeddedPostgres> {
  const settings = { fsync: 'off', listen_addresses: '127.0.0.1', port: String(port) }
  return start(dataDir, { settings })
}

function urlOf({ connection }: EmbeddedPostgres, port: number, password = connection.password): string {
  const { username, database } = connection
  return `postgres://${username}:${password}@127.0.0.1:${port}/${database}`
}

test('with DATABASE_URL the server runs on that PostgreSQL, and makes none of its own', async () => {
  const [postgresDir, dataDir, port] = [await temporaryDirectory(), await temporaryDirectory(), await freePort()]
  const postgres = await externalPostgres(postgresDir, port)
  const server = await running({ dataDir, env: { DATABASE_URL: urlOf(postgres, port) } })
  const { agent } = await signIn(server)
  expect(await agent.ready()).toMatchObject({ ok: true, phase: 'synced' })
  expect(await readdir(dataDir)).toEqual(['secret-key'])
  expect(await server.stop()).toEqual({ code: 0, signal: null })
  expect(server.output()).not.toContain(postgres.connection.password)
})

test('a DATABASE_URL that leads nowhere ends the start with what is wrong, and never with its password', async () => {
  const [postgresDir, dataDir, port] = [await temporaryDirectory(), await temporaryDirectory(), await freePort()]
  const postgres = await externalPostgres(postgresDir, port)
  const silent = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  const password = 's3cr3t-of-mine'
  const nowhere: [url: string, says: RegExp][] = [
    [`postgres://ork:${password}@127.0.0.1:${await freePort()}/ork`, /ECONNREFUSED/],
    [`postgres://ork:${password}@127.0.0.1:${portOf(silent)}/ork`, /CONNECT_TIMEOUT/],
    [`postgres://ork:${password}%zz@127.0.0.1:${port}/ork`, /URI malformed/],
    [urlOf(postgres, port, password), /password authentication failed/],
    [`${urlOf(postgres, port)}_absent`, /database "orkestrate_absent" does not exist/],
  ]
  for (const [url, says] of nowhere) {
    const server = await launch({ dataDir, env: { DATABASE_URL: url } })
    expect(await server.exited).toEqual({ code: 1, signal: null })
    expect(server.output()).toMatch(/The database named by DATABASE_URL cannot be used/)
    expect(server.output()).toMatch(says)
    expect(server.output()).not.toContain(password)
    expect(server.output()).not.toContain(postgres.connection.password)
  }
  expect(await readdir(dataDir)).toEqual([])
})

test('a DATABASE_URL of a superuser ends the start with what to do: row-level security would not bind the server', async () => {
  const [postgresDir, dataDir, port] = [await temporaryDirectory(), await temporaryDirectory(), await freePort()]
  const postgres = await externalPostgres(postgresDir, port)
  const { superuser } = JSON.parse(await readFile(join(postgresDir, 'credentials.json'), 'utf8'))
  const url = `postgres://postgres:${superuser}@127.0.0.1:${port}/${postgres.connection.database}`
  const server = await launch({ dataDir, env: { DATABASE_URL: url } })
  expect(await server.exited).toEqual({ code: 1, signal: null })
  expect(server.output()).toMatch(/^\nThe database role "postgres" is a superuser\..*docker\/create-role\.sh.*\n$/mu)
  expect(server.output()).not.toContain(superuser)
  expect(server.output()).not.toContain(' at ')
})

test('while the database is down the server lives, says that it is not ready, and refuses calls in time; then goes on', async () => {
  const [postgresDir, port] = [await temporaryDirectory(), await freePort()]
  const postgres = await externalPostgres(postgresDir, port)
  const server = await running({ dataDir: await temporaryDirectory(), env: { DATABASE_URL: urlOf(postgres, port) } })
  const [known, fresh] = [await signIn(server), await signIn(server)]
  await known.agent.ready()
  const claimed = await known.agent.claim('src')

  await postgres.stop()
  // The first token was used a moment ago and is remembered for a while; the other one never was.
  for (const { accessToken } of [known, fresh, known, fresh]) {
    await expectUnavailable(server.origin, accessToken)
    expect(await readiness(server.origin)).toBe(503)
    expect((await fetch(`${server.origin}/healthz`)).status).toBe(200)
  }

  await externalPostgres(postgresDir, port)
  await expect.poll(() => readiness(server.origin), { timeout: 20_000 }).toBe(200)
  const again = await known.agent.call('read_team_state')
  expect(again).toMatchObject({ ok: true, activeClaims: [{ claimId: claimed['claim'].claimId }] })
  expect(await fresh.agent.join()).toMatchObject({ ok: true })
})

test('a database that hangs is as good as one that is down: calls are refused in time', async () => {
  const [postgresDir, port] = [await temporaryDirectory(), await freePort()]
  const postgres = await externalPostgres(postgresDir, port)
  const server = await running({ dataDir: await temporaryDirectory(), env: { DATABASE_URL: urlOf(postgres, port) } })
  const [known, fresh] = [await signIn(server), await signIn(server)]
  await known.agent.ready()

  const processes = await withChildren(postgres.postmasterPid)
  onTestFinished(() => signalAll(processes, 'SIGCONT'))
  signalAll(processes, 'SIGSTOP')
  await expectUnavailable(server.origin, known.accessToken)
  await expectUnavailable(server.origin, fresh.accessToken)
  expect((await fetch(`${server.origin}/healthz`)).status).toBe(200)
  expect(await readiness(server.origin)).toBe(503)

  signalAll(processes, 'SIGCONT')
  await expect.poll(() => readiness(server.origin), { timeout: 20_000 }).toBe(200)
  expect(await known.agent.claim('src')).toMatchObject({ ok: true })
})

async function expectUnavailable(origin: string, accessToken: string): Promise<void> {
  const params = { name: 'read_team_state', arguments: {} }
  const response = await fetch(`${origin}/api/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    signal: AbortSignal.timeout(NO_HANG_MS),
  })
  expect(response.status).toBe(503)
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(await response.json()).toMatchObject({ code: 'UNAVAILABLE', retryable: true, status: 503 })
}

/** A postmaster and its backends: each is in a session of its own, so no one signal reaches them all. Linux. */
async function withChildren(postmaster: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0)
  const parents = await Promise.all(
    pids.map(async (pid) => ({ pid, status: await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '') })),
  )
  const children = parents.filter(({ status }) => new RegExp(`^PPid:\\s+${postmaster}$`, 'm').test(status))
  return [postmaster, ...children.map(({ pid }) => pid)]
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended meanwhile.
    }
  }
}
