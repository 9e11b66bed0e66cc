import { and, asc, eq, inArray, isNull, lte, min, type SQL } from 'drizzle-orm'
import type { Parameter, Scoped, ScopedTx } from '../../db/client.ts'
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
  readonly userId: string
}

type StoredClaim = typeof claims.$inferSelect

/** A claim as the fixed statements give it: instants in milliseconds since 1970. */
export type ClaimRow = Omit<Claim, 'acquiredAt' | 'expiresAt'> & {
  readonly acquiredAt: number
  readonly expiresAt: number
}

const FIXED_COLUMNS = `claims.id, claims.session_id as "sessionId", claims.repo_id as "repoId", claims.mode,
    claims.fence::float8, claims.reason, claims.ttl_seconds as "ttlSeconds",
    (extract(epoch from claims.acquired_at) * 1000)::float8 as "acquiredAt",
    (extract(epoch from claims.expires_at) * 1000)::float8 as "expiresAt",
    array_to_json(array(
      select json_build_object('display', display, 'kind', kind, 'key', key, 'prefix', prefix) from claim_paths
      where claim_paths.workspace_id = claims.workspace_id and claim_paths.claim_id = claims.id order by ordinal
    )) as patterns`

/** Live claims of a session, the oldest first. $1: the workspace, $2: the session. */
export const LIVE_CLAIMS_OF_SESSION = `select ${FIXED_COLUMNS} from claims
  where workspace_id = $1 and session_id = $2 and ended_at is null order by fence`

export function claimFromRow<Row extends ClaimRow>(row: Row) {
  return { ...row, acquiredAt: new Date(row.acquiredAt), expiresAt: new Date(row.expiresAt) }
}

/** Live claims of one session, the oldest first. */
export async function liveClaimsOfSession(tx: ScopedTx, workspaceId: string, sessionId: string): Promise<Claim[]> {
  return (await tx.fixed<ClaimRow>(LIVE_CLAIMS_OF_SESSION, [workspaceId, sessionId])).map(claimFromRow)
}

/** Claims with who holds them, the oldest first. $1: the workspace. `which` says which of its claims, in SQL. */
const heldOf = (
  which: string,
) => `select ${FIXED_COLUMNS}, sessions.agent_id as "agentId", sessions.user_id as "userId",
    users.name as "userName", sessions.state ->> 'objective' as objective
  from (select * from claims where workspace_id = $1 and ended_at is null ${which}) as claims
    join sessions on sessions.workspace_id = claims.workspace_id and sessions.id = claims.session_id
    join users on users.id = sessions.user_id
  order by claims.fence`

const LIVE = heldOf('')
const LIVE_AFTER = heldOf('and fence > $2 and expires_at > $3 order by fence limit $4')
const LIVE_BEHIND_AGENTS = heldOf(`order by fence limit $3
  offset greatest(0, $2 - (select count(*) from sessions where workspace_id = $1 and ended_at is null))`)

async function held(orm: Scoped, text: string, parameters: readonly Parameter[]): Promise<HeldClaim[]> {
  return (await orm.fixed<ClaimRow & HeldClaim>(text, parameters)).map(claimFromRow)
}

/** Every live claim of the workspace, the oldest first. */
export async function liveClaims(orm: Scoped, workspaceId: string): Promise<HeldClaim[]> {
  return held(orm, LIVE, [workspaceId])
}

/** Live claims with a fence greater than `after` whose lease is not over at `now`, the oldest first. */
export async function liveClaimsAfter(
  orm: Scoped,
  workspaceId: string,
  page: { after: number; now: Date; limit: number },
): Promise<HeldClaim[]> {
  return held(orm, LIVE_AFTER, [workspaceId, page.after, page.now.toISOString(), page.limit])
}

/** Of a list of all live agents and then all live claims, the claims from `start` on. */
export async function liveClaimsBehindAgents(
  orm: Scoped,
  workspaceId: string,
  page: { start: number; limit: number },
): Promise<HeldClaim[]> {
  return held(orm, LIVE_BEHIND_AGENTS, [workspaceId, page.start, page.limit])
}

