import { and, asc, count, eq, gt, inArray, sql, sum } from 'drizzle-orm'
import type { Scoped, ScopedTx } from '../../db/client.ts'
import { values } from './schema.ts'
import type { Totals, Value } from './values.ts'

const byteOrder = sql`${values.key} collate "C"`

export async function valuesByKeys(orm: Scoped, workspaceId: string, keys: readonly string[]): Promise<Value[]> {
  return orm
    .select()
    .from(values)
    .where(and(eq(values.workspaceId, workspaceId), inArray(values.key, [...keys])))
    .orderBy(asc(byteOrder))
}

/** Entries whose key starts with `prefix` and comes after `after`, in byte order. */
export async function valuesByPrefix(
  orm: Scoped,
  workspaceId: string,
  prefix: string,
  after: string | null,
  limit: number,
): Promise<Value[]> {
  return orm
    .select()
    .from(values)
    .where(
      and(
        eq(values.workspaceId, workspaceId),
        sql`starts_with(${values.key}, ${prefix})`,
        sql`${byteOrder} >= ${prefix}`,
        after === null ? undefined : gt(byteOrder, after),
      ),
    )
    .orderBy(asc(byteOrder))
    .limit(limit)
}

export async function totalsOf(orm: Scoped, workspaceId: string): Promise<Totals> {
  const rows = await orm
    .select({ count: count(), bytes: sum(values.bytes) })
    .from(values)
    .where(eq(values.workspaceId, workspaceId))
  return { count: rows[0]?.count ?? 0, bytes: Number(rows[0]?.bytes ?? 0) }
}

export async function putValue(tx: ScopedTx, workspaceId: string, value: Value): Promise<void> {
  const { key: _key, ...changing } = value
  await tx
    .insert(values)
    .values({ ...value, workspaceId })
    .onConflictDoUpdate({ target: [values.workspaceId, values.key], set: changing })
}

export async function deleteValue(tx: ScopedTx, workspaceId: string, key: string): Promise<void> {
  await tx.delete(values).where(and(eq(values.workspaceId, workspaceId), eq(values.key, key)))
}

export async function eraseValues(tx: ScopedTx, workspaceId: string): Promise<void> {
  await tx.delete(values).where(eq(values.workspaceId, workspaceId))
}
