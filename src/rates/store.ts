import { sql } from 'drizzle-orm'
import type { Database } from '../db/client.ts'
import { rateWindows } from './schema.ts'

/** A part of a rate that one replica may give out by itself. */
export interface Grant {
  /** Less than was asked for, or nothing, when the window is used up. */
  readonly granted: number
  /** Of the window, by all replicas together. */
  readonly taken: number
  readonly resetMs: number
}

/** Where the parts come from. */
export type TakeShare = (key: string, asked: number, limit: number, windowSeconds: number) => Promise<Grant>

/** Rows of windows that are over, cleaned away beside a new one: what comes at some rate goes at a hundred times that rate. */
const PURGED_AT_ONCE = 100

/**
 * In one statement. The clock may be older than the wait for the row, by milliseconds: a window is then a little longer,
 * which nobody notices.
 */
export function shareInDatabase(database: Database): TakeShare {
  return async (key, asked, limit, windowSeconds) =>
    database.query(async (orm) => {
      const first = Math.min(asked, limit)
      const window = sql.raw(`interval '${windowSeconds} seconds'`)
      const over = sql`w.ends_at <= clock_timestamp()`
      const [row] = await orm.execute<{ granted: number; taken: number; ms: number; fresh: boolean }>(sql`
        insert into ${rateWindows} as w (key, starts_at, taken, granted, ends_at)
        values (${key}, clock_timestamp(), ${first}, ${first}, clock_timestamp() + ${window})
        on conflict (key) do update set
          granted = case when ${over} then ${first} else greatest(0, least(${asked}, ${limit} - w.taken)) end,
          taken = case when ${over} then ${first} else w.taken + greatest(0, least(${asked}, ${limit} - w.taken)) end,
          starts_at = case when ${over} then clock_timestamp() else w.starts_at end,
          ends_at = case when ${over} then clock_timestamp() + ${window} else w.ends_at end
        returning granted, taken, (extract(epoch from ends_at - clock_timestamp()) * 1000)::float8 as ms,
          xmax = 0 as fresh`)
      if (row === undefined) throw new Error('an upsert returns its row')
      if (row.fresh) await purge(orm)
      return { granted: row.granted, taken: row.taken, resetMs: Math.max(0, row.ms) }
    })
}

async function purge(orm: Parameters<Parameters<Database['query']>[0]>[0]): Promise<void> {
  await orm.execute(sql`delete from ${rateWindows} where key in (
    select key from ${rateWindows} where ends_at < clock_timestamp() limit ${PURGED_AT_ONCE} for update skip locked)`)
}
