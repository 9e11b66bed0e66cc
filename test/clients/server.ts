import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { ScriptedBrowser } from '../support/browser.ts'
import { startChild } from './child.ts'

const PORT = 7300
const READY_TIMEOUT_MS = 90_000
const PROJECT = new URL('../..', import.meta.url).pathname

/** Nothing else listens in the namespace, so that the server can have the address which the documentation shows. */
export const ORIGIN = `http://localhost:${PORT}`
export const MCP_URL = `${ORIGIN}/api/mcp`

/** Starts the server with an empty database in `folder`, and waits until it can serve. */
export async function startServer(entry: string, folder: string, logFile: string): Promise<void> {
  const { PATH, HOME, TMPDIR } = process.env
  const env = { PATH, HOME, ...(TMPDIR && { TMPDIR }), PORT: String(PORT), DATA_DIR: join(folder, 'data') }
  const command = [process.execPath, '--import', 'tsx', entry]
  const child = startChild(command, { cwd: PROJECT, env, logFile })
  const deadline = Date.now() + READY_TIMEOUT_MS
  for (;;) {
    const isReady = await fetch(`${ORIGIN}/readyz`).then(
      (response) => response.ok,
      () => false,
    )
    if (isReady) return
    if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}`)
    if (Date.now() > deadline) throw new Error(`The server was not ready within ${READY_TIMEOUT_MS} ms`)
    await delay(100)
  }
}

const Event = z.looseObject({ seq: z.number(), type: z.string(), actor: z.unknown(), payload: z.unknown() })
export type JournalEvent = z.infer<typeof Event>

const Workspaces = z.looseObject({ workspaces: z.array(z.looseObject({ id: z.string(), name: z.string() })) })
const EventPage = z.looseObject({ events: z.array(Event), nextAfter: z.number().nullish(), hasMore: z.boolean() })

/** REST as the signed-in person's browser may read it. */
async function getJson(browser: ScriptedBrowser, path: string): Promise<unknown> {
  const cookie = browser
    .cookies(ORIGIN)
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  const response = await fetch(`${ORIGIN}${path}`, { headers: { cookie, 'sec-fetch-site': 'same-origin' } })
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

export async function readWorkspaces(browser: ScriptedBrowser): Promise<{ id: string; name: string }[]> {
  return Workspaces.parse(await getJson(browser, '/api/workspaces')).workspaces
}

/** The workspace's journal after position `after`, oldest first. */
export async function readJournal(
  browser: ScriptedBrowser,
  workspaceId: string,
  after: number,
): Promise<JournalEvent[]> {
  const path = `/api/workspaces/${workspaceId}/events?after=${after}`
  const { events, hasMore } = EventPage.parse(await getJson(browser, path))
  const last = events.at(-1)
  return hasMore && last ? [...events, ...(await readJournal(browser, workspaceId, last.seq))] : events
}

const Initialized = z.looseObject({ result: z.looseObject({ instructions: z.string() }) })

/** The status that an access token gets at the MCP endpoint, and the server's instructions where it is good. */
export async function callMcp(accessToken: string): Promise<{ status: number; instructions: string | undefined }> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'probe', version: '1' } }
  const response = await fetch(MCP_URL, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  })
  const body = await response.text()
  const json = body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1)
  const instructions = response.ok ? Initialized.parse(JSON.parse(json)).result.instructions : undefined
  return { status: response.status, instructions }
}
