import { z } from 'zod'
import { takeWithin } from '../../kernel/bounds.ts'
import { versionOf } from '../../kernel/canonical.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { line, moment, whole } from '../fields.ts'
import { changeOperation, readOperation, type WorkspaceChange } from '../office.ts'
import { requireRole } from '../tenancy/roles.ts'
import { heldClaim, liveClaimsAfter, type HeldClaim } from './store.ts'
import { forceRelease } from './transfer.ts'
import { claimView } from './view.ts'

const tag = 'Claims'
const workspaceId = z.string().min(1).max(64)

const shownClaim = z.looseObject({
  claimId: z.string(),
  agentId: z.string(),
  user: z.string(),
  paths: z.array(z.string()),
  mode: z.enum(['exclusive', 'shared']),
  fence: whole,
  expiresAt: moment,
  expiresInSeconds: whole,
})

export const listClaims = readOperation({
  name: 'listClaims',
  tag,
  title: 'List claims',
  description:
    'Every live claim, the oldest first: who holds which paths, and until when. The ETag is of all but `expiresInSeconds`.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/claims',
  permission: 'workspace.read',
  params: z.object({ workspaceId }),
  query: z.object({
    cursor: z
      .string()
      .regex(/^\d{1,15}$/u, 'must be the nextCursor of an earlier answer')
      .optional(),
  }),
  output: z.object({ claims: z.array(shownClaim), nextCursor: z.string().optional() }),
  async handle({ orm, now, pageBytes, ...view }, { query: { cursor } }) {
    // By fence, which only grows: a page goes on where the last one ended, whatever came or went.
    const from = { after: Number(cursor ?? 0), now, limit: LIMITS.itemsPerPage + 1 }
    const rest = await liveClaimsAfter(orm, view.workspaceId, from)
    const page = rest.slice(0, LIMITS.itemsPerPage).map((claim) => viewOf(claim, now))
    const claims = takeWithin(page, pageBytes).shown
    const next = rest.length > claims.length ? { nextCursor: String(claims.at(-1)?.fence) } : {}
    // Seconds that count down would be news each second, and 304 never answered.
    const standing = claims.map(({ expiresInSeconds: _counting, ...claim }) => claim)
    return { body: { claims, ...next }, version: versionOf({ standing, ...next }) }
  },
})

export const releaseClaim = changeOperation({
  name: 'forceReleaseClaim',
  tag,
  title: 'Take a claim from its holder',
  description:
    'Releases somebody’s live claim at once; the holder is told with its next call, with the reason. Who may do it is in ' +
    'the policy (`forceReleaseRole`); everybody may release claims of their own agents. Previewed and confirmed.',
  method: 'DELETE',
  path: '/api/workspaces/:workspaceId/claims/:claimId',
  permission: 'work',
  sensitive: true,
  examples: [{ title: 'Once seen what it holds', body: { reason: 'needed for the release' }, previewed: true }],
  params: z.object({ workspaceId, claimId: z.string().min(1).max(64) }),
  body: z.object({ reason: line(LIMITS.reasonChars).default('') }),
  output: z.object({ released: z.looseObject({ claimId: z.string(), agentId: z.string() }) }),
  effects: async (change, { params: { claimId } }) => ({
    claim: viewOf(await releasable(change, claimId), change.ws.now),
  }),
  async handle(change, { params: { claimId }, body: { reason } }) {
    const { ws, actor, caller } = change
    const claim = await releasable(change, claimId)
    forceRelease(ws, claim, { actor, name: caller.userName, reason })
    return { body: { released: viewOf(claim, ws.now) } }
  },
})

/** The claim, if the caller may take it. @throws AppError CLAIM_NOT_FOUND, FORBIDDEN_ROLE */
async function releasable({ ws, member, caller }: WorkspaceChange, claimId: string): Promise<HeldClaim> {
  const claim = await heldClaim(ws.tx, ws.workspaceId, claimId)
  if (claim === null) throw new AppError('CLAIM_NOT_FOUND', 'There is no live claim with this id.')
  if (claim.userId !== caller.userId) requireRole(member.role, member.policy.forceReleaseRole)
  return claim
}

function viewOf(claim: HeldClaim, now: Date) {
  const { mine: _mine, ...shown } = claimView(claim, now, null)
  return { ...shown, user: claim.userName, objective: claim.objective }
}