// Step by step, in this order, each by the one index that serves it: OFFSET 0 is what the planner does not merge or reorder.
// Left to itself it read all live claims of the workspace, or all paths of the repository, and looked which of them were near
// (3.2 ms at 10,000 of them, now as at 10). The array tells it that few are near; without, it set up a hash table of 2 MB for `distinct`.
const RIVALS = `with here as (select repo_id from sessions where workspace_id = $1 and id = $2)
  select ${FIXED_COLUMNS}, sessions.agent_id as "agentId", sessions.user_id as "userId",
    users.name as "userName", sessions.state ->> 'objective' as objective
  from (select distinct id from unnest(array(
      select claim_id from claim_paths
      where workspace_id = $1 and repo_id = (select repo_id from here)
        and prefix collate "C" = any(array(select json_array_elements_text($3::json)))
      union all
      select claim_id from json_to_recordset($4::json) as probes("from" text, "to" text) cross join lateral (
        select claim_id from claim_paths
        where workspace_id = $1 and repo_id = (select repo_id from here)
          and prefix collate "C" >= probes."from" and prefix collate "C" < probes."to" offset 0
      ) as below
    )) as found(id)) as near
    cross join lateral (
      select * from claims where workspace_id = $1 and id = near.id and session_id <> $2 and ended_at is null offset 0
    ) as claims
    cross join lateral (select * from sessions where workspace_id = $1 and id = claims.session_id offset 0) as sessions
    join users on users.id = sessions.user_id
  order by claims.fence`

/**
 * Live claims of other sessions in the repository of this one that may overlap the patterns: all that do, and few more. Found
 * by literal prefix in the index; which really overlap is decided by the pure function.
 */
export async function rivalsOf(
  orm: Scoped,
  request: { workspaceId: string; sessionId: string; patterns: readonly PathPattern[] },
): Promise<HeldClaim[]> {
  const { workspaceId, sessionId, patterns } = request
  const { ancestors, ranges } = prefixProbes(patterns)
  const probes = [JSON.stringify(ancestors), JSON.stringify(ranges)]
  return held(orm, RIVALS, [workspaceId, sessionId, ...probes])
}

async function heldClaims(orm: Scoped, workspaceId: string, filter: SQL): Promise<HeldClaim[]> {
  const rows = await orm
    .select({
      claim: claims,
      agentId: sessions.agentId,
      userId: sessions.userId,
      userName: users.name,
      state: sessions.state,
    })
    .from(claims)
    .innerJoin(sessions, and(eq(sessions.workspaceId, claims.workspaceId), eq(sessions.id, claims.sessionId)))
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(claims.workspaceId, workspaceId), isNull(claims.endedAt), filter))
    .orderBy(asc(claims.fence))
  const full = await withPatterns(
    orm,
    workspaceId,
    rows.map((row) => row.claim),
  )
  return full.map((claim, index) => ({
    ...claim,
    agentId: rows[index]?.agentId ?? '',
    userId: rows[index]?.userId ?? '',
    userName: rows[index]?.userName ?? '',
    objective: rows[index]?.state?.objective ?? null,
  }))
}

/** One live claim, whoever holds it. */
export async function heldClaim(orm: Scoped, workspaceId: string, claimId: string): Promise<HeldClaim | null> {
  return (await heldClaims(orm, workspaceId, eq(claims.id, claimId)))[0] ?? null
}

