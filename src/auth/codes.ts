import { eq } from 'drizzle-orm'
import type { Database, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { newId } from '../kernel/ids.ts'
import type { Scope } from '../kernel/principal.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { after, ago, purge } from './purge.ts'
import { authorizationCodes, clients } from './schema.ts'
import { newToken } from './token-format.ts'

/** What a person consents to: everything that the code, and then the grant, is bound to. */
export interface AuthorizationRequest {
  readonly clientId: string
  readonly redirectUri: string
  readonly codeChallenge: string
  readonly resource: string
  readonly scopes: readonly Scope[]
}

/**
 * Turns a person's consent into an authorization code, the only way to a new grant.
 *
 * @returns the code, which is stored only as its hash; null when the client is gone (purged while the person read).
 */
export async function issueCode(
  database: Database,
  userId: string,
  request: AuthorizationRequest,
): Promise<string | null> {
  return database.transaction(async (tx) => {
    const now = await databaseNow(tx)
    const used = await tx
      .update(clients)
      .set({ usedAt: now })
      .where(eq(clients.id, request.clientId))
      .returning({ id: clients.id })
    if (used.length === 0) return null
    const code = newToken('ac')
    await tx.insert(authorizationCodes).values({
      codeHash: sha256(code),
      grantId: newId('gr'),
      clientId: request.clientId,
      userId,
      redirectUri: request.redirectUri,
      codeChallenge: request.codeChallenge,
      resource: request.resource,
      scopes: request.scopes,
      expiresAt: after(now, AUTH_LIMITS.codeTtlSeconds),
    })
    const columns = { key: authorizationCodes.codeHash, time: authorizationCodes.expiresAt }
    await purge(tx, authorizationCodes, columns, ago(now, AUTH_LIMITS.codeMemorySeconds))
    return code
  })
}

export type AuthorizationCode = typeof authorizationCodes.$inferSelect

/** The code's row, locked until the transaction ends; null when there is none. */
export async function lockCode(tx: Tx, code: string): Promise<AuthorizationCode | null> {
  const rows = await tx
    .select()
    .from(authorizationCodes)
    .where(eq(authorizationCodes.codeHash, sha256(code)))
    .for('update')
  return rows[0] ?? null
}
