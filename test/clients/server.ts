import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { ScriptedBrowser } from '../support/browser.ts'
import { startChild, tail } from './child.ts'

const PORT = 7300
const READY_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 20_000
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/** Nothing else listens in the namespace, so that the server can have the address which the documentation shows. */
export const ORIGIN = `http://localhost:${PORT}`
export const MCP_URL = `${ORIGIN}/api/mcp`

const isReady = (): Promise<boolean> =>
  fetch(`${ORIGIN}/readyz`).then(
    (response) => response.ok,
    () => false,
  )

export interface RunningServer {
  /** Asks it to end. Throws unless it drains and ends well within {@link STOP_TIMEOUT_MS}. */
  stop(): Promise<void>
}

/** Starts the server on an empty `dataFolder`, with defaults for all else, and waits until it can serve. */
export async function startServer(entry: string, dataFolder: string, logFile: string): Promise<RunningServer> {
  const { PATH, HOME } = process.env
  const env = { PATH, HOME, PORT: String(PORT), DATA_DIR: dataFolder }
  const child = startChild([process.execPath, '--import', 'tsx', entry], { cwd: PROJECT, env, logFile })
  const ended = once(child, 'exit')
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (!(await isReady())) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`The server is not ready, but has printed:\n${tail(readFileSync(logFile, 'utf8'))}`)
    }
    await delay(100)
  }
  return {
    async stop() {
      child.kill('SIGTERM')
      await Promise.race([ended, delay(STOP_TIMEOUT_MS, undefined, { ref: false })])
      const outcome = child.exitCode ?? child.signalCode ?? 'nothing'
      if (outcome !== 0) throw new Error(`The server ended with ${outcome}`)
    },
  }
}

const Event = z.looseObject({
  seq: z.number(),
  type: z.string(),
  actor: z.looseObject({ agentId: z.string().optional() }),
  payload: z.looseObject({ claimId: z.string().optional() }),
})
export type JournalEvent = z.infer<typeof Event>

const Workspaces = z.looseObject({ workspaces: z.array(z.looseObject({ id: z.string() })) })
const EventPage = z.looseObject({ events: z.array(Event), hasMore: z.boolean() })

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

/** Ids of the person's workspaces. */
export async function readWorkspaces(browser: ScriptedBrowser): Promise<string[]> {
  return Workspaces.parse(await getJson(browser, '/api/workspaces')).workspaces.map(({ id }) => id)
}

/** The workspace's journal after position `after`, oldest first. */
export async function readJournal(browser: ScriptedBrowser, workspaceId: string, after = 0): Promise<JournalEvent[]> {
  const path = `/api/workspaces/${workspaceId}/events?after=${after}`
  const { events, hasMore } = EventPage.parse(await getJson(browser, path))
  const last = events.at(-1)
  return hasMore && last ? events.concat(await readJournal(browser, workspaceId, last.seq)) : events
}

const Initialized = z.looseObject({ result: z.looseObject({ instructions: z.string() }) })
const Listed = z.looseObject({
  result: z.looseObject({ tools: z.array(z.looseObject({ name: z.string(), description: z.string() })) }),
})

async function callMcp(
  accessToken: string,
  method: string,
  params: object,
): Promise<{ status: number; json: unknown }> {
  const response = await fetch(MCP_URL, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  // The same object, whether it comes bare or as the one event of a stream.
  const body = await response.text()
  return { status: response.status, json: JSON.parse(body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1)) }
}

/** What an access token gets at the MCP endpoint; with a good one, what the server says about itself. */
export async function probeMcp(
  accessToken: string,
): Promise<{ status: number; instructions: string; descriptions: ReadonlyMap<string, string> }> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'probe', version: '1' } }
  const { status, json } = await callMcp(accessToken, 'initialize', params)
  if (status !== 200) return { status, instructions: '', descriptions: new Map() }
  const { instructions } = Initialized.parse(json).result
  const { tools } = Listed.parse((await callMcp(accessToken, 'tools/list', {})).json).result
  return { status, instructions, descriptions: new Map(tools.map(({ name, description }) => [name, description])) }
}
