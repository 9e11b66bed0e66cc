import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../support/random.ts'

/** A replica that was killed is back long before this. */
const GIVE_UP_MS = 90_000
const PAUSE_MS = { first: 30, max: 500 }

/** The same call until it has an answer: what a client with retry does. @throws the last error after 90 s */
export async function insist<T>(random: Random, run: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + GIVE_UP_MS
  for (let pause = PAUSE_MS.first; ; pause = Math.min(2 * pause, PAUSE_MS.max)) {
    try {
      return await run()
    } catch (error) {
      if (performance.now() > giveUpAt) throw error
      await delay(pause / 2 + random.below(pause))
    }
  }
}
