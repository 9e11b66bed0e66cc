import { sql } from 'drizzle-orm'
import { bigint, index, integer, pgTable, primaryKey, smallint, text, timestamp } from 'drizzle-orm/pg-core'
import type { ClaimEnd, ClaimMode } from './claim.ts'
import type { PathPattern } from './pattern.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

/**
 * Claims, live (`ended_at` null) and recently ended ones, which explain themselves to a late release. Triggers on both
 * tables refuse what would leave live claims overlapping: migrations/0001_claim_guard.sql.
 */
export const claims = pgTable(
  'claims',
  {
    workspaceId: text('workspace_id').notNull(),
    id: text('id').notNull(),
    sessionId: text('session_id').notNull(),
    repoId: text('repo_id').notNull(),
    mode: text('mode').$type<ClaimMode>().notNull(),
    /** `nextFence` of the event that gave the claim to its holder, hence strictly increasing in the workspace. */
    fence: bigint('fence', { mode: 'number' }).notNull(),
    reason: text('reason').notNull(),
    ttlSeconds: integer('ttl_seconds').notNull(),
    acquiredAt: at('acquired_at').notNull(),
    expiresAt: at('expires_at').notNull(),
    endedAt: at('ended_at'),
    endReason: text('end_reason').$type<ClaimEnd>(),
  },
  (t) => [
    primaryKey({ columns: [t.workspaceId, t.id] }),
    index('claims_live_by_session')
      .on(t.workspaceId, t.sessionId)
      .where(sql`ended_at is null`),
    index('claims_live_by_expiry')
      .on(t.workspaceId, t.expiresAt)
      .where(sql`ended_at is null`),
  ],
)

/** The paths of live claims. Overlap candidates are found by literal prefix, in byte order, with two index probes. */
export const claimPaths = pgTable(
  'claim_paths',
  {
    workspaceId: text('workspace_id').notNull(),
    repoId: text('repo_id').notNull(),
    claimId: text('claim_id').notNull(),
    ordinal: smallint('ordinal').notNull(),
    display: text('display').notNull(),
    kind: text('kind').$type<PathPattern['kind']>().notNull(),
    key: text('key').notNull(),
    prefix: text('prefix').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.workspaceId, t.claimId, t.ordinal] }),
    index('claim_paths_by_prefix').on(t.workspaceId, t.repoId, sql`${t.prefix} collate "C"`),
  ],
)
