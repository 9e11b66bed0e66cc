import { sql } from 'drizzle-orm'
import type { Database } from '../db/client.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../kernel/log.ts'

/** Any constant will do, as long as every version of this program uses the same. */
const LEADER_KEY = '8030606865440305762'

/** A lease's end is on record, and pushed, within about a second of its time. */
const INTERVAL_MS = 500

/** Workspaces looked at per round; what is left comes first in the next. */
const BATCH = 100

/** A round begins no further workspace after this, which leaves it within what a transaction may take in all (8 s). */
const ROUND_MS = 4_000

/**
 * Puts what is due on record where nobody else looks. Nothing depends on it for being right: leases end by comparison,
 * inside whatever transaction looks next.
 *
 * One replica at a time does it, the one whose transaction has the advisory lock for this round. Not a lock for good on
 * a reserved connection: when that one's backend dies, the driver's next write to it ends the process (postgres.js
 * 3.4.9, porsager/postgres#1208).
 */
export function startSweeper(deps: { database: Database; journal: Journal; log: Log }): { stop(): Promise<void> } {
  const { database, journal, log } = deps
  let stopped = false
  let round = Promise.resolve()
  let running = false

  const timer = setInterval(() => {
    // A slow round must not queue up others behind it.
    if (!running) round = tick()
  }, INTERVAL_MS)
  timer.unref()

  async function tick(): Promise<void> {
    running = true
    try {
      await database.transaction(async (tx) => {
        // The transaction idles while the round works elsewhere, which is no reason to end it.
        const [round] = await tx.execute<{ won: boolean }>(sql`
          select pg_try_advisory_xact_lock(${LEADER_KEY}::bigint) as won,
                 set_config('idle_in_transaction_session_timeout', '60s', true)`)
        if (round?.won === true) await sweep()
      })
    } catch (err) {
      log.debug({ err }, 'the sweeper lost a round')
    } finally {
      running = false
    }
  }

  async function sweep(): Promise<void> {
    const endsAt = performance.now() + ROUND_MS
    for (const workspaceId of await journal.due(BATCH)) {
      if (stopped || performance.now() > endsAt) return
      await journal.change(workspaceId, () => Promise.resolve())
    }
  }

  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      await round
    },
  }
}
