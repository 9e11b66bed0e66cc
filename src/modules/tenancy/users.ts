import type { Tx } from '../../db/client.ts'
import { newId } from '../../kernel/ids.ts'
import { users } from './schema.ts'

/**
 * Adds a person who belongs to no workspace yet.
 *
 * @param person `email` and `name` already normalised and within their bounds; how the person proves who they are is
 *   kept by auth, in the same transaction.
 * @returns the new user's id.
 */
export async function createUser(tx: Tx, person: { email: string; name: string; now: Date }): Promise<string> {
  const id = newId('usr')
  await tx.insert(users).values({ id, email: person.email, name: person.name, createdAt: person.now })
  return id
}
