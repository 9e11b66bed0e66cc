import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import type { Deployment } from './deployment.ts'

export interface Faults {
  serverKills: number
  postmasterKills: number
}

/** Between two faults, so that mostly work gets done in between. */
const PAUSE_MS = { min: 300, max: 6_000 }

/** Kills a server or PostgreSQL with -9, at random moments, until told to stop; now and then both at once. */
export async function injectFaults(deployment: Deployment, random: Random, until: () => boolean): Promise<Faults> {
  const faults: Faults = { serverKills: 0, postmasterKills: 0 }
  while (!until()) {
    await delay(PAUSE_MS.min + random.below(PAUSE_MS.max - PAUSE_MS.min))
    if (until()) break
    const chance = random.next()
    if (chance > 0.45 && (await deployment.killPostmaster())) faults.postmasterKills += 1
    if (chance < 0.55 && deployment.killServer(random)) faults.serverKills += 1
    // A crash loop proves nothing: the next fault meets a server that works, or has just begun to.
    if (random.next() < 0.8) await deployment.ready()
  }
  return faults
}
