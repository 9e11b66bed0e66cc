import { sql } from 'drizzle-orm'
import { bigint, jsonb, pgTable, primaryKey, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core'
import type { IntentId } from './intent.ts'
import type { Phase } from './machine.ts'
import type { RunEnd } from './run.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

export const runs = pgTable(
  'runs',
  {
    workspaceId: text('workspace_id').notNull(),
    id: text('id').notNull(),
    sessionId: text('session_id').notNull(),
    intentId: text('intent_id').$type<IntentId>().notNull(),
    phase: text('phase').$type<Phase>().notNull(),
    chainRemaining: jsonb('chain_remaining').$type<readonly IntentId[]>().notNull(),
    targetAgentId: text('target_agent_id'),
    needsSyncSeq: bigint('needs_sync_seq', { mode: 'number' }),
    startedAt: at('started_at').notNull(),
    endedAt: at('ended_at'),
    endReason: text('end_reason').$type<RunEnd>(),
  },
  (t) => [
    primaryKey({ columns: [t.workspaceId, t.id] }),
    uniqueIndex('runs_live_by_session')
      .on(t.workspaceId, t.sessionId)
      .where(sql`ended_at is null`),
  ],
)
