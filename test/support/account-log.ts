import { sql } from 'drizzle-orm'
import type { Database } from '../../src/db/client.ts'
import type { ChainedEntry } from '../../src/journal/chain.ts'
import { exportEntry, readEntries } from '../../src/modules/audit/store.ts'

/** A person's whole account log, as it is exported. */
export async function accountLog(database: Database, userId: string): Promise<ChainedEntry[]> {
  const rows = await database.read({ user: userId }, (orm) => readEntries(orm, userId, 0, 100_000))
  return rows.map(exportEntry)
}

/** Everybody's. */
export async function accountLogs(database: Database): Promise<ReadonlyMap<string, ChainedEntry[]>> {
  const people = await database.query((orm) => orm.execute<{ id: string }>(sql`select id from users`))
  const logs = new Map<string, ChainedEntry[]>()
  for (const { id } of people) logs.set(id, await accountLog(database, id))
  return logs
}
