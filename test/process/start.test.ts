import { readdir, readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { gone, recordedPostmaster, temporaryDirectory } from '../db/embedded-harness.ts'
import { BUILT_SERVER } from '../support/built-server.ts'
import { freePort, portOf, readiness } from '../support/server-process.ts'
import { launch, postmasterOf, running } from './harness.ts'

test('a start prints the address and the exact commands that connect each client, and can serve', async () => {
  const server = await running({ dataDir: await temporaryDirectory() })
  const url = `http://localhost:${server.port}/api/mcp`
  await expect.poll(() => server.output()).toContain('Ctrl-C stops it.')
  const lines = server
    .output()
    .split('\n')
    .map((line) => line.trim())
  expect(lines).toContain(`Orkestrate is running at http://localhost:${server.port}`)
  expect(lines).toContain(`claude mcp add --transport http Orkestrate "${url}"`)
  expect(lines).toContain(`codex mcp add Orkestrate --url "${url}"`)
  expect(lines).toContain(`opencode mcp add Orkestrate --url "${url}"`)
  expect(await readiness(server.origin)).toBe(200)
})

test('a second start on the same data directory says who has it and ends; the first is undisturbed', async () => {
  const dataDir = await temporaryDirectory()
  const first = await running({ dataDir })
  const postmaster = await postmasterOf(dataDir)
  const second = await launch({ dataDir })
  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.output()).toMatch(/A server is running already on the data directory/)
  expect(second.output()).toContain(`(pid ${first.pid})`)
  expect(await readiness(first.origin)).toBe(200)
  expect(await postmasterOf(dataDir)).toBe(postmaster)
})

test('a start on a busy port says so and ends, and leaves no PostgreSQL behind', async () => {
  const dataDir = await temporaryDirectory()
  const port = await occupy('127.0.0.1')
  const server = await launch({ dataDir, port })
  expect(await server.exited).toEqual({ code: 1, signal: null })
  expect(server.output()).toContain(`Port ${port} is in use. Stop the other program, or set PORT to another one.`)
  expect(server.output()).not.toContain('Orkestrate is running')
  expect(await recordedPostmaster(dataDir)).toBeUndefined()
  const again = await running({ dataDir, port: await freePort() })
  expect(await readiness(again.origin)).toBe(200)
})

test('a port that is busy on the last of the loopback addresses is busy: nothing half-started stays', async () => {
  const dataDir = await temporaryDirectory()
  // Some machines have no IPv6.
  const port = await occupy('::1').catch(() => occupy('127.0.0.1'))
  const server = await launch({ dataDir, port })
  expect(await server.exited).toEqual({ code: 1, signal: null })
  expect(server.output()).toContain(`Port ${port} is in use.`)
})

test('every fault of the configuration is named at once, no value of it is, and nothing was started', async () => {
  const dataDir = await temporaryDirectory()
  const secret = 'hunter2-hunter2'
  const env = { PORT: 'many', SIGNUP: 'maybe', SECRET_KEY: secret, DATABASE_URL: `mysql://a:${secret}@h/d` }
  const server = await launch({ dataDir, env })
  expect(await server.exited).toEqual({ code: 1, signal: null })
  for (const name of Object.keys(env)) expect(server.output()).toMatch(new RegExp(`- ${name}[.:]`))
  expect(server.output()).not.toContain(secret)
  expect(await readdir(dataDir)).toEqual([])
})

test('a start that is interrupted ends with 0 and leaves no PostgreSQL behind', async () => {
  const dataDir = await temporaryDirectory()
  const server = await launch({ dataDir })
  await expect.poll(() => readdir(dataDir), { timeout: 20_000, interval: 5 }).toContain('server.lock')
  const exit = await server.stop('SIGINT')
  const postmaster = await recordedPostmaster(dataDir)
  if (postmaster !== undefined) await gone(postmaster)
  expect(exit).toEqual({ code: 0, signal: null })
  const again = await running({ dataDir })
  expect(await readiness(again.origin)).toBe(200)
})

/** Listens on a free port of the address until the test is over. */
async function occupy(host: string): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return portOf(server)
}

test('the image, `npm start` and the servers of other tests run node with the same flags', async () => {
  const { start } = (JSON.parse(await readFile('package.json', 'utf8')) as { scripts: { start: string } }).scripts
  const [, command = '[]'] = /^CMD (\[.*\])$/mu.exec(await readFile('Dockerfile', 'utf8')) ?? []
  expect(JSON.parse(command)).toEqual(['node', ...BUILT_SERVER])
  expect(start.split(' ')).toEqual(['node', ...BUILT_SERVER.slice(0, -1), 'scripts/start.mjs'])
})
