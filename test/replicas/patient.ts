import { setTimeout as delay } from 'node:timers/promises'
import type { FetchLike } from '../support/oauth.ts'

const GIVE_UP_MS = 60_000
const PAUSE_MS = 200

/**
 * A client that asks again where the server says that nothing happened and to try later (503): on a machine that is too
 * busy for its database. For scenarios that are about something else; where every answer counts, it counts as failed.
 */
export function patient(fetchLike: FetchLike): FetchLike {
  return async (url, init) => {
    const giveUpAt = performance.now() + GIVE_UP_MS
    for (;;) {
      const response = await fetchLike(url, init)
      if (response.status !== 503 || performance.now() > giveUpAt) return response
      await response.arrayBuffer()
      await delay(PAUSE_MS)
    }
  }
}
