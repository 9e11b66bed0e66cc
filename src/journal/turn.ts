import { sql } from 'drizzle-orm'
import type { InWorkspace, Scoped } from '../db/client.ts'
import { AppError } from '../kernel/errors.ts'
import type { Change, WorkspaceTx } from './change.ts'

/** What somebody wants done to a workspace, under its lock. */
export type Work<S extends InWorkspace = InWorkspace, T = unknown> = (ws: WorkspaceTx<S>) => Promise<T>

/**
 * A command as it comes: asks what it needs to know as soon as it may, behind the lock and in the same round trip, and gives
 * the work that goes on from there.
 */
export type Opening<S extends InWorkspace = InWorkspace, T = unknown> = (orm: Scoped<S>) => Work<S, T>

/** How a command ended: with what it answers, or refused, in which case it has changed nothing. */
export type Outcome<T = unknown> = { readonly result: T } | { readonly refusal: AppError }

/** Brings the tables up to the clock: what is due by `ws.now` ends, with its event. Returns the next moment, if any. */
export type Expire = (ws: WorkspaceTx) => Promise<Date | null>

/**
 * One command in a transaction of its own. What had expired before stays on record also when it refuses.
 *
 * @param opened the work, if nothing has expired since it was opened
 * @throws what `work` throws where nothing had expired, and whatever is no refusal: the transaction is to be rolled back
 */
export async function runAlone<S extends InWorkspace, T>(
  change: Change<S>,
  expire: readonly Expire[],
  { open, opened }: { open: Opening<S, T>; opened: Work<S, T> },
): Promise<Outcome<T>> {
  const run = async (work: Work<S, T>) => {
    const result = await work(change)
    await change.send()
    return { result }
  }
  if (!(await expireDue(change, expire))) return run(opened)
  return keepingWhatExpired(change, () => run(open(change.tx)))
}

/**
 * Commands one after the other in one transaction, each on what the one before left. A refusal has written nothing, by
 * construction, so there is nothing to take back; what was sent for a command is in order before what the next one reads,
 * and nobody waits for its answer before the end.
 *
 * @throws when one of them ends in any other way: then all of it is to be rolled back, and each run alone.
 */
export async function runTogether(
  change: Change,
  expire: readonly Expire[],
  commands: readonly Opening[],
): Promise<Outcome[]> {
  await expireDue(change, expire)
  const outcomes: Outcome[] = []
  for (const open of commands) outcomes.push(await runNext(change, open(change.tx)))
  await change.send()
  return outcomes
}

async function runNext(change: Change, work: Work): Promise<Outcome> {
  const before = change.mark()
  try {
    const result = await work(change)
    await change.send('more')
    return { result }
  } catch (thrown) {
    if (!isRefusal(thrown) || change.mark() !== before) throw thrown
    change.discard()
    return { refusal: thrown }
  }
}

function isRefusal(thrown: unknown): thrown is AppError {
  return thrown instanceof AppError && thrown.code !== 'UNAVAILABLE'
}

/**
 * A refusal takes back what `run` did, not what time did: whoever was refused because something was over has learnt that it
 * is, and must not find it alive when the clock steps back.
 */
async function keepingWhatExpired<T>(change: Change, run: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
  const mark = change.mark()
  await change.tx.execute(sql`savepoint expired`)
  try {
    return await run()
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown
    await change.tx.execute(sql`rollback to savepoint expired`)
    change.returnTo(mark)
    return { refusal: thrown }
  }
}

/** Whether anything was due, and is on record now. */
async function expireDue(change: Change, expire: readonly Expire[]): Promise<boolean> {
  if (!change.isDue()) return false
  change.nextDueAt = null
  for (const step of expire) {
    const next = await step(change)
    if (next !== null) change.dueAt(next)
    // Each step sees what the one before ended: a session that idles out takes its claims along.
    await change.flush()
  }
  change.touch()
  await change.flush()
  return true
}
