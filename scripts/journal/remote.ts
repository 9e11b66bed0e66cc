import { z } from 'zod'
import type { ChainedEntry } from '../../src/journal/chain.ts'
import { asEvent } from './exported.ts'

const PAGE = 500

const entries = z.array(z.unknown())
/** `events` of a journal, `entries` of an account log. */
const Page = z.looseObject({
  events: entries.default([]),
  entries: entries.default([]),
  nextAfter: z.number(),
  hasMore: z.boolean(),
})

export interface RemoteJournal {
  /** The server's origin. */
  readonly url: string
  /** Without one, the account log of whoever the token is for. */
  readonly workspaceId: string | undefined
  readonly token: string
}

/**
 * The whole journal of a workspace, or account log, over REST, page by page.
 *
 * @throws Error when the server does not answer with a page; NotAnEvent for what is none.
 */
export async function* readRemoteJournal({ url, workspaceId, token }: RemoteJournal): AsyncGenerator<ChainedEntry> {
  const path = workspaceId === undefined ? '/api/audit' : `/api/workspaces/${encodeURIComponent(workspaceId)}/events`
  for (let after = 0, hasMore = true; hasMore;) {
    const address = new URL(path, url)
    address.search = new URLSearchParams({ after: String(after), limit: String(PAGE) }).toString()
    const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
    if (!response.ok) throw new Error(`${address.href} answered ${response.status}: ${await reasonOf(response)}`)
    const page = Page.parse(await response.json())
    for (const event of [...page.events, ...page.entries]) yield asEvent(event)
    if (page.hasMore && page.nextAfter <= after) throw new Error(`${address.href} leads nowhere`)
    after = page.nextAfter
    hasMore = page.hasMore
  }
}

async function reasonOf(response: Response): Promise<string> {
  const problem: unknown = await response.json().catch(() => null)
  const detail = z.looseObject({ detail: z.string() }).safeParse(problem)
  return detail.success ? detail.data.detail : response.statusText
}
