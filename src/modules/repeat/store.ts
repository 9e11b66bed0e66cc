import { and, eq, gt, inArray, lte } from 'drizzle-orm'
import type { Orm, Tx } from '../../db/client.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import type { OperationAnswer } from '../../kernel/operation.ts'
import type { Sealer } from '../../kernel/sealer.ts'
import { repeatableCalls } from './schema.ts'

/** A call that may be made again with the same Idempotency-Key. */
export interface RepeatableCall {
  readonly userId: string
  readonly keyHash: string
  readonly digest: string
}

/** Rows that one call cleans away beside its own work. */
const PURGED_AT_ONCE = 100

/**
 * What the first call with this key was answered; null where there was none in the last day.
 *
 * @throws AppError IDEMPOTENCY_MISMATCH for another call under the same key
 */
export async function answerOfCall(
  orm: Pick<Orm, 'select'>,
  { userId, keyHash, digest }: RepeatableCall,
  sealer: Sealer,
  now: Date,
): Promise<OperationAnswer | null> {
  const [row] = await orm
    .select()
    .from(repeatableCalls)
    .where(
      and(
        eq(repeatableCalls.userId, userId),
        eq(repeatableCalls.keyHash, keyHash),
        gt(repeatableCalls.createdAt, before(now)),
      ),
    )
  if (row === undefined) return null
  if (row.digest !== digest) throw new AppError('IDEMPOTENCY_MISMATCH')
  const kept = await sealer.open(row.answer)
  // Sealed under a key that is no longer there: better to say so than to do it twice.
  if (kept === null) throw new AppError('IDEMPOTENCY_MISMATCH')
  // What `rememberAnswer` sealed.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return kept['answer'] as OperationAnswer
}

/**
 * Keeps the answer for a day, in the transaction that did what it tells of.
 *
 * @throws AppError IDEMPOTENCY_IN_PROGRESS where another call with this key got here first: this one is undone
 */
export async function rememberAnswer(
  tx: Tx,
  call: RepeatableCall,
  sealer: Sealer,
  answer: OperationAnswer,
  now: Date,
): Promise<void> {
  const old = tx
    .select({ keyHash: repeatableCalls.keyHash })
    .from(repeatableCalls)
    .where(lte(repeatableCalls.createdAt, before(now)))
    .limit(PURGED_AT_ONCE)
    .for('update', { skipLocked: true })
  await tx
    .delete(repeatableCalls)
    .where(and(lte(repeatableCalls.createdAt, before(now)), inArray(repeatableCalls.keyHash, old)))
  const sealed = await sealer.seal({ answer }, LIMITS.idempotencySeconds)
  const added = await tx
    .insert(repeatableCalls)
    .values({ ...call, answer: sealed, createdAt: now })
    .onConflictDoNothing()
    .returning({ keyHash: repeatableCalls.keyHash })
  if (added.length === 0) throw new AppError('IDEMPOTENCY_IN_PROGRESS', undefined, { retryAfterMs: 1_000 })
}

function before(now: Date): Date {
  return new Date(now.getTime() - LIMITS.idempotencySeconds * 1_000)
}
