import { type Client, findClient } from './clients.ts'
import type { AuthContext } from './context.ts'
import { type Parameters, required } from './form.ts'
import { redeemAuthorizationCode } from './grants/authorization-code.ts'
import { redeemRefreshToken } from './grants/refresh-token.ts'
import { OAuthError } from './oauth-error.ts'
import { scopeText } from './scope.ts'
import type { IssuedAccessToken } from './tokens.ts'

/** What a grant type gives a client for what it presents. */
export type GrantHandler = (context: AuthContext, client: Client, form: Parameters) => Promise<IssuedTokens>

export interface IssuedTokens {
  readonly access: IssuedAccessToken
  readonly refreshToken: string
}

const GRANT_TYPES: ReadonlyMap<string, GrantHandler> = new Map([
  ['authorization_code', redeemAuthorizationCode],
  ['refresh_token', redeemRefreshToken],
])

/**
 * The token endpoint (OAuth 2.1 §3.2): who, what kind, then the grant type's own rules.
 *
 * @throws OAuthError
 */
export async function token(context: AuthContext, form: Parameters) {
  const grantType = required(form, 'grant_type')
  const handler = GRANT_TYPES.get(grantType)
  if (handler === undefined) throw new OAuthError('unsupported_grant_type', 'Use authorization_code or refresh_token.')
  const client = await requireClient(context, form)
  const { access, refreshToken } = await handler(context, client, form)
  return {
    access_token: access.accessToken,
    token_type: 'Bearer',
    expires_in: access.expiresInSeconds,
    refresh_token: refreshToken,
    scope: scopeText(access.scopes),
  }
}

/**
 * The public client that calls (OAuth 2.1 §2.4). It proves nothing about itself: PKCE and the binding of every code and
 * token to its client are what protects.
 *
 * @throws OAuthError invalid_client
 */
export async function requireClient(context: AuthContext, form: Parameters): Promise<Client> {
  const clientId = form.get('client_id')
  const client = clientId === undefined ? null : await context.database.query((orm) => findClient(orm, clientId))
  if (client === null) throw new OAuthError('invalid_client', 'The client is unknown; register it again.')
  return client
}
