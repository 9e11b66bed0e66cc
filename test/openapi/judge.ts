import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FetchLike } from '../support/oauth.ts'
import { type Documented, type Exchange, startPrism } from './prism.ts'

/** `npm run test:openapi` sets it: where Prism is, and where what it saw is written down. */
export const JUDGE = 'ORKESTRATE_TEST_PRISM'
const SEEN = 'exchanges.ndjson'

export const seenFile = (folder: string): string => join(folder, SEEN)

export interface Judge {
  readonly fetch: FetchLike
  /** @throws Error with every fault that was found */
  readonly verdict: () => void
}

/**
 * Puts Prism between a test and the app where `npm run test:openapi` asks for it: every test of REST is then one of the
 * document too. Otherwise nothing is in between.
 */
export async function judgeOf(upstream: FetchLike, publicUrl: string): Promise<Judge> {
  const asked = process.env[JUDGE]
  const absolute: FetchLike = (url, init) => upstream(new URL(url, publicUrl).href, init)
  if (asked === undefined) return { fetch: absolute, verdict: () => undefined }
  const { prism, results } = JSON.parse(asked) as { prism: string; results: string }
  const document = (await (await absolute('/api/openapi.json')).json()) as Documented
  const faulty: Exchange[] = []
  const judge = await startPrism(prism, document, absolute, (exchange) => {
    appendFileSync(seenFile(results), `${JSON.stringify(exchange)}\n`)
    if (exchange.faults.length > 0) faulty.push(exchange)
  })
  return {
    fetch: (url, init) => judge.fetch(new URL(url, publicUrl).href, init),
    verdict: () => {
      const found = faulty.map(({ method, operation, faults }) => `${method} ${operation}: ${faults.join('; ')}`)
      if (found.length > 0) throw new Error(`the document is not true:\n${[...new Set(found)].join('\n')}`)
    },
  }
}
