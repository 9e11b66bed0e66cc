import { sql } from 'drizzle-orm'
import { bigint, index, integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import type { Json } from '../../kernel/canonical.ts'

/** The workspace's shared key-value store. */
export const values = pgTable(
  'values',
  {
    workspaceId: text('workspace_id').notNull(),
    key: text('key').notNull(),
    value: jsonb('value').$type<Json>().notNull(),
    /** UTF-8 bytes of the value's JSON, counted against the workspace's bound. */
    bytes: integer('bytes').notNull(),
    /** `nextFence` of the event that wrote it: never the same twice for a key, not even after a delete. */
    version: bigint('version', { mode: 'number' }).notNull(),
    updatedAt: timestamp('updated_at', { withTimezone: true, mode: 'date', precision: 3 }).notNull(),
    updatedBy: text('updated_by').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.workspaceId, t.key] }),
    index('values_by_key').on(t.workspaceId, sql`${t.key} collate "C"`),
  ],
)
