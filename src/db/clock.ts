import { sql } from 'drizzle-orm'
import type { Orm } from './client.ts'

/**
 * The database's clock at this moment: the only clock that decides anything. Call it in a statement of its own, after
 * the lock was taken: `now()` is the start of the transaction, and a clock read inside the locking statement is read
 * before the wait.
 */
export async function databaseNow(orm: Pick<Orm, 'execute'>): Promise<Date> {
  const rows = await orm.execute<{ ms: string }>(
    sql`select (extract(epoch from clock_timestamp()) * 1000)::bigint as ms`,
  )
  return new Date(Number(rows[0]?.ms))
}
