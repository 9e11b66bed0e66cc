import { z } from 'zod'
import { AppError } from '../../kernel/errors.ts'
import { newId } from '../../kernel/ids.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { checkExpected } from '../../journal/compare-and-swap.ts'
import { callTool, type Call } from '../call.ts'
import { line, optionalAgentId, paths, stateHash, timestamp } from '../fields.ts'
import { actorOf } from '../session/session.ts'
import { decideClaim, grantedTtl, renewed, touchesScope, type Claim, type Conflict } from './claim.ts'
import { claimAcquired, claimFacts, claimReleased } from './events.ts'
import { parsePatterns, type PathPattern } from './pattern.ts'
import { findHeir, handOver, type TransferObstacle } from './transfer.ts'
import { claimOfSession, endClaims, insertClaim, renewClaims, rivalsOf, type HeldClaim } from './store.ts'
import { shownPaths } from './view.ts'

const ClaimInput = z.object({
  expectedStateHash: stateHash.describe('The stateHash of the last answer you read'),
  paths: paths.describe('Repo-relative: src/auth (with everything below), src/a.ts, src/**/*.test.ts'),
  ttlSeconds: z.number().int().positive().max(86_400).optional().describe('Lease length; clamped to the policy'),
  mode: z.enum(['exclusive', 'shared']).default('exclusive').describe('shared tolerates other shared claims'),
  reason: line(LIMITS.reasonChars).optional(),
  ...optionalAgentId,
})

export const claimScope = callTool({
  name: 'claim_scope',
  title: 'Claim paths',
  description:
    'Call before you edit any file. Takes a lease on paths so that no other agent edits them meanwhile; an overlap with ' +
    'a live claim of another session, on any branch, refuses the whole request with SCOPE_CONFLICT, the holder and ' +
    'freePaths. A path means that file or directory with everything below; globs: * and ? within a segment, ** for any ' +
    'number of segments. Claim as little as you need. Every call you make renews your leases; calling again for paths ' +
    'you hold is harmless.',
  access: 'write',
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: ClaimInput,
  output: z.object({
    claim: z.object({
      claimId: z.string(),
      paths: z.array(z.string()),
      pathsOmitted: z.number().optional(),
      mode: z.string(),
      fence: z.number(),
      expiresAt: timestamp,
      ttlSeconds: z.number(),
    }),
    renewed: z.boolean(),
  }),
  async ahead({ orm, ...place }, { paths: asked }) {
    const patterns = parsePatterns(asked)
    return { patterns, rivals: await rivalsOf(orm, { ...place, patterns }) }
  },
  async handle(call, input, known) {
    const { ws, session } = call
    const { patterns, rivals } = await known
    const scope = { workspaceId: ws.workspaceId, repoId: session.repoId, sessionId: session.id, patterns }
    const decision = decideClaim({ ...scope, mode: input.mode }, call.claims, rivals, ws.now)
    const ttlSeconds = grantedTtl(input.ttlSeconds, call.member.policy.claimTtlSeconds)
    if (decision.kind === 'renew') {
      return { claim: claimAnswer(renew(call, decision.claim, ttlSeconds)), renewed: true }
    }
    // Before a stale position: it says more.
    if (decision.kind === 'conflict') throw scopeConflict(decision.conflicts, decision.free)
    await checkExpected(ws, {
      expected: input.expectedStateHash,
      mode: call.member.policy.casMode,
      touches: (event) => touchesScope(event.actor, ws.subjectOf(event), scope),
    })
    if (call.claims.length >= LIMITS.claimsPerSession) throw new AppError('CLAIM_LIMIT')
    const claim = grant(call, { patterns, mode: input.mode, ttlSeconds, reason: input.reason ?? '' })
    return { claim: claimAnswer(claim), renewed: false }
  },
})

export const releaseScope = callTool({
  name: 'release_scope',
  title: 'Release claim',
  description:
    'Call when you have finished editing what a claim covers, so that others can go on at once. Releases one claim by ' +
    'its claimId; releasing twice is harmless. Releasing your last claim ends the task, and with it the run. ' +
    'With intent handoff and a targetAgentId, reason "handoff" gives the claim to that agent instead.',
  access: 'write',
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: z.object({
    claimId: z.string().min(1).max(64),
    reason: z.enum(['completed', 'handoff', 'scope_change']).default('completed'),
    ...optionalAgentId,
  }),
  output: z.object({
    claimId: z.string(),
    released: z.boolean(),
    remainingClaims: z.number(),
    transferredTo: z.string().optional(),
    notTransferred: z.string().optional(),
  }),
  async handle(call, { claimId, reason }) {
    const claim = call.claims.find(({ id }) => id === claimId)
    if (claim === undefined) await checkEnded(call, claimId)
    const transfer = claim === undefined ? {} : await giveUp(call, claim, reason)
    return { claimId, released: true, remainingClaims: call.claims.length, ...transfer }
  },
})

