import { index, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

/** Calls that were made with an Idempotency-Key, and what they were answered. A person's, not a workspace's. */
export const repeatableCalls = pgTable(
  'repeatable_calls',
  {
    userId: text('user_id').notNull(),
    /** SHA-256 of the key. */
    keyHash: text('key_hash').notNull(),
    /** SHA-256 of what was called with what: another call under the same key is a mistake. */
    digest: text('digest').notNull(),
    /** Sealed: some answers hold a secret that is shown once. */
    answer: text('answer').notNull(),
    createdAt: at('created_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.keyHash] }), index('repeatable_calls_by_age').on(t.createdAt)],
)
