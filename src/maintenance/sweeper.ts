import type postgres from 'postgres'
import type { Database } from '../db/client.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../kernel/log.ts'

/** Any constant will do, as long as every version of this program uses the same. */
const LEADER_KEY = '8030606865440305762'

/** A lease's end is on record, and pushed, within about a second of its time. */
const INTERVAL_MS = 500

/** Workspaces looked at per round; what is left comes first in the next. */
const BATCH = 100

/**
 * Puts what is due on record where nobody else looks. Nothing depends on it for being right: leases end by comparison,
 * inside whatever transaction looks next.
 *
 * One replica at a time does it: it holds an advisory lock on a connection of its own, and losing the connection is
 * losing the lock.
 */
export function startSweeper(deps: { database: Database; journal: Journal; log: Log }): { stop(): Promise<void> } {
  const { database, journal, log } = deps
  let leader: postgres.ReservedSql | null = null
  let stopped = false
  let round = Promise.resolve()

  const timer = setInterval(() => {
    round = round.then(tick)
  }, INTERVAL_MS)
  timer.unref()

  async function tick(): Promise<void> {
    if (stopped) return
    try {
      leader ??= await lead(database.sql)
      if (leader === null) return
      await leader`select 1`
      for (const workspaceId of await journal.due(BATCH)) {
        if (stopped) return
        await journal.change(workspaceId, () => Promise.resolve())
      }
    } catch (err) {
      log.debug({ err }, 'the sweeper lost a round')
      leader?.release()
      leader = null
    }
  }

  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      await round
      if (leader !== null) await leader`select pg_advisory_unlock(${LEADER_KEY}::bigint)`.catch(() => undefined)
      leader?.release()
    },
  }
}

async function lead(sql: postgres.Sql): Promise<postgres.ReservedSql | null> {
  const connection = await sql.reserve()
  try {
    const rows = await connection<{ won: boolean }[]>`select pg_try_advisory_lock(${LEADER_KEY}::bigint) as won`
    if (rows[0]?.won === true) return connection
  } catch (error) {
    connection.release()
    throw error
  }
  connection.release()
  return null
}
