import { and, asc, eq, inArray, isNull, lte, min, ne, or, sql, type SQL } from 'drizzle-orm'
import type { Tx } from '../../db/client.ts'
import { sessions } from '../session/schema.ts'
import { users } from '../tenancy/schema.ts'
import type { Claim, ClaimEnd } from './claim.ts'
import { prefixProbes } from './overlap.ts'
import type { PathPattern } from './pattern.ts'
import { claimPaths, claims } from './schema.ts'

/** A claim with who holds it, for teammates. The objective is the holder's own text: untrusted. */
export interface HeldClaim extends Claim {
  readonly agentId: string
  readonly userName: string
  readonly objective: string | null
}

type ClaimRow = typeof claims.$inferSelect

/** Live claims of one session, the oldest first. */
export async function liveClaimsOfSession(tx: Tx, workspaceId: string, sessionId: string): Promise<Claim[]> {
  const live = and(eq(claims.workspaceId, workspaceId), eq(claims.sessionId, sessionId), isNull(claims.endedAt))
  const rows = await tx.select().from(claims).where(live).orderBy(asc(claims.fence))
  return withPatterns(tx, workspaceId, rows)
}

/** Every live claim of the workspace, the oldest first. */
export async function liveClaims(tx: Tx, workspaceId: string): Promise<HeldClaim[]> {
  return heldClaims(tx, workspaceId, undefined)
}

/**
 * Live claims of other sessions in the repository that may overlap the patterns: all that do, and few more. Found by
 * literal prefix in the index; which really overlap is decided by the pure function.
 */
export async function rivalsOf(
  tx: Tx,
  request: { workspaceId: string; repoId: string; sessionId: string; patterns: readonly PathPattern[] },
): Promise<HeldClaim[]> {
  const { ancestors, ranges } = prefixProbes(request.patterns)
  const inRepo = and(eq(claimPaths.workspaceId, request.workspaceId), eq(claimPaths.repoId, request.repoId))
  const prefix = sql`${claimPaths.prefix} collate "C"`
  const probes = [
    sql`${prefix} = any(${textArray(ancestors)})`,
    ...ranges.map(({ from, to }) => sql`(${prefix} >= ${from} and ${prefix} < ${to})`),
  ]
  const rows = await tx
    .selectDistinct({ id: claimPaths.claimId })
    .from(claimPaths)
    .where(and(inRepo, or(...probes)))
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  return heldClaims(tx, request.workspaceId, and(inArray(claims.id, ids), ne(claims.sessionId, request.sessionId)))
}

async function heldClaims(tx: Tx, workspaceId: string, filter: SQL | undefined): Promise<HeldClaim[]> {
  const rows = await tx
    .select({ claim: claims, agentId: sessions.agentId, userName: users.name, state: sessions.state })
    .from(claims)
    .innerJoin(sessions, and(eq(sessions.workspaceId, claims.workspaceId), eq(sessions.id, claims.sessionId)))
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(claims.workspaceId, workspaceId), isNull(claims.endedAt), filter))
    .orderBy(asc(claims.fence))
  const full = await withPatterns(
    tx,
    workspaceId,
    rows.map((row) => row.claim),
  )
  return full.map((claim, index) => ({
    ...claim,
    agentId: rows[index]?.agentId ?? '',
    userName: rows[index]?.userName ?? '',
    objective: rows[index]?.state?.objective ?? null,
  }))
}

/** One claim of the session, live or recently ended, with how it ended. */
export async function claimOfSession(
  tx: Tx,
  workspaceId: string,
  sessionId: string,
  claimId: string,
): Promise<{ endReason: ClaimEnd | null } | null> {
  const rows = await tx
    .select({ endReason: claims.endReason })
    .from(claims)
    .where(and(eq(claims.workspaceId, workspaceId), eq(claims.id, claimId), eq(claims.sessionId, sessionId)))
  return rows[0] ?? null
}

/** Claims whose lease is over at `now` but that have not ended yet. */
export async function lapsedClaims(tx: Tx, workspaceId: string, now: Date): Promise<HeldClaim[]> {
  return heldClaims(tx, workspaceId, lte(claims.expiresAt, now))
}

export async function earliestExpiry(tx: Tx, workspaceId: string): Promise<Date | null> {
  const rows = await tx
    .select({ at: min(claims.expiresAt) })
    .from(claims)
    .where(and(eq(claims.workspaceId, workspaceId), isNull(claims.endedAt)))
  return rows[0]?.at ?? null
}

export async function insertClaim(tx: Tx, workspaceId: string, claim: Claim): Promise<void> {
  const { patterns, ...row } = claim
  const paths = patterns.map(({ display, kind, key, prefix }, ordinal) => ({
    workspaceId,
    repoId: claim.repoId,
    claimId: claim.id,
    ordinal,
    display,
    kind,
    key,
    prefix,
  }))
  await Promise.all([tx.insert(claims).values({ ...row, workspaceId }), tx.insert(claimPaths).values(paths)])
}

export async function renewClaims(tx: Tx, workspaceId: string, renewed: readonly Claim[]): Promise<void> {
  await Promise.all(
    renewed.map(({ id, expiresAt, ttlSeconds }) =>
      tx
        .update(claims)
        .set({ expiresAt, ttlSeconds })
        .where(and(eq(claims.workspaceId, workspaceId), eq(claims.id, id), isNull(claims.endedAt))),
    ),
  )
}

/** Ends claims for good. Their paths leave the index at once; the rows stay to explain themselves. */
export async function endClaims(
  tx: Tx,
  workspaceId: string,
  ids: readonly string[],
  reason: ClaimEnd,
  now: Date,
): Promise<void> {
  if (ids.length === 0) return
  await Promise.all([
    tx
      .update(claims)
      .set({ endedAt: now, endReason: reason })
      .where(and(eq(claims.workspaceId, workspaceId), inArray(claims.id, [...ids]), isNull(claims.endedAt))),
    tx.delete(claimPaths).where(and(eq(claimPaths.workspaceId, workspaceId), inArray(claimPaths.claimId, [...ids]))),
  ])
}

async function withPatterns(tx: Tx, workspaceId: string, rows: readonly ClaimRow[]): Promise<Claim[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const paths = await tx
    .select()
    .from(claimPaths)
    .where(and(eq(claimPaths.workspaceId, workspaceId), inArray(claimPaths.claimId, ids)))
    .orderBy(asc(claimPaths.ordinal))
  const byClaim = new Map<string, PathPattern[]>(ids.map((id) => [id, []]))
  for (const { claimId, display, kind, key, prefix } of paths)
    byClaim.get(claimId)?.push({ display, kind, key, prefix })
  return rows.map((row) => ({ ...row, patterns: byClaim.get(row.id) ?? [] }))
}

function textArray(items: readonly string[]): SQL {
  return sql`array[${sql.join(
    items.map((item) => sql`${item}`),
    sql`, `,
  )}]::text[]`
}
