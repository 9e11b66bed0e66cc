import { gt } from 'drizzle-orm'
import type { Database, Orm } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import { ago } from './purge.ts'
import { grants, personalTokens } from './schema.ts'

/** A session that nobody can use any more idles out within this (7 days, modules/tenancy), and some: nothing older is left. */
const LONGEST_LEFT_SECONDS = 8 * 86_400

/** An end is dated before it is committed, which takes at most the 8 s of a transaction, and is seen after it. */
const UNSEEN_SECONDS = 60

/**
 * To end a grant or a token is two steps: that it has ended, in one transaction, and then what hangs on it, in one for each
 * workspace. Between them the process may die, or the database go away. The first step is on record, so that anybody can
 * take the second again; taken twice it does nothing.
 *
 * @param end the second step, for one grant or token
 * @returns takes it for everything that has ended since it was called last, and for all that can have something left when
 *   it is called first. What fails is taken again by the next call. Rejects with UNAVAILABLE when the database is away.
 */
export function createFinisher(
  database: Database,
  log: Log,
  end: (grantId: string, userId: string) => Promise<void>,
): (stopping?: AbortSignal) => Promise<void> {
  let doneUntil: Date | null = null

  return async (stopping) => {
    const now = await database.query(databaseNow)
    const ended = await database.query((orm) => endedSince(orm, doneUntil ?? ago(now, LONGEST_LEFT_SECONDS)))
    let failed = false
    for (const { grantId, userId } of ended) {
      if (stopping?.aborted === true) return
      try {
        await end(grantId, userId)
      } catch (err) {
        if (err instanceof AppError && err.code === 'UNAVAILABLE') throw err
        // One that fails must not keep the others.
        failed = true
        log.error({ err, grantId }, 'what hangs on a revoked grant could not be ended')
      }
    }
    if (!failed) doneUntil = ago(now, UNSEEN_SECONDS)
  }
}

/** Grants and tokens that were ended after that moment. */
async function endedSince(orm: Orm, moment: Date): Promise<{ grantId: string; userId: string }[]> {
  const [ofGrants, ofTokens] = await Promise.all([
    orm.select({ grantId: grants.id, userId: grants.userId }).from(grants).where(gt(grants.revokedAt, moment)),
    orm
      .select({ grantId: personalTokens.id, userId: personalTokens.userId })
      .from(personalTokens)
      .where(gt(personalTokens.revokedAt, moment)),
  ])
  return [...ofGrants, ...ofTokens]
}
