import type { Tx } from '../../db/client.ts'
import { databaseNow } from '../../db/clock.ts'
import type { Client } from '../clients.ts'
import type { AuthContext } from '../context.ts'
import { deriveKey, open, seal } from '../crypto.ts'
import { type Parameters, required } from '../form.ts'
import { AUTH_LIMITS } from '../limits.ts'
import { OAuthError } from '../oauth-error.ts'
import { after } from '../purge.ts'
import { canonicalResource } from '../resource.ts'
import { narrowedScopes } from '../scope.ts'
import type { IssuedTokens } from '../token.ts'
import {
  findRefreshToken,
  type Grant,
  isLive,
  issueAccessToken,
  issueRefreshToken,
  lockGrant,
  markRotated,
  type RefreshToken,
  revokeGrant,
} from '../tokens.ts'

/** One answer to everything that is wrong with a refresh token. */
const invalidToken = () => new OAuthError('invalid_grant', 'The refresh token is not valid; sign in again.')

/**
 * The refresh_token grant (OAuth 2.1 §4.3) with rotation. Per token there are three cases:
 *
 * - the current one: it is rotated, and its successor is kept under a key that only the old token yields;
 * - its immediate predecessor, within the grace: the same successor again, since several processes of one client share
 *   a token store, and answers get lost;
 * - anything older, or after the grace: somebody else has it too, and the whole grant ends (OAuth 2.1 §4.3.1).
 *
 * Earlier access tokens stay valid: the other processes are still working with them.
 *
 * @throws OAuthError invalid_request, invalid_grant, invalid_scope, invalid_target
 */
export async function redeemRefreshToken(
  context: AuthContext,
  client: Client,
  form: Parameters,
): Promise<IssuedTokens> {
  const presented = required(form, 'refresh_token')
  const outcome = await context.database.transaction((tx) => refresh(tx, context, client, form, presented))
  if ('access' in outcome) return outcome
  const { reusedOf: grantId } = outcome
  context.log.warn({ grantId, clientId: client.id }, 'an old refresh token came back: grant revoked')
  await context.grantRevoked(grantId)
  throw invalidToken()
}

/** Theft is returned, not thrown: the revocation has to be committed. */
async function refresh(
  tx: Tx,
  context: AuthContext,
  client: Client,
  form: Parameters,
  presented: string,
): Promise<IssuedTokens | { readonly reusedOf: string }> {
  const seen = await findRefreshToken(tx, presented)
  const grant = seen === null ? null : await lockGrant(tx, seen.grantId)
  // The clock and the token are read after the lock: what was read before may be from before somebody else's rotation.
  const now = await databaseNow(tx)
  const token = await findRefreshToken(tx, presented)
  if (grant === null || token === null || grant.clientId !== client.id || !isLive(grant, now)) throw invalidToken()
  const refreshToken = await successorOf(tx, grant, presented, token, now)
  if (refreshToken === null) {
    await revokeGrant(tx, grant.id, 'refresh_token_reused', now)
    return { reusedOf: grant.id }
  }
  // Last, so that no other fault of the request hides a theft; a refusal undoes the rotation.
  const scopes = permittedScopes(context, grant, form)
  return { access: await issueAccessToken(tx, grant, scopes, now), refreshToken }
}

function permittedScopes(context: AuthContext, grant: Grant, form: Parameters) {
  const resource = form.get('resource')
  if (resource !== undefined && canonicalResource(context.config.publicUrl, resource) !== grant.resource) {
    throw new OAuthError('invalid_target', 'The resource is not the one that was authorized.')
  }
  const scopes = narrowedScopes(form.get('scope'), grant.scopes)
  if (scopes === null) throw new OAuthError('invalid_scope', 'The scope goes beyond what was granted.')
  return scopes
}

/** The next generation after `token`, or null when its appearance means that somebody else has it too. */
async function successorOf(
  tx: Tx,
  grant: Grant,
  presented: string,
  token: RefreshToken,
  now: Date,
): Promise<string | null> {
  // Under a key that comes from the presented token, which we do not keep: the database alone cannot open it.
  const key = deriveKey(presented, 'refresh token successor')
  if (token.rotatedAt === null) {
    if (token.expiresAt <= now) throw invalidToken()
    const successor = await issueRefreshToken(tx, grant, token.generation + 1, now)
    await markRotated(tx, token, await seal(key, { successor }), now)
    return successor
  }
  if (token.sealedSuccessor === null || after(token.rotatedAt, AUTH_LIMITS.refreshGraceSeconds) < now) return null
  const claims = await open(key, token.sealedSuccessor)
  return typeof claims?.['successor'] === 'string' ? claims['successor'] : null
}
