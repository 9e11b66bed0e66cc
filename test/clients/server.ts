import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import postgres, { type Sql } from 'postgres'
import { z } from 'zod'
import { sha256 } from '../../src/auth/crypto.ts'
import type { Person } from '../support/browser.ts'
import { obtainTokens } from '../support/oauth.ts'
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
  /** Lets the hour of an access token be over, in the database, and waits until the server knows. */
  expire(accessToken: string): Promise<void>
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
    async expire(accessToken) {
      const sql = await openDatabase(dataFolder)
      const tokenHash = sha256(accessToken)
      await sql`update oauth_access_tokens set expires_at = 'epoch' where token_hash = ${tokenHash}`
      await sql.end()
      // What it has proven the server believes for a second.
      while ((await statusOf(accessToken)) !== 401) await delay(100)
    },
    async stop() {
      child.kill('SIGTERM')
      await Promise.race([ended, delay(STOP_TIMEOUT_MS, undefined, { ref: false })])
      const outcome = child.exitCode ?? child.signalCode ?? 'nothing'
      if (outcome !== 0) throw new Error(`The server ended with ${outcome}`)
    },
  }
}

const Credentials = z.looseObject({ application: z.string() })

/** The server's own database, by the way in that the server has. */
async function openDatabase(dataFolder: string): Promise<Sql> {
  const read = (path: string): string => readFileSync(join(dataFolder, path), 'utf8')
  const [, , , port, host = ''] = read('postgres/postmaster.pid').split('\n')
  const { application: password } = Credentials.parse(JSON.parse(read('credentials.json')))
  return postgres({ host, port: Number(port), database: 'orkestrate', username: 'orkestrate', password, max: 1 })
}

const Event = z.looseObject({
  seq: z.number(),
  type: z.string(),
  actor: z.looseObject({ agentId: z.string().optional() }),
  payload: z.looseObject({ claimId: z.string().optional(), agentId: z.string().optional() }),
})
export type JournalEvent = z.infer<typeof Event>

const Workspaces = z.looseObject({ workspaces: z.array(z.looseObject({ id: z.string() })) })
const EventPage = z.looseObject({ events: z.array(Event), hasMore: z.boolean() })

async function getJson(accessToken: string, path: string): Promise<unknown> {
  const response = await fetch(`${ORIGIN}${path}`, { headers: { authorization: `Bearer ${accessToken}` } })
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

async function readEvents(accessToken: string, workspaceId: string, after: number): Promise<JournalEvent[]> {
  const path = `/api/workspaces/${workspaceId}/events?after=${after}`
  const { events, hasMore } = EventPage.parse(await getJson(accessToken, path))
  const last = events.at(-1)
  return hasMore && last ? events.concat(await readEvents(accessToken, workspaceId, last.seq)) : events
}

/**
 * What the server has recorded in the one workspace of `person`, oldest first: read over REST with a login of its own,
 * so that it does not depend on any client's.
 */
export async function readJournal(person: Person): Promise<{ workspaceId: string; events: JournalEvent[] }> {
  const { accessToken } = await obtainTokens(fetch, { publicUrl: ORIGIN, person, clientName: 'Observer' })
  const { workspaces } = Workspaces.parse(await getJson(accessToken, '/api/workspaces'))
  const [workspace, ...others] = workspaces
  if (!workspace || others.length > 0) throw new Error(`One workspace was expected: ${JSON.stringify(workspaces)}`)
  return { workspaceId: workspace.id, events: await readEvents(accessToken, workspace.id, 0) }
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

const INITIALIZE = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'probe', version: '1' } }

/** What an access token gets at the MCP endpoint: 200 or 401. */
export async function statusOf(accessToken: string): Promise<number> {
  return (await callMcp(accessToken, 'initialize', INITIALIZE)).status
}

/** What the server says about itself to clients. */
export async function describeServer(
  accessToken: string,
): Promise<{ instructions: string; descriptions: ReadonlyMap<string, string> }> {
  const { instructions } = Initialized.parse((await callMcp(accessToken, 'initialize', INITIALIZE)).json).result
  const { tools } = Listed.parse((await callMcp(accessToken, 'tools/list', {})).json).result
  return { instructions, descriptions: new Map(tools.map(({ name, description }) => [name, description])) }
}
