/**
 * One process of a client that keeps its tokens in a file and shares it with its siblings without a lock, as OpenCode
 * does: read, call, refresh on 401, write, call again. Plays a round for each message of its parent and tells the outcome.
 * Imports nothing but Node's own: eight of them start at once.
 *
 * Arguments: the file, and the origin of the replica to talk to.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

export interface StoredTokens {
  readonly clientId: string
  readonly accessToken: string
  readonly refreshToken: string
}

export interface Outcome {
  /** Status of the call with the stored access token. */
  readonly first: number
  /** Status of the refresh, with its body where it was refused. */
  readonly refresh?: string
  /** Status of the call with the new access token. */
  readonly last?: number
  readonly tokens?: StoredTokens
}

/** In one step, so that no sibling reads half a file: how a client writes is not what is judged here. */
export async function storeTokens(file: string, tokens: StoredTokens): Promise<void> {
  const draft = `${file}.${process.pid}`
  await writeFile(draft, JSON.stringify(tokens))
  await rename(draft, file)
}

/** Asks again where the server says that it cannot just now: on a machine that others keep busy it may be short of time. */
async function patiently(attempt: () => Promise<Response>): Promise<Response> {
  for (;;) {
    const response = await attempt()
    if (response.status !== 503) return response
    await response.arrayBuffer()
    await delay(Number(response.headers.get('retry-after')) * 1_000)
  }
}

/** @returns the status. */
export async function callMcp(origin: string, accessToken: string): Promise<number> {
  const headers = {
    authorization: `Bearer ${accessToken}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const response = await patiently(() => fetch(`${origin}/api/mcp`, { method: 'POST', headers, body }))
  await response.arrayBuffer()
  return response.status
}

export function refresh(origin: string, { clientId, refreshToken }: StoredTokens): Promise<Response> {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: refreshToken,
  })
  return patiently(() => fetch(`${origin}/api/oauth/token`, { method: 'POST', body }))
}

/** What a client stores of the answer to a refresh that succeeded. */
export async function refreshed(tokens: StoredTokens, answer: Response): Promise<StoredTokens> {
  const fields = (await answer.json()) as { access_token: string; refresh_token: string }
  return { ...tokens, accessToken: fields.access_token, refreshToken: fields.refresh_token }
}

async function playRound(file: string, origin: string): Promise<Outcome> {
  const stored = JSON.parse(await readFile(file, 'utf8')) as StoredTokens
  const first = await callMcp(origin, stored.accessToken)
  if (first !== 401) return { first }
  const answer = await refresh(origin, stored)
  if (answer.status !== 200) return { first, refresh: `${answer.status} ${await answer.text()}` }
  const tokens = await refreshed(stored, answer)
  await storeTokens(file, tokens)
  return { first, refresh: '200', last: await callMcp(origin, tokens.accessToken), tokens }
}

// Started as a process; the test imports the parts above.
const [, program, file, origin] = process.argv
if (program === import.meta.filename && file !== undefined && origin !== undefined) {
  process.on('message', () => {
    void playRound(file, origin).then((outcome) => process.send?.(outcome))
  })
}
