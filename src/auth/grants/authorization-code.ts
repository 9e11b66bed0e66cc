import { eq } from 'drizzle-orm'
import type { Tx } from '../../db/client.ts'
import { databaseNow } from '../../db/clock.ts'
import { entry } from '../../modules/audit/entry.ts'
import { record } from '../../modules/audit/store.ts'
import type { Client } from '../clients.ts'
import { type AuthorizationCode, lockCode } from '../codes.ts'
import type { AuthContext } from '../context.ts'
import { type Parameters, required } from '../form.ts'
import { AUTH_LIMITS } from '../limits.ts'
import { OAuthError } from '../oauth-error.ts'
import { verifies } from '../pkce.ts'
import { after } from '../purge.ts'
import { canonicalResource } from '../resource.ts'
import { authorizationCodes, grants } from '../schema.ts'
import type { IssuedTokens } from '../token.ts'
import { issueAccessToken, issueRefreshToken, revokeGrant } from '../tokens.ts'

/** One answer to everything that is wrong with a code, so that it never says which check failed. */
const invalidCode = () => new OAuthError('invalid_grant', 'The authorization code is not valid.')

/**
 * The authorization_code grant (OAuth 2.1 §4.1.3). A code works once: presented again with the right verifier it was
 * stolen or leaked together with it, and all its tokens are revoked; with a wrong verifier nothing happens, or anybody
 * who saw the code go by could log the person out (S-23).
 *
 * @throws OAuthError invalid_request, invalid_grant, invalid_target
 */
export async function redeemAuthorizationCode(
  context: AuthContext,
  client: Client,
  form: Parameters,
): Promise<IssuedTokens> {
  const presented = required(form, 'code')
  const verifier = required(form, 'code_verifier')
  const outcome = await context.database.transaction(async (tx) => {
    const code = await lockCode(tx, presented)
    const now = await databaseNow(tx)
    if (code === null || !belongsTo(code, client, form) || !verifies(verifier, code.codeChallenge)) throw invalidCode()
    if (code.redeemedAt !== null) return replayed(tx, code, now)
    if (code.expiresAt <= now) throw invalidCode()
    checkResource(context, code, form)
    return redeem(tx, code, now)
  })
  if ('access' in outcome) return outcome
  if (outcome.revoked) {
    context.log.warn({ grantId: outcome.grantId, clientId: client.id }, 'an authorization code was replayed')
    await context.grantRevoked(outcome.grantId)
  }
  throw invalidCode()
}

/** The redirect URI need not be repeated in OAuth 2.1 (§10.2), where PKCE does its work; if it is, it must be the same. */
function belongsTo(code: AuthorizationCode, client: Client, form: Parameters): boolean {
  return code.clientId === client.id && (form.get('redirect_uri') ?? code.redirectUri) === code.redirectUri
}

function checkResource(context: AuthContext, code: AuthorizationCode, form: Parameters): void {
  const resource = form.get('resource')
  if (resource !== undefined && canonicalResource(context.config.publicUrl, resource) !== code.resource) {
    throw new OAuthError('invalid_target', 'The resource is not the one that was authorized.')
  }
}

/** Returned, not thrown: the revocation has to be committed. */
async function replayed(tx: Tx, code: AuthorizationCode, now: Date) {
  return { grantId: code.grantId, revoked: await revokeGrant(tx, code.grantId, 'code_replayed', now) }
}

async function redeem(tx: Tx, code: AuthorizationCode, now: Date): Promise<IssuedTokens> {
  await tx.update(authorizationCodes).set({ redeemedAt: now }).where(eq(authorizationCodes.codeHash, code.codeHash))
  const grant = {
    id: code.grantId,
    userId: code.userId,
    clientId: code.clientId,
    redirectUri: code.redirectUri,
    resource: code.resource,
    scopes: code.scopes,
    createdAt: now,
    expiresAt: after(now, AUTH_LIMITS.grantTtlSeconds),
  }
  await tx.insert(grants).values(grant)
  const issued = {
    access: await issueAccessToken(tx, grant, grant.scopes, now),
    refreshToken: await issueRefreshToken(tx, grant, 1, now),
  }
  const { id: grantId, userId, clientId } = grant
  await record(tx, [entry(userId, 'grant.began', { grantId, clientId }, { kind: 'client', clientId })])
  return issued
}
