import { bigint, customType, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import type { JsonObject } from '../../kernel/canonical.ts'
import type { Bounded } from './bound.ts'
import type { AccountActor } from './entry.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })
const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** The head of each person's account log. Its row is the log's lock. */
export const accountLogs = pgTable('account_logs', {
  userId: text('user_id').primaryKey(),
  /** Last entry. */
  seq: bigint('seq', { mode: 'number' }).notNull(),
  hash: bytes('hash').notNull(),
  /** High-water clock: times in a log never run backwards. */
  clock: at('clock').notNull(),
  /** What is remembered of the types that are bounded, by type. */
  bounded: jsonb('bounded').$type<Bounded>().notNull(),
})

/** The account logs themselves: append-only, one hash chain per person. */
export const accountEntries = pgTable(
  'account_entries',
  {
    userId: text('user_id').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    type: text('type').notNull(),
    at: at('at').notNull(),
    actor: jsonb('actor').$type<AccountActor>().notNull(),
    payload: jsonb('payload').$type<JsonObject>().notNull(),
    hash: bytes('hash').notNull(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.seq] })],
)
