/** Programs that speak REST: writers whose every write has to have one effect, and readers that must never see the past. */
import { z } from 'zod'
import { parseStateHash } from '../../src/journal/chain.ts'
import type { ExportedEvent } from '../../src/journal/event.ts'
import type { FetchLike } from '../support/oauth.ts'
import type { Random } from '../support/random.ts'
import { restClient, type RestAnswer } from '../support/rest.ts'
import { insist } from './insist.ts'

export interface RestClientOptions {
  /** Of absolute addresses. */
  readonly fetch: FetchLike
  readonly origin: string
  readonly accessToken: string
  readonly workspaceId: string
  readonly random: Random
}

/** A client that does not take a 5xx for an answer: whether it happened is open. */
function speaker({ fetch, origin, accessToken }: RestClientOptions) {
  return restClient(
    async (path, init) => {
      const response = await fetch(new URL(path, origin).href, init)
      if (response.status >= 500) throw new Error(`${response.status}: ${await response.text()}`)
      return response
    },
    { authorization: `Bearer ${accessToken}` },
  )
}

export interface Writer {
  work(until: () => boolean): Promise<void>
  readonly writes: number
  /** What the journal says otherwise than this writer was told. */
  contradictions(events: readonly ExportedEvent[]): string[]
}

const Written = z.object({ value: z.object({ version: z.number() }) })

/**
 * Counts in one value, each step over the version before; and makes and removes a value that was not there. Each call
 * has an Idempotency-Key, and is repeated with it until it is answered: it may never be refused for what it did itself.
 */
export function createWriter(name: string, options: RestClientOptions): Writer {
  const rest = speaker(options)
  const { random } = options
  /** What each key's events must be, by the version of the write. */
  const expected = new Map<string, (number | 'deleted')[]>()
  let calls = 0

  async function once(
    key: string,
    send: (path: string, headers: Record<string, string>) => Promise<RestAnswer>,
    condition: Record<string, string>,
  ): Promise<RestAnswer> {
    calls += 1
    const headers = { ...condition, 'idempotency-key': `${options.workspaceId}-${name}-${calls}` }
    const path = `/api/workspaces/${options.workspaceId}/values/${key}`
    const answer = await insist(random, async () => {
      const answered = await send(path, headers)
      if (answered.body?.code === 'IDEMPOTENCY_IN_PROGRESS') throw new Error('still under way')
      return answered
    })
    if (answer.status < 300) return answer
    throw new Error(`${name}: ${key} ${JSON.stringify(headers)}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }

  async function write(key: string, value: unknown, condition: Record<string, string>): Promise<number> {
    const answer = await once(key, (path, headers) => rest.put(path, value, headers), condition)
    const { version } = Written.parse(answer.body).value
    expected.set(key, [...(expected.get(key) ?? []), version])
    return version
  }

  return {
    async work(until) {
      const counter = `${name}-counter`
      let version: number | undefined
      for (let count = 1; !until(); count += 1) {
        version = await write(
          counter,
          count,
          version === undefined ? { 'if-none-match': '*' } : { 'if-match': `"${version}"` },
        )
        if (random.next() < 0.5) continue
        const key = `${name}-${count}`
        const made = await write(key, 'x', { 'if-none-match': '*' })
        await once(key, (path, headers) => rest.delete(path, headers), { 'if-match': `"${made}"` })
        expected.get(key)?.push('deleted')
      }
    },
    get writes() {
      return calls
    },
    contradictions(events) {
      const found = new Map<string, (number | 'deleted')[]>()
      for (const { type, seq, payload } of events) {
        if (type !== 'value.written' && type !== 'value.deleted') continue
        const key = payload['key'] as string
        if (!key.startsWith(`${name}-`)) continue
        found.set(key, [...(found.get(key) ?? []), type === 'value.deleted' ? 'deleted' : seq])
      }
      return [...new Set([...expected.keys(), ...found.keys()])].flatMap((key) => {
        const [told, journaled] = [expected.get(key)?.join(), found.get(key)?.join()]
        return told === journaled ? [] : [`${key}: told ${told?.slice(-200)}, in the journal ${journaled?.slice(-200)}`]
      })
    },
  }
}

const Page = z.object({
  events: z.array(z.object({ seq: z.number() })),
  nextAfter: z.number(),
  hasMore: z.boolean(),
})

export interface Follower {
  work(until: () => boolean): Promise<void>
  readonly reads: number
}

/** Asks for the next events, again and again: they have no hole, and what one replica has shown the other has too. */
export function createFollower(options: RestClientOptions): Follower {
  const rest = speaker(options)
  const at = `/api/workspaces/${options.workspaceId}`
  let after = 0
  let position = 0
  let reads = 0
  return {
    async work(until) {
      while (!until()) {
        const page = await insist(options.random, () => rest.get(`${at}/events?after=${after}&limit=200`))
        if (page.status !== 200) throw new Error(`events after ${after}: ${page.status} ${JSON.stringify(page.body)}`)
        const { events, nextAfter } = Page.parse(page.body)
        const seqs = events.map(({ seq }) => seq)
        if (seqs.some((seq, n) => seq !== after + n + 1) || nextAfter !== after + seqs.length)
          throw new Error(`after ${after} came ${seqs.join()}, next after ${nextAfter}`)
        after = nextAfter
        const state = await insist(options.random, () => rest.get(`${at}/state`))
        if (state.status !== 200) throw new Error(`state: ${state.status} ${JSON.stringify(state.body)}`)
        const seen = parseStateHash(state.body.stateHash)?.seq ?? Number.NaN
        if (!(seen >= position)) throw new Error(`team state was at ${position}, and then at ${seen}`)
        position = seen
        reads += 2
      }
    },
    get reads() {
      return reads
    },
  }
}
