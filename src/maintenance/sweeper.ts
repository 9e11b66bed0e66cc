import { sql } from 'drizzle-orm'
import type { Database } from '../db/client.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../kernel/log.ts'
import { NO_METRICS, type Metrics } from '../kernel/metrics.ts'

/** Any constant will do, as long as every version of this program uses the same. */
const LEADER_KEY = '8030606865440305762'

/** A lease's end is on record, and pushed, within about a second of its time. */
const INTERVAL_MS = 500

/** Workspaces looked at per round; what is left comes first in the next. */
const BATCH = 1_000

/**
 * Workspaces looked at at the same time: a change mostly waits for the database. A fifth of the pool, so that calls find
 * their connections while thousands of leases end at once.
 */
const AT_ONCE = 4

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
export function startSweeper(deps: { database: Database; journal: Journal; log: Log; metrics?: Metrics }): {
  stop(): Promise<void>
} {
  const { database, journal, log, metrics = NO_METRICS } = deps
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
    let outcome = 'failed'
    try {
      await database.transaction(async (tx) => {
        // The transaction idles while the round works elsewhere, which is no reason to end it.
        const [round] = await tx.execute<{ won: boolean }>(sql`
          select pg_try_advisory_xact_lock(${LEADER_KEY}::bigint) as won,
                 set_config('idle_in_transaction_session_timeout', '60s', true)`)
        if (round?.won === true) await sweep()
        outcome = round?.won === true ? 'led' : 'followed'
      })
    } catch (err) {
      log.debug({ err }, 'the sweeper lost a round')
    } finally {
      running = false
      metrics.count('orkestrate_sweeper_rounds_total', { round: outcome })
    }
  }

  async function sweep(): Promise<void> {
    const endsAt = performance.now() + ROUND_MS
    const due = (await journal.due(BATCH)).values()
    const work = async (): Promise<void> => {
      for (const workspaceId of due) {
        if (stopped || performance.now() > endsAt) return
        await lookAt(workspaceId)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }

  /** One that fails stays due, and comes first in every round: the others must not wait for it. */
  async function lookAt(workspaceId: string): Promise<void> {
    try {
      await journal.change({ workspace: workspaceId }, () => Promise.resolve())
    } catch (err) {
      log.warn({ err, workspaceId }, 'what is due in a workspace could not be put on record')
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
