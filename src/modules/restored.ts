import { SYSTEM } from '../journal/event.ts'
import type { Journal, WorkspaceTx } from '../journal/journal.ts'
import { liveClaims } from './claim/store.ts'
import { forceRelease } from './claim/transfer.ts'
import { workspaceRecovered } from './tenancy/events.ts'
import { isDeleted } from './tenancy/store.ts'

/** Workspaces that are asked for at a time. */
const PAGE = 500

export interface RestoredCounts {
  readonly workspaces: number
  readonly claimsEnded: number
}

/**
 * After the database came back from a backup, before anybody is served: what was given since the backup is forgotten here
 * and not elsewhere. So fences and versions go on beyond all that can have been given, and every claim of the backup ends:
 * whoever held it may have released it since, and somebody else may have taken the paths. All of it is on record.
 *
 * Harmless to repeat: fences only grow, and there are no claims left to end.
 */
export async function afterRestore({ journal }: { journal: Journal }): Promise<RestoredCounts> {
  const counts = { workspaces: 0, claimsEnded: 0 }
  let after = ''
  for (;;) {
    const ids = await journal.workspaces(after, PAGE)
    const last = ids.at(-1)
    if (last === undefined) return counts
    after = last
    for (const workspace of ids) {
      const ended = await journal.change({ workspace }, restoreWorkspace)
      if (ended === null) continue
      counts.workspaces += 1
      counts.claimsEnded += ended
    }
  }
}

/** How many claims it ended; null for a workspace that was deleted, in which nothing happens any more. */
async function restoreWorkspace(ws: WorkspaceTx): Promise<number | null> {
  if (await isDeleted(ws.tx, ws.workspaceId)) return null
  ws.append(workspaceRecovered, { fenceBase: ws.raiseFences() }, SYSTEM)
  const claims = await liveClaims(ws.tx, ws.workspaceId)
  for (const claim of claims) forceRelease(ws, claim, { actor: SYSTEM, name: 'Orkestrate', reason: REASON })
  return claims.length
}

const REASON = 'The server was restored from a backup. Read the state, and claim again what you work on.'
