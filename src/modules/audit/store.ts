import { and, asc, desc, eq, gt, lt, sql } from 'drizzle-orm'
import type { OfUser, Scoped, Tx } from '../../db/client.ts'
import { ACCOUNT_LOG, type ChainedEntry, eventHash, genesisHash } from '../../journal/chain.ts'
import { type Bounded, countBounded, type Kept } from './bound.ts'
import { BOUNDED, entry, type NewEntry, SERVER } from './entry.ts'
import { accountEntries, accountLogs } from './schema.ts'

export type AccountEntry = typeof accountEntries.$inferSelect

/**
 * Puts entries on record, in the transaction that did what they tell of: with it they are there, or not.
 *
 * It locks the logs' heads, in the order of their ids, and they come after every other lock of a transaction: a workspace,
 * people, accounts, grants, sessions, the kept answer of a repeatable call. So there is one call for all entries of a
 * transaction, and it is its last work; in a change of a workspace, `ws.atEnd`.
 */
export async function record(tx: Tx, entries: readonly NewEntry[]): Promise<void> {
  if (entries.length === 0) return
  const userIds = [...new Set(entries.map(({ userId }) => userId))].toSorted()
  const written = (await lockHeads(tx, userIds)).map((head) =>
    append(
      head,
      entries.filter(({ userId }) => userId === head.userId),
    ),
  )
  const rows = written.flatMap((one) => one.rows)
  await Promise.all([
    rows.length === 0 ? undefined : tx.insert(accountEntries).values(rows),
    storeHeads(
      tx,
      written.map(({ head }) => head),
    ),
  ])
}

interface Head {
  readonly userId: string
  readonly seq: number
  readonly hash: Buffer
  readonly bounded: Bounded
  /** The database's clock, read after the lock was taken; never before that of an earlier entry. */
  readonly nowMs: number
}

/** The chain goes on: what of the entries is written, and where the log stands then. */
function append(before: Head, entries: readonly NewEntry[]): { head: Head; rows: AccountEntry[] } {
  const { userId, nowMs } = before
  const at = new Date(nowMs)
  const rows: AccountEntry[] = []
  const bounded: Record<string, Kept> = { ...before.bounded }
  let { seq, hash } = before
  const opening = seq === 0 ? [entry(userId, 'log.begun', { userId }, SERVER)] : []
  for (const { type, payload: said, actor } of [...opening, ...entries]) {
    const counted = BOUNDED.has(type) ? countBounded(bounded[type], nowMs) : null
    if (counted !== null) bounded[type] = counted.kept
    if (counted?.unrecorded === null) continue
    const payload = counted === null ? said : { ...said, unrecorded: counted.unrecorded }
    seq += 1
    hash = eventHash(hash, { seq, type, at: at.toISOString(), actor, payload })
    rows.push({ userId, seq, type, at, actor, payload, hash })
  }
  return { head: { userId, seq, hash, bounded, nowMs }, rows }
}

/** The lock in one statement and the clock in the next, in one round trip; written alike so that they are sent in order. */
async function lockHeads(tx: Tx, userIds: readonly string[]): Promise<Head[]> {
  const ids = sql.join(
    userIds.map((id) => sql`${id}`),
    sql`, `,
  )
  const fresh = sql.join(
    userIds.map(
      (id) => sql`(${id}, 0, decode(${genesisHash(id, ACCOUNT_LOG).toString('hex')}, 'hex'), to_timestamp(0), '{}')`,
    ),
    sql`, `,
  )
  const [, , rows] = await Promise.all([
    // Row-level security: whose logs are written, until the transaction ends.
    tx.execute(sql`select set_config('orkestrate.account_ids', ${userIds.join(' ')}, true)`),
    // Changes nothing, but locks the rows that are there.
    tx.execute(sql`
      insert into ${accountLogs} (user_id, seq, hash, clock, bounded) values ${fresh}
      on conflict (user_id) do update set seq = excluded.seq where false`),
    tx.execute<{ userId: string; seq: string; hash: string; bounded: string; nowMs: string }>(sql`
      select user_id as "userId", seq, encode(hash, 'hex') as hash, bounded::text as bounded,
        floor(extract(epoch from greatest(clock, clock_timestamp())) * 1000)::bigint as "nowMs"
      from ${accountLogs} where user_id in (${ids}) order by user_id`),
  ])
  return rows.map(({ userId, seq, hash, bounded, nowMs }) => {
    const kept: Bounded = JSON.parse(bounded)
    return { userId, seq: Number(seq), hash: Buffer.from(hash, 'hex'), bounded: kept, nowMs: Number(nowMs) }
  })
}

async function storeHeads(tx: Tx, heads: readonly Head[]): Promise<void> {
  const values = sql.join(
    heads.map(
      ({ userId, seq, hash, bounded, nowMs }) =>
        sql`(${userId}::text, ${seq}::bigint, ${hash.toString('hex')}::text, ${JSON.stringify(bounded)}::jsonb, ${nowMs}::bigint)`,
    ),
    sql`, `,
  )
  await tx.execute(sql`
    update ${accountLogs} as l
    set seq = v.seq, hash = decode(v.hash, 'hex'), bounded = v.bounded, clock = to_timestamp(v.now_ms / 1000.0)
    from (values ${values}) as v (user_id, seq, hash, bounded, now_ms) where l.user_id = v.user_id`)
}

/** A person's entries after `after`, oldest first. */
export async function readEntries(
  orm: Scoped<OfUser>,
  userId: string,
  after: number,
  limit: number,
): Promise<AccountEntry[]> {
  return orm
    .select()
    .from(accountEntries)
    .where(and(eq(accountEntries.userId, userId), gt(accountEntries.seq, after)))
    .orderBy(asc(accountEntries.seq))
    .limit(limit)
}

/** A person's entries before `before`, the newest first; null: from the last one. */
export async function readNewest(
  orm: Scoped<OfUser>,
  userId: string,
  before: number | null,
  limit: number,
): Promise<AccountEntry[]> {
  const older = before === null ? undefined : lt(accountEntries.seq, before)
  return orm
    .select()
    .from(accountEntries)
    .where(and(eq(accountEntries.userId, userId), older))
    .orderBy(desc(accountEntries.seq))
    .limit(limit)
}

export function exportEntry({ seq, type, at, actor, payload, hash }: AccountEntry): ChainedEntry {
  return { seq, type, at: at.toISOString(), actor, payload, hash: hash.toString('hex') }
}
