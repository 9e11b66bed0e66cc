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
import type { Session } from '../session/session.ts'
import { addAlert } from '../session/store.ts'
import { claimAcquired, claimExpired, claimReleased } from './events.ts'
import { earliestExpiry, endClaims, lapsedClaims, liveClaimsOfSession, type HeldClaim } from './store.ts'
import { claimFacts, claimScope, releaseScope } from './tools.ts'
import { shownPaths } from './view.ts'

async function expire(ws: WorkspaceTx): Promise<Date | null> {
  const lapsed = await lapsedClaims(ws.tx, ws.workspaceId, ws.now)
  for (const claim of lapsed) {
    ws.append(claimExpired, claimFacts(claim, claim.agentId), SYSTEM)
    ws.write((tx) => addAlert(tx, ws.workspaceId, claim.sessionId, lapseAlert(claim, ws.now)))
  }
  const ids = lapsed.map((claim) => claim.id)
  ws.write((tx) => endClaims(tx, ws.workspaceId, ids, 'expired', ws.now))
  await ws.flush()
  return earliestExpiry(ws.tx, ws.workspaceId)
}

function lapseAlert(claim: HeldClaim, now: Date) {
  return {
    code: 'CLAIM_LAPSED',
    message: 'A lease of yours ran out; others may hold these paths now. Claim again before you edit them.',
    at: now.toISOString(),
    details: { claimId: claim.id, ...shownPaths(claim) },
  } as const
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
  events: [claimAcquired, claimReleased, claimExpired],
  expire,
  onSessionEnd,
}
