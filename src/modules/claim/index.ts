/**
 * Claims: leases on paths of a repository, with a TTL and a fencing token.
 *
 * Invariants: no two live exclusive claims of different sessions overlap in one repository, on any branch; a shared
 * claim overlaps only shared ones; a claim that ended never comes back; fences only grow within a workspace.
 * A lease is live while now < expiresAt, by the database's clock under the workspace's lock. Overlap is exact
 * (overlap.ts); the database only proposes candidates, by literal prefix.
 */
import type { Actor } from '../../journal/event.ts'
import { SYSTEM } from '../../journal/event.ts'
import type { WorkspaceTx } from '../../journal/journal.ts'
import type { Module } from '../module.ts'
import { alert, type Alert } from '../session/alert.ts'
import type { Session } from '../session/session.ts'
import { addAlerts } from '../session/store.ts'
import { claimAcquired, claimExpired, claimFacts, claimReleased, claimTransferred } from './events.ts'
import {
  earliestExpiry,
  endClaims,
  eraseClaims,
  lapsedClaims,
  liveClaims,
  liveClaimsOfSession,
  type HeldClaim,
} from './store.ts'
import { listClaims, releaseClaim } from './operations.ts'
import { claimScope, releaseScope } from './tools.ts'
import { alertFacts } from './view.ts'

/**
 * Claims that are put on record as lapsed in one burst of statements, so that none of these grows with their number: a
 * workspace whose agents all fell silent may have thousands of leases that are over.
 */
const ENDED_AT_ONCE = 500

async function expire(ws: WorkspaceTx): Promise<Date | null> {
  for (
    let lapsed: HeldClaim[];
    (lapsed = await lapsedClaims(ws.tx, ws.workspaceId, ws.now, ENDED_AT_ONCE)).length > 0;
  ) {
    const alerts = new Map<string, Alert[]>()
    for (const claim of lapsed) {
      ws.append(claimExpired, claimFacts(claim, claim.agentId), SYSTEM)
      const told = alerts.get(claim.sessionId) ?? []
      alerts.set(claim.sessionId, [...told, alert('CLAIM_LAPSED', ws.now, alertFacts(claim))])
    }
    const ids = lapsed.map((claim) => claim.id)
    ws.write((tx) => addAlerts(tx, ws.workspaceId, alerts))
    ws.write((tx) => endClaims(tx, ws.workspaceId, ids, 'expired', ws.now))
    await ws.flush()
  }
  return earliestExpiry(ws.tx, ws.workspaceId)
}

async function onSessionEnd(ws: WorkspaceTx, session: Session, actor: Actor): Promise<void> {
  const held = await liveClaimsOfSession(ws.tx, ws.workspaceId, session.id)
  for (const claim of held) {
    ws.append(claimReleased, { ...claimFacts(claim, session.agentId), reason: 'session_ended' }, actor)
  }
  const ids = held.map((claim) => claim.id)
  ws.write((tx) => endClaims(tx, ws.workspaceId, ids, 'session_ended', ws.now))
}

export const claim: Module = {
  name: 'claim',
  tools: [claimScope, releaseScope],
  operations: [listClaims, releaseClaim],
  resources: [
    {
      name: 'claims',
      title: 'Live claims',
      description: 'Who holds which paths, and until when, the oldest claim first.',
      operation: listClaims,
      changesWith: 'team state',
    },
  ],
  events: [claimAcquired, claimReleased, claimTransferred, claimExpired],
  expire,
  onSessionEnd,
  inventory: async (orm, workspaceId) => ({ liveClaims: (await liveClaims(orm, workspaceId)).length }),
  erase: eraseClaims,
}
