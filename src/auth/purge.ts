import { and, inArray, lt, type SQL } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import type { Tx } from '../db/client.ts'
import { AUTH_LIMITS } from './limits.ts'

/**
 * Deletes a bounded number of rows whose time is before `before`, beside the work of the request that adds one: what is
 * added at some rate is cleaned away at a hundred times that rate, without a job of its own. Rows that somebody else
 * works on are left for the next time, so that nobody waits.
 */
export async function purge(
  tx: Tx,
  table: PgTable,
  columns: { readonly key: PgColumn; readonly time: PgColumn },
  before: Date,
  only?: SQL,
): Promise<void> {
  const old = tx
    .select({ key: columns.key })
    .from(table)
    .where(and(lt(columns.time, before), only))
    .limit(AUTH_LIMITS.purgeRows)
    .for('update', { skipLocked: true })
  await tx.delete(table).where(inArray(columns.key, old))
}

/** `seconds` before `now`. */
export function ago(now: Date, seconds: number): Date {
  return new Date(now.getTime() - seconds * 1_000)
}

/** `seconds` after `now`. */
export function after(now: Date, seconds: number): Date {
  return new Date(now.getTime() + seconds * 1_000)
}
