/** Readers of one workspace's events that go on, wherever they are served from. */
import { setTimeout as delay } from 'node:timers/promises'
import { modernRequest } from '../support/modern.ts'

export interface StreamReader {
  /** What it is, in words. */
  readonly kind: string
  /** Position and hash of every event that it was given, as they came. */
  readonly events: readonly { readonly seq: number; readonly hash: string }[]
  /** Streams that were opened, that ended in order, and that were cut; attempts that got no stream. */
  readonly counts: { opened: number; ended: number; cut: number; refused: number }
  /** Reads until told to stop. Rejects when it is given what it must not be. */
  follow(signal: AbortSignal): Promise<void>
}

export interface ReaderOptions {
  readonly origin: string
  readonly accessToken: string
  readonly workspaceId: string
}

/** After an attempt that got nothing. Not after a stream that ended: events are waiting. */
const PAUSE_MS = 100

type Events = { seq: number; hash: string }[]

/** The journal as an event stream (WHATWG HTML, section 9.2), resumed with Last-Event-ID. */
export function createEventReader({ origin, accessToken, workspaceId }: ReaderOptions): StreamReader {
  const events: Events = []
  const counts = { opened: 0, ended: 0, cut: 0, refused: 0 }
  const open = (signal: AbortSignal) => {
    const last = events.at(-1)
    return fetch(`${origin}/api/workspaces/${workspaceId}/events`, {
      headers: {
        authorization: `Bearer ${accessToken}`,
        accept: 'text/event-stream',
        ...(last === undefined ? {} : { 'last-event-id': String(last.seq) }),
      },
      signal,
    })
  }
  const take = async (message: string) => {
    const data = /^data: (.*)$/mu.exec(message)?.[1]
    if (data !== undefined) keep(events, JSON.parse(data))
  }
  return { kind: 'event stream', events, counts, follow: (signal) => follow({ counts, open, take }, signal) }
}

/** subscriptions/listen (MCP 2026-07-28): told that something happened, it reads the events after the last it has. */
export function createListener({ origin, accessToken, workspaceId }: ReaderOptions): StreamReader {
  const events: Events = []
  const counts = { opened: 0, ended: 0, cut: 0, refused: 0 }
  const uri = `orkestrate://workspaces/${workspaceId}/events`
  const open = (signal: AbortSignal) => {
    const request = modernRequest(accessToken, 'subscriptions/listen', {
      notifications: { resourceSubscriptions: [uri] },
    })
    return fetch(`${origin}/api/mcp`, { ...request, signal })
  }
  /** Nothing but an acknowledgement or a notification makes it look: what is not told it never sees. */
  const take = async (message: string, signal: AbortSignal) => {
    const data = /^data: (.*)$/mu.exec(message)?.[1]
    if (data === undefined) return false
    if (JSON.parse(data).result !== undefined) return true
    for (let hasMore = true; hasMore;) {
      const after = events.at(-1)?.seq ?? 0
      const page = await readPage(`${origin}/api/workspaces/${workspaceId}/events?after=${after}`, accessToken, signal)
      for (const event of page.events) keep(events, event)
      hasMore = page.hasMore
    }
    return false
  }
  return {
    kind: 'listener',
    events,
    counts,
    follow: (signal) => follow({ counts, open, take, hasResult: true }, signal),
  }
}

async function readPage(
  url: string,
  token: string,
  signal: AbortSignal,
): Promise<{ events: Events; hasMore: boolean }> {
  for (;;) {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal }).catch(() => null)
    if (response?.status === 200) return (await response.json()) as { events: Events; hasMore: boolean }
    signal.throwIfAborted()
    await delay(PAUSE_MS)
  }
}

function keep(events: Events, { seq, hash }: { seq: number; hash: string }): void {
  const due = (events.at(-1)?.seq ?? 0) + 1
  if (seq !== due) throw new Error(`event ${seq} came where ${due} was due`)
  events.push({ seq, hash })
}

interface Following {
  readonly counts: StreamReader['counts']
  readonly open: (signal: AbortSignal) => Promise<Response>
  /** Takes one message of the stream. True: it was the last one that this stream has. */
  readonly take: (message: string, signal: AbortSignal) => Promise<boolean | void>
  /** The stream's last message is the result of a request, without which it has not ended in order. */
  readonly hasResult?: boolean
}

async function follow({ counts, open, take, hasResult = false }: Following, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const response = await open(signal).catch(() => null)
    if (response?.status !== 200 || response.body === null) {
      if (signal.aborted) return
      counts.refused += 1
      await delay(PAUSE_MS)
      continue
    }
    counts.opened += 1
    const last = { seen: false }
    const end = await endOf(response.body, async (message) => {
      last.seen = (await take(message, signal)) === true || last.seen
    })
    if (signal.aborted) return
    if (end === 'ended' && (last.seen || !hasResult)) counts.ended += 1
    else counts.cut += 1
  }
}

/** Whole messages only: what a cut leaves of one is not taken. @throws what `take` throws */
async function endOf(
  body: ReadableStream<Uint8Array>,
  take: (message: string) => Promise<void>,
): Promise<'ended' | 'cut'> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (let text = ''; ;) {
    const next = await reader.read().catch(() => null)
    if (next === null) return 'cut'
    if (next.done) return text === '' ? 'ended' : 'cut'
    const messages = (text + next.value).split('\n\n')
    text = messages.pop() ?? ''
    for (const message of messages) await take(message)
  }
}
