import type { Actor } from '../../journal/event.ts'
import type { WorkspaceTx } from '../../journal/journal.ts'
import { newId } from '../../kernel/ids.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { alert } from '../session/alert.ts'
import { actorOf, type Session } from '../session/session.ts'
import { addAlert, sessionByAgentId } from '../session/store.ts'
import { may } from '../tenancy/roles.ts'
import { memberOf } from '../tenancy/store.ts'
import { renewed, type Claim } from './claim.ts'
import { claimFacts, claimReleased, claimTransferred } from './events.ts'
import { endClaims, insertClaim, liveClaimsOfSession } from './store.ts'
import { alertFacts } from './view.ts'

/** Why a claim could not go to the agent that it was meant for; it is released instead, so that nobody is blocked. */
export type TransferObstacle = 'no_live_session' | 'works_on_another_repo' | 'may_not_write' | 'too_many_claims'

/**
 * Who gets a claim that is handed over.
 *
 * @returns the agent's live session, or what stands in the way
 */
export async function findHeir(ws: WorkspaceTx, claim: Claim, agentId: string): Promise<Session | TransferObstacle> {
  const heir = await sessionByAgentId(ws.tx, ws.workspaceId, agentId)
  if (heir === null || heir.endedAt !== null || heir.id === claim.sessionId) return 'no_live_session'
  if (heir.repoId !== claim.repoId) return 'works_on_another_repo'
  const [member, held] = await Promise.all([
    memberOf(ws.tx, ws.workspaceId, heir.userId),
    liveClaimsOfSession(ws.tx, ws.workspaceId, heir.id),
  ])
  if (member === null || !may(member.role, 'work')) return 'may_not_write'
  return held.length >= LIMITS.claimsPerSession ? 'too_many_claims' : heir
}

/**
 * Ends the giver's claim and gives its paths to the heir in the same change: nobody can come between. It is a claim of its
 * own, with a higher fence, so that a late write of the giver is refused by whoever checks fences.
 */
export function handOver(ws: WorkspaceTx, claim: Claim, giver: Session, heir: Session): void {
  const actor = actorOf(giver)
  ws.append(claimReleased, { ...claimFacts(claim, giver.agentId), reason: 'handoff' }, actor)
  ws.write((tx) => endClaims(tx, ws.workspaceId, [claim.id], 'released', ws.now))
  const own = { ...claim, id: newId('clm'), sessionId: heir.id, fence: ws.nextFence, acquiredAt: ws.now }
  const given = renewed(own, ws.now)
  const { mode, fence, ttlSeconds, reason } = given
  const lease = { mode, fence, ttlSeconds, expiresAt: given.expiresAt.toISOString(), reason }
  const from = { fromClaimId: claim.id, fromAgentId: giver.agentId }
  ws.append(claimTransferred, { ...claimFacts(given, heir.agentId), ...lease, ...from }, actor)
  ws.write((tx) => insertClaim(tx, ws.workspaceId, given))
  ws.dueAt(given.expiresAt)
  const details = { ...alertFacts(given), expiresAt: lease.expiresAt, from: giver.agentId }
  ws.write((tx) => addAlert(tx, ws.workspaceId, heir.id, alert('CLAIM_RECEIVED', ws.now, details)))
}

/**
 * Takes a claim from its holder, who is told with its next call.
 *
 * @param by who decided: their name and reason are told to the holder as they are, as untrusted text
 */
export function forceRelease(
  ws: WorkspaceTx,
  claim: Claim & { readonly agentId: string },
  by: { readonly actor: Actor; readonly name: string; readonly reason: string },
): void {
  ws.append(claimReleased, { ...claimFacts(claim, claim.agentId), reason: 'forced', note: by.reason }, by.actor)
  ws.write((tx) => endClaims(tx, ws.workspaceId, [claim.id], 'forced', ws.now))
  const details = { ...alertFacts(claim), by: by.name, reason: by.reason }
  ws.write((tx) => addAlert(tx, ws.workspaceId, claim.sessionId, alert('CLAIM_FORCE_RELEASED', ws.now, details)))
}
