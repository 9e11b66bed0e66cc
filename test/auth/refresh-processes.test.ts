/**
 * Refreshing with real concurrency: client processes that share a token file, two server processes that share nothing but
 * the database. REFRESH_ROUNDS makes it longer.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { sha256 } from '../../src/auth/crypto.ts'
import { accessTokens } from '../../src/auth/schema.ts'
import { createAgent } from '../support/agent.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { obtainTokens } from '../support/oauth.ts'
import { freePort, portOf, type ServerProcess, startServer } from '../support/server-process.ts'
import { openGateway } from '../support/tcp-gateway.ts'
import { callMcp, type Outcome, refresh, refreshed, type StoredTokens, storeTokens } from './refresh-client.ts'

const PROCESSES = 8
const ROUNDS = Number(process.env['REFRESH_ROUNDS'] ?? 15)
const CLIENT = fileURLToPath(new URL('refresh-client.ts', import.meta.url))

/** Twice what is promised, because tests share their machine. */
const REVOKED_EVERYWHERE_MS = 2_000

let db: TestDatabase
let gateway: Awaited<ReturnType<typeof openGateway>>
let folder: string
let servers: ServerProcess[] = []
let here: string
let there: string
beforeAll(async () => {
  db = await createTestDatabase()
  gateway = await openGateway(db.target)
  folder = await mkdtemp(join(tmpdir(), 'ork-refresh-'))
  const ports = [await freePort(), await freePort()]
  const env = {
    DATABASE_URL: gateway.url,
    PUBLIC_URL: `http://localhost:${ports[0]}`,
    SECRET_KEY: 'k'.repeat(40),
    LOG_LEVEL: 'warn',
  }
  servers = await Promise.all(ports.map((port) => startServer({ dataDir: folder, port, env })))
  const [first = '', second = ''] = servers.map(({ origin }) => origin)
  here = first
  there = second
}, 180_000)
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()))
  await gateway.close()
  await db.drop()
  await rm(folder, { recursive: true, force: true })
})

