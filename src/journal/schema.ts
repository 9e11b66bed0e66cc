import { bigint, boolean, customType, index, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import type { JsonObject } from '../kernel/canonical.ts'
import type { Actor } from './event.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })
const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** The head of each workspace's journal. Its row is the workspace's lock. */
export const journals = pgTable(
  'journals',
  {
    workspaceId: text('workspace_id').primaryKey(),
    /** Last event; 0 before the first. */
    seq: bigint('seq', { mode: 'number' }).notNull(),
    hash: bytes('hash').notNull(),
    /** Last event that changed team state: what `stateHash` names. */
    stateSeq: bigint('state_seq', { mode: 'number' }).notNull(),
    stateHash: bytes('state_hash').notNull(),
    /** Added to a seq it makes a fence or a version. 0, until the workspace came back from a backup (WorkspaceTx.restored). */
    fenceBase: bigint('fence_base', { mode: 'number' }).notNull().default(0),
    /** High-water clock: a database clock that steps back never brings a lease back to life. */
    clock: at('clock').notNull(),
    /** Nothing in the workspace expires before this. Early is harmless, late would be a bug; null: nothing expires. */
    nextDueAt: at('next_due_at'),
  },
  (t) => [index('journals_by_due').on(t.nextDueAt)],
)

/** The journal itself: append-only, one hash chain per workspace. */
export const events = pgTable(
  'events',
  {
    workspaceId: text('workspace_id').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    type: text('type').notNull(),
    at: at('at').notNull(),
    actor: jsonb('actor').$type<Actor>().notNull(),
    payload: jsonb('payload').$type<JsonObject>().notNull(),
    teamState: boolean('team_state').notNull(),
    hash: bytes('hash').notNull(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.seq] })],
)