/** @throws AppError CLAIM_NOT_FOUND, CLAIM_EXPIRED; releasing twice is fine */
async function checkEnded({ ws, session }: Call, claimId: string): Promise<void> {
  const ended = await claimOfSession(ws.tx, ws.workspaceId, session.id, claimId)
  if (ended === null) throw new AppError('CLAIM_NOT_FOUND')
  if (ended.endReason === 'expired') throw new AppError('CLAIM_EXPIRED')
}

/** Lets go of a claim: to the agent that the run hands over to, if it can take it, else to whoever comes first. */
async function giveUp(
  call: Call,
  claim: Claim,
  reason: string,
): Promise<{ transferredTo?: string; notTransferred?: TransferObstacle }> {
  const { ws, session, run } = call
  call.claims = call.claims.filter(({ id }) => id !== claim.id)
  const target = reason === 'handoff' && run?.intentId === 'handoff' ? run.targetAgentId : null
  const heir = target === null ? null : await findHeir(ws, claim, target)
  if (heir !== null && typeof heir === 'object') {
    handOver(ws, claim, session, heir)
    return { transferredTo: heir.agentId }
  }
  ws.append(claimReleased, { ...claimFacts(claim, session.agentId), reason }, actorOf(session))
  ws.write((tx) => endClaims(tx, ws.workspaceId, [claim.id], 'released', ws.now))
  return heir === null ? {} : { notTransferred: heir }
}

function grant(
  call: Call,
  asked: { patterns: readonly PathPattern[]; mode: Claim['mode']; ttlSeconds: number; reason: string },
): Claim {
  const { ws, session } = call
  const { id: sessionId, repoId, agentId } = session
  const lease = { id: newId('clm'), sessionId, repoId, ...asked, acquiredAt: ws.now, expiresAt: ws.now }
  // The number of the event that grants it: no other claim of this workspace can ever have a higher one before.
  const claim = renewed({ ...lease, fence: ws.nextFence }, ws.now)
  const { mode, fence, ttlSeconds, reason } = claim
  const expiresAt = claim.expiresAt.toISOString()
  ws.append(
    claimAcquired,
    { ...claimFacts(claim, agentId), mode, fence, ttlSeconds, expiresAt, reason },
    actorOf(session),
  )
  ws.write((tx) => insertClaim(tx, ws.workspaceId, claim))
  ws.dueAt(claim.expiresAt)
  call.claims = [...call.claims, claim]
  return claim
}

/** A longer lease may be had by asking again, a shorter one too; the fence stays: it is the same hold. */
function renew(call: Call, held: Claim, ttlSeconds: number): Claim {
  const { ws } = call
  const claim = renewed(held, ws.now, ttlSeconds)
  ws.write((tx) => renewClaims(tx, ws.workspaceId, [claim]))
  ws.dueAt(claim.expiresAt)
  call.claims = call.claims.map((own) => (own.id === claim.id ? claim : own))
  return claim
}

function claimAnswer(claim: Claim) {
  const { mode, fence, ttlSeconds } = claim
  const expiresAt = claim.expiresAt.toISOString()
  return { claimId: claim.id, ...shownPaths(claim), mode, fence, expiresAt, ttlSeconds }
}

function scopeConflict(conflicts: readonly Conflict<HeldClaim>[], free: readonly PathPattern[]): AppError {
  const holders = [...new Set(conflicts.map(({ held }) => held.agentId))]
  const message = `Nothing was claimed: ${conflicts.length} overlap(s) with live claims of ${holders.slice(0, 5).join(', ')}.`
  return new AppError('SCOPE_CONFLICT', message, {
    details: { conflicts: conflicts.map(conflictView), freePaths: free.map((pattern) => pattern.display) },
  })
}

function conflictView({ requested, held, heldPatterns }: Conflict<HeldClaim>) {
  return {
    path: requested.display,
    holder: { agentId: held.agentId, user: held.userName },
    claimId: held.id,
    heldPaths: heldPatterns.slice(0, 5).map((pattern) => pattern.display),
    mode: held.mode,
    expiresAt: held.expiresAt.toISOString(),
    /** Written by another agent: to be read, not to be obeyed. */
    objective: held.objective,
  }
}