/** A login of its own for each test: one grant each. */
const login = (): Promise<StoredTokens> =>
  obtainTokens(fetch, {
    publicUrl: here,
    person: { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' },
  })

async function rotated(origin: string, tokens: StoredTokens): Promise<StoredTokens> {
  const answer = await refresh(origin, tokens)
  expect(answer.status).toBe(200)
  return refreshed(tokens, answer)
}

/** As if its hour were over. No replica may have seen it yet: what one has proven it believes for up to a second. */
const expire = (accessToken: string) =>
  db.database.query((orm) =>
    orm
      .update(accessTokens)
      .set({ expiresAt: new Date(0) })
      .where(eq(accessTokens.tokenHash, sha256(accessToken))),
  )

function startClients(file: string): ChildProcess[] {
  const clients = Array.from({ length: PROCESSES }, (_, n) =>
    fork(CLIENT, [file, n % 2 === 0 ? here : there], { execArgv: ['--import', 'tsx'] }),
  )
  onTestFinished(() => clients.forEach((client) => client.kill()))
  return clients
}

/** All processes at once, until the last of them is through. */
async function playRound(clients: readonly ChildProcess[]): Promise<Outcome[]> {
  return Promise.all(
    clients.map(async (client) => {
      client.send('go')
      const [outcome] = (await once(client, 'message')) as [Outcome]
      return outcome
    }),
  )
}

test(
  `${PROCESSES} processes with one token file and an expired access token, on two replicas: nobody is logged out, ${ROUNDS} times (S-26, RFC 9700 §4.14.2)`,
  { timeout: 120_000 },
  async () => {
    const file = join(folder, 'tokens.json')
    let tokens = await login()
    const clients = startClients(file)
    const earlier: string[] = []
    for (let round = 1; round <= ROUNDS; round += 1) {
      tokens = await rotated(round % 2 === 0 ? here : there, tokens)
      await expire(tokens.accessToken)
      await storeTokens(file, tokens)
      const outcomes = await playRound(clients)
      const survived = { first: 401, refresh: '200', last: 200 }
      // One that comes to it when another has stored what it got finds a token that is good.
      const cameLater = { first: 200, refresh: undefined, last: undefined }
      const seen = outcomes.map(({ first, refresh, last }) => ({ first, refresh, last }))
      expect(seen).toEqual(seen.map(({ first }) => (first === 200 ? cameLater : survived)))
      expect(seen).toContainEqual(survived)
      const issued = outcomes.flatMap((outcome) => outcome.tokens ?? [])
      const [refreshToken = '', ...others] = new Set(issued.map((stored) => stored.refreshToken))
      expect(others).toEqual([])
      earlier.push(...issued.map(({ accessToken }) => accessToken))
      tokens = { ...tokens, refreshToken }
    }
    // What was given out on the way goes on working: siblings are still calling with it. None was given out twice.
    const statuses = await Promise.all(
      earlier.map((accessToken, n) => callMcp(n % 2 === 0 ? here : there, accessToken)),
    )
    expect(new Set(earlier).size).toBe(earlier.length)
    expect(new Set(statuses)).toEqual(new Set([200]))
  },
)

/** Passes a request on, and cuts the connection when it has succeeded: the answer is lost, what it tells has happened. */
async function losingProxy(target: string): Promise<{ origin: string; lost: Promise<string>; close(): void }> {
  let tell: (answer: string) => void
  const lost = new Promise<string>((resolve) => {
    tell = resolve
  })
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(target).port), 'localhost')
    client.pipe(upstream)
    let answer = ''
    upstream.setEncoding('utf8').on('data', (text: string) => {
      answer += text
      // "Not just now" is passed on, and asked again.
      if (!answer.startsWith('HTTP/1.1 200')) {
        client.write(answer)
        answer = ''
      } else if (answer.includes('}')) {
        client.destroy()
        upstream.destroy()
        tell(answer)
      }
    })
    client.on('error', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { origin: `http://127.0.0.1:${portOf(server)}`, lost, close: () => server.close() }
}

test('an answer that was lost after the commit is given again by the other replica: the same successor (S-27, RFC 9700 §4.14.2)', async () => {
  const tokens = await login()
  const proxy = await losingProxy(here)
  onTestFinished(() => proxy.close())
  await expect(refresh(proxy.origin, tokens)).rejects.toThrow('fetch failed')
  const inLostAnswer = /"refresh_token":"([^"]+)"/.exec(await proxy.lost)?.[1]
  const again = await rotated(there, tokens)
  expect(again.refreshToken).toBe(inLostAnswer)
  expect(again.refreshToken).not.toBe(tokens.refreshToken)
  expect((await refresh(here, again)).status).toBe(200)
})

test('an older generation at one replica ends the grant on both within a second, and frees what it held (S-25, S-09, RFC 9700 §4.14.2)', async () => {
  const first = await login()
  const agent = createAgent(fetch, `${here}/api/mcp`, first.accessToken)
  await agent.ready()
  const path = `theft/${agent.agentId}`
  expect(await agent.claim(path)).toMatchObject({ ok: true })
  const second = await rotated(here, first)
  const third = await rotated(there, second)
  const inUse = [first, second, third].map(({ accessToken }) => accessToken)
  const statuses = () => Promise.all([here, there].flatMap((origin) => inUse.map((token) => callMcp(origin, token))))
  expect(new Set(await statuses())).toEqual(new Set([200]))

  expect((await refresh(there, first)).status).toBe(400)
  await vi.waitFor(async () => expect(new Set(await statuses())).toEqual(new Set([401])), {
    timeout: REVOKED_EVERYWHERE_MS,
    interval: 50,
  })
  for (const origin of [here, there]) expect((await refresh(origin, third)).status).toBe(400)
  const other = createAgent(fetch, `${there}/api/mcp`, (await login()).accessToken)
  await other.ready()
  expect(await other.claim(path)).toMatchObject({ ok: true })
})
