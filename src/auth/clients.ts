import { eq, isNull } from 'drizzle-orm'
import type { Database, Orm, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { newId } from '../kernel/ids.ts'
import { type ClientDescription, hostOf } from './client-document.ts'
import { AUTH_LIMITS } from './limits.ts'
import { ago, purge } from './purge.ts'
import { clients } from './schema.ts'

/**
 * How far we know who a client is. `self-registered`: not at all. `metadata-document`: who controls `host` over https said
 * where its answers may go. Its name is still only its own word, and where they go to loopback, any program on that
 * computer may use the same id (CIMD §8.5).
 */
export type ClientIdentity =
  { readonly kind: 'self-registered' } | { readonly kind: 'metadata-document'; readonly host: string }

/** An OAuth client as it described itself. */
export interface Client extends ClientDescription {
  readonly id: string
  readonly identity: ClientIdentity
}

/** The ids that we give out start with `cl_`, so that none of them is a URL. */
export function identityOf(id: string): ClientIdentity {
  return id.startsWith('https://') ? { kind: 'metadata-document', host: hostOf(id) } : { kind: 'self-registered' }
}

export function describedClient(id: string, description: ClientDescription): Client {
  return { id, ...description, identity: identityOf(id) }
}

/** Stores a client that registers itself, and cleans away some that nobody consented to within a day. */
export async function addClient(
  database: Database,
  description: ClientDescription,
): Promise<{ readonly id: string; readonly createdAt: Date }> {
  return database.transaction(async (tx) => {
    const createdAt = await databaseNow(tx)
    const row = { ...description, id: newId('cl'), createdAt }
    await tx.insert(clients).values(row)
    const columns = { key: clients.id, time: clients.createdAt }
    await purge(tx, clients, columns, ago(createdAt, AUTH_LIMITS.unusedClientSeconds), isNull(clients.usedAt))
    return row
  })
}

/** The client with this id that registered or was consented to, or null. Nothing is fetched. */
export async function findClient(orm: Orm | Tx, id: string): Promise<Client | null> {
  const columns = { name: clients.name, redirectUris: clients.redirectUris }
  const rows = await orm.select(columns).from(clients).where(eq(clients.id, id))
  const [description] = rows
  return description === undefined ? null : describedClient(id, description)
}

/**
 * Keeps on record that a person consented to a client, and with it what its metadata document said, so that its tokens
 * never need the document.
 *
 * @returns what the client calls itself; null when one that registered is gone.
 */
export async function noteConsent(
  tx: Tx,
  id: string,
  described: ClientDescription | undefined,
  now: Date,
): Promise<string | null> {
  if (described === undefined) {
    const rows = await tx
      .update(clients)
      .set({ usedAt: now })
      .where(eq(clients.id, id))
      .returning({ name: clients.name })
    return rows[0]?.name ?? null
  }
  const seen = { ...described, usedAt: now }
  await tx
    .insert(clients)
    .values({ ...seen, id, createdAt: now })
    .onConflictDoUpdate({ target: clients.id, set: seen })
  return described.name
}
