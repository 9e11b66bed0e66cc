import { z } from 'zod'
import type { ExportedEvent } from '../../src/journal/event.ts'
import { asEvent } from './exported.ts'

const PAGE = 500

const Page = z.looseObject({ events: z.array(z.unknown()), nextAfter: z.number(), hasMore: z.boolean() })

export interface RemoteJournal {
  /** The server's origin. */
  readonly url: string
  readonly workspaceId: string
  readonly token: string
}

/**
 * The whole journal of a workspace over REST, page by page.
 *
 * @throws Error when the server does not answer with a page; NotAnEvent for what is none.
 */
export async function* readRemoteJournal({ url, workspaceId, token }: RemoteJournal): AsyncGenerator<ExportedEvent> {
  for (let after = 0, hasMore = true; hasMore;) {
    const address = new URL(`/api/workspaces/${encodeURIComponent(workspaceId)}/events`, url)
    address.search = new URLSearchParams({ after: String(after), limit: String(PAGE) }).toString()
    const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
    if (!response.ok) throw new Error(`${address.href} answered ${response.status}: ${await reasonOf(response)}`)
    const page = Page.parse(await response.json())
    for (const event of page.events) yield asEvent(event)
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
