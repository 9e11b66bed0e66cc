import { sql } from 'drizzle-orm'
import { boolean, index, jsonb, pgTable, primaryKey, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core'
import type { Alert } from './alert.ts'
import type { AgentState, EndReason } from './session.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

export const sessions = pgTable(
  'sessions',
  {
    workspaceId: text('workspace_id').notNull(),
    id: text('id').notNull(),
    agentId: text('agent_id').notNull(),
    userId: text('user_id').notNull(),
    grantId: text('grant_id').notNull(),
    toolName: text('tool_name').notNull(),
    repoId: text('repo_id').notNull(),
    branch: text('branch').notNull(),
    headSha: text('head_sha').notNull(),
    dirty: boolean('dirty').notNull(),
    joinedAt: at('joined_at').notNull(),
    lastSeenAt: at('last_seen_at').notNull(),
    endedAt: at('ended_at'),
    endReason: text('end_reason').$type<EndReason>(),
    /** What the agent published; null before the first update_my_state. */
    state: jsonb('state').$type<AgentState>(),
    alerts: jsonb('alerts').$type<Alert[]>().notNull().default([]),
  },
  (t) => [
    primaryKey({ columns: [t.workspaceId, t.id] }),
    uniqueIndex('sessions_by_agent_id').on(t.workspaceId, t.agentId),
    index('sessions_live_by_grant')
      .on(t.grantId)
      .where(sql`ended_at is null`),
    index('sessions_live')
      .on(t.workspaceId, t.lastSeenAt)
      .where(sql`ended_at is null`),
  ],
)
