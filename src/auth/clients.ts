import { eq, isNull } from 'drizzle-orm'
import type { Database, Orm, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { newId } from '../kernel/ids.ts'
import { AUTH_LIMITS } from './limits.ts'
import { ago, purge } from './purge.ts'
import { clients } from './schema.ts'

/** An OAuth client as it described itself; nothing of it is verified. */
export interface Client {
  readonly id: string
  readonly name: string
  readonly redirectUris: readonly string[]
}

/** Stores a client, and cleans away some that nobody consented to within a day. */
export async function addClient(
  database: Database,
  client: Omit<Client, 'id'>,
): Promise<Client & { readonly createdAt: Date }> {
  return database.transaction(async (tx) => {
    const createdAt = await databaseNow(tx)
    const row = { ...client, id: newId('cl'), createdAt }
    await tx.insert(clients).values(row)
    const columns = { key: clients.id, time: clients.createdAt }
    await purge(tx, clients, columns, ago(createdAt, AUTH_LIMITS.unusedClientSeconds), isNull(clients.usedAt))
    return row
  })
}

/** The client with this id, or null. */
export async function findClient(orm: Orm | Tx, id: string): Promise<Client | null> {
  const columns = { id: clients.id, name: clients.name, redirectUris: clients.redirectUris }
  const rows = await orm.select(columns).from(clients).where(eq(clients.id, id))
  return rows[0] ?? null
}
