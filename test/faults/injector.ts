import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import type { SupervisedServer } from './supervised-server.ts'

export interface Faults {
  serverKills: number
  postmasterKills: number
}

/** Between two faults, so that mostly work gets done in between. */
const PAUSE_MS = { min: 300, max: 6_000 }

/** Kills the server or its PostgreSQL with -9, at random moments, until told to stop; now and then both at once. */
export async function injectFaults(server: SupervisedServer, random: Random, until: () => boolean): Promise<Faults> {
  const faults: Faults = { serverKills: 0, postmasterKills: 0 }
  while (!until()) {
    await delay(PAUSE_MS.min + random.below(PAUSE_MS.max - PAUSE_MS.min))
    if (until()) break
    const chance = random.next()
    if (chance > 0.45 && (await server.killPostmaster())) faults.postmasterKills += 1
    if (chance < 0.55 && server.killServer()) faults.serverKills += 1
    // A crash loop proves nothing: the next fault meets a server that works, or has just begun to.
    if (random.next() < 0.8) await server.ready()
  }
  return faults
}
