import { index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core'

/**
 * How much of each rate is taken, for all replicas. No tenant's table. UNLOGGED (its migration): after a crash everybody
 * starts over, which is the least of the worries then, and it costs no write-ahead log.
 */
export const rateWindows = pgTable(
  'rate_windows',
  {
    /** SHA-256 of the rate's name and whose calls they are. */
    key: text('key').primaryKey(),
    startsAt: timestamp('starts_at', { withTimezone: true, mode: 'date', precision: 3 }).notNull(),
    taken: integer('taken').notNull(),
    /** Of `taken`, what the last one got who asked. */
    granted: integer('granted').notNull(),
    endsAt: timestamp('ends_at', { withTimezone: true, mode: 'date', precision: 3 }).notNull(),
  },
  (t) => [index('rate_windows_by_end').on(t.endsAt)],
)
