import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExportedEvent } from '../../src/journal/event.ts'

/** A reader of a workspace's event stream that comes back with Last-Event-ID whenever it is cut off. */
export interface Follower {
  /** The seq of everything it was given, in the order in which that came. */
  readonly seen: readonly number[]
  /** How often it had to come back. */
  readonly resumed: number
  /** Resolves when it has been given this event, or that much time is over. */
  reached(seq: number, withinMs: number): Promise<boolean>
  stop(): Promise<void>
}

const PAUSE_MS = 200

/** A server that died without a word leaves a socket on which nothing ever comes; its keep-alives come every 15 s. */
const SILENCE_MS = 40_000

export function follow(options: { origin: string; workspaceId: string; token: () => string }): Follower {
  const seen: number[] = []
  const stopping = new AbortController()
  let opened = 0
  let current: IncomingMessage | undefined

  async function once(): Promise<void> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${options.token()}`,
      accept: 'text/event-stream',
      ...(seen.length > 0 && { 'last-event-id': String(seen.at(-1)) }),
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = get(`${options.origin}/api/workspaces/${options.workspaceId}/events`, { headers, agent: false })
      request.once('response', resolve).once('error', reject)
      request.setTimeout(SILENCE_MS, () => request.destroy(new Error('silent')))
    })
    current = response
    if (response.statusCode !== 200) return void response.resume()
    opened += 1
    let rest = ''
    for await (const chunk of response.setEncoding('utf8')) {
      const events = (rest + String(chunk)).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const id = /^id: (\d+)$/mu.exec(event)?.[1]
        if (id !== undefined) seen.push(Number(id))
      }
    }
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await once().catch(() => undefined)
      if (!stopping.signal.aborted) await delay(PAUSE_MS)
    }
  })()

  return {
    seen,
    get resumed() {
      return Math.max(0, opened - 1)
    },
    async reached(seq, withinMs) {
      const endsAt = performance.now() + withinMs
      while ((seen.at(-1) ?? 0) < seq && performance.now() < endsAt) await delay(20)
      return (seen.at(-1) ?? 0) >= seq
    },
    async stop() {
      stopping.abort()
      current?.destroy()
      await running
    },
  }
}

/** What a follower must never miss, see twice or see out of order, in sentences. */
export async function followerFaults(follower: Follower, events: readonly ExportedEvent[]): Promise<string[]> {
  const last = events.at(-1)?.seq ?? 0
  if (!(await follower.reached(last, 15_000)))
    return [`an event stream did not come to ${last}: ${follower.seen.at(-1)}`]
  const wrong = follower.seen.findIndex((seq, index) => seq !== events[index]?.seq)
  return wrong < 0 ? [] : [`an event stream had ${follower.seen[wrong]} where the journal has ${events[wrong]?.seq}`]
}