/** One claim of the session, live or recently ended, with how it ended. */
export async function claimOfSession(
  tx: ScopedTx,
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

/** Claims whose lease is over at `now` but that have not ended yet, at most `limit`. */
export async function lapsedClaims(tx: ScopedTx, workspaceId: string, now: Date, limit: number): Promise<HeldClaim[]> {
  const lapsed = await tx
    .select({ id: claims.id })
    .from(claims)
    .where(and(eq(claims.workspaceId, workspaceId), isNull(claims.endedAt), lte(claims.expiresAt, now)))
    // As the index has them, so that those that are left are not sorted again and again.
    .orderBy(asc(claims.expiresAt))
    .limit(limit)
  if (lapsed.length === 0) return []
  const ids = lapsed.map(({ id }) => id)
  return heldClaims(tx, workspaceId, inArray(claims.id, ids))
}

export async function earliestExpiry(tx: ScopedTx, workspaceId: string): Promise<Date | null> {
  const rows = await tx
    .select({ at: min(claims.expiresAt) })
    .from(claims)
    .where(and(eq(claims.workspaceId, workspaceId), isNull(claims.endedAt)))
  return rows[0]?.at ?? null
}

const INSERT = `insert into claims
    (workspace_id, id, session_id, repo_id, mode, fence, reason, ttl_seconds, acquired_at, expires_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

const INSERT_PATHS = `insert into claim_paths (workspace_id, repo_id, claim_id, ordinal, display, kind, key, prefix)
  select $1, $2, $3, ordinality - 1, path ->> 'display', path ->> 'kind', path ->> 'key', path ->> 'prefix'
  from json_array_elements($4::json) with ordinality as paths(path)`

export async function insertClaim(tx: ScopedTx, workspaceId: string, claim: Claim): Promise<void> {
  const { id, sessionId, repoId, mode, fence, reason, ttlSeconds, patterns } = claim
  const [acquiredAt, expiresAt] = [claim.acquiredAt.toISOString(), claim.expiresAt.toISOString()]
  const lease = [mode, fence, reason, ttlSeconds, acquiredAt, expiresAt]
  await Promise.all([
    tx.fixed(INSERT, [workspaceId, id, sessionId, repoId, ...lease]),
    tx.fixed(INSERT_PATHS, [workspaceId, repoId, id, JSON.stringify(patterns)]),
  ])
}

export async function renewClaims(tx: ScopedTx, workspaceId: string, renewed: readonly Claim[]): Promise<void> {
  await Promise.all(
    renewed.map(({ id, expiresAt, ttlSeconds }) =>
      tx
        .update(claims)
        .set({ expiresAt, ttlSeconds })
        .where(and(eq(claims.workspaceId, workspaceId), eq(claims.id, id), isNull(claims.endedAt))),
    ),
  )
}

const END = `update claims set ended_at = $4, end_reason = $3
  where workspace_id = $1 and id = any(array(select json_array_elements_text($2::json))) and ended_at is null`

const DELETE_PATHS = `delete from claim_paths
  where workspace_id = $1 and claim_id = any(array(select json_array_elements_text($2::json)))`

/** Ends claims for good. Their paths leave the index at once; the rows stay to explain themselves. */
export async function endClaims(
  tx: ScopedTx,
  workspaceId: string,
  ids: readonly string[],
  reason: ClaimEnd,
  now: Date,
): Promise<void> {
  if (ids.length === 0) return
  const list = JSON.stringify(ids)
  await Promise.all([
    tx.fixed(END, [workspaceId, list, reason, now.toISOString()]),
    tx.fixed(DELETE_PATHS, [workspaceId, list]),
  ])
}

async function withPatterns(orm: Scoped, workspaceId: string, rows: readonly StoredClaim[]): Promise<Claim[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const paths = await orm
    .select()
    .from(claimPaths)
    .where(and(eq(claimPaths.workspaceId, workspaceId), inArray(claimPaths.claimId, ids)))
    .orderBy(asc(claimPaths.ordinal))
  const byClaim = new Map<string, PathPattern[]>(ids.map((id) => [id, []]))
  for (const { claimId, display, kind, key, prefix } of paths)
    byClaim.get(claimId)?.push({ display, kind, key, prefix })
  return rows.map((row) => ({ ...row, patterns: byClaim.get(row.id) ?? [] }))
}

export async function eraseClaims(tx: ScopedTx, workspaceId: string): Promise<void> {
  await tx.delete(claimPaths).where(eq(claimPaths.workspaceId, workspaceId))
  await tx.delete(claims).where(eq(claims.workspaceId, workspaceId))
}
