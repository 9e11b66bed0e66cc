import { and, eq, inArray } from 'drizzle-orm'
import type { Database } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { entry } from '../modules/audit/entry.ts'
import { record } from '../modules/audit/store.ts'
import type { Client } from './clients.ts'
import type { AuthContext } from './context.ts'
import { sha256 } from './crypto.ts'
import { type Parameters, required } from './form.ts'
import { accessTokens, grants } from './schema.ts'
import { requireClient } from './token.ts'
import { tokenKind } from './token-format.ts'
import { findRefreshToken, lockGrant, revokeGrant, userOfGrant } from './tokens.ts'

/**
 * Token revocation (RFC 7009). A refresh token of any generation ends its grant and so every access token of it; an
 * access token ends alone, since other processes of the client may still work with theirs. Whatever is not a token of
 * the calling client is answered the same way and changes nothing (§2.2).
 *
 * @throws OAuthError invalid_request, invalid_client
 */
export async function revoke(context: AuthContext, form: Parameters): Promise<void> {
  const presented = required(form, 'token')
  const client = await requireClient(context, form)
  // Our tokens say themselves what they are; token_type_hint is not needed.
  const kind = tokenKind(presented)
  if (kind === 'at') {
    const grantId = await revokeAccessToken(context.database, client, presented)
    if (grantId !== null) await context.tokenRevoked(grantId)
  }
  if (kind === 'rt') {
    const grantId = await revokeByRefreshToken(context.database, client, presented)
    if (grantId !== null) await context.grantRevoked(grantId)
  }
}

async function revokeAccessToken(database: Database, client: Client, token: string): Promise<string | null> {
  return database.transaction(async (tx) => {
    const ofClient = tx.select({ id: grants.id }).from(grants).where(eq(grants.clientId, client.id))
    const own = and(eq(accessTokens.tokenHash, sha256(token)), inArray(accessTokens.grantId, ofClient))
    const [ended] = await tx.delete(accessTokens).where(own).returning({ grantId: accessTokens.grantId })
    if (ended === undefined) return null
    const { grantId } = ended
    const userId = await userOfGrant(tx, grantId)
    const actor = { kind: 'client', clientId: client.id } as const
    if (userId !== null) {
      await record(tx, [entry(userId, 'access_token.revoked', { grantId, clientId: client.id }, actor)])
    }
    return grantId
  })
}

async function revokeByRefreshToken(database: Database, client: Client, token: string): Promise<string | null> {
  return database.transaction(async (tx) => {
    const row = await findRefreshToken(tx, token)
    const grant = row === null ? null : await lockGrant(tx, row.grantId)
    if (grant === null || grant.clientId !== client.id) return null
    const revoked = await revokeGrant(tx, grant.id, 'client', await databaseNow(tx))
    return revoked ? grant.id : null
  })
}
