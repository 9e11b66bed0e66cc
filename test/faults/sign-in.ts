import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { type FetchLike, obtainTokens, postForm, tokensOf } from '../support/oauth.ts'

/** A person, signed in through the real forms, whose client's tokens all agents of the run share. */
export interface SignIn {
  accessToken(): string
  /** Refreshes them before they end, until told to stop. */
  keepTokens(until: () => boolean): Promise<void>
  /** @returns the new workspace's id */
  createWorkspace(name: string): Promise<string>
}

/** Access tokens live an hour. */
const REFRESH_MS = 40 * 60_000

const Created = z.object({ workspace: z.object({ id: z.string() }) })

/** @param options `name`: of a new account */
export async function signIn(origin: string, options: { name?: string; fetchLike?: FetchLike } = {}): Promise<SignIn> {
  const { name = 'Ada', fetchLike = (url, init) => fetch(url, init) } = options
  const person = { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` }
  let tokens = await obtainTokens(fetchLike, { publicUrl: origin, person, clientName: 'Fault test' })
  let refreshAt = performance.now() + REFRESH_MS

  async function refresh(): Promise<void> {
    const { clientId, refreshToken } = tokens
    const fields = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }
    const answer = await postForm(fetchLike, `${origin}/api/oauth/token`, fields).catch(() => null)
    // The same refresh token answers again with the same successor, so an unknown outcome is tried again.
    if (answer === null || answer.status >= 500) return
    tokens = { ...(await tokensOf(answer)), clientId }
    refreshAt = performance.now() + REFRESH_MS
  }

  return {
    accessToken: () => tokens.accessToken,
    async keepTokens(until) {
      while (!until()) {
        if (performance.now() > refreshAt) await refresh()
        await delay(500)
      }
    },
    async createWorkspace(name) {
      const answer = await fetchLike(`${origin}/api/workspaces`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens.accessToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      })
      if (answer.status !== 201) throw new Error(`no workspace: ${answer.status} ${await answer.text()}`)
      return Created.parse(await answer.json()).workspace.id
    },
  }
}
