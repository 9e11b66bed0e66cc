import { z } from 'zod'
import { addClient } from './clients.ts'
import type { AuthContext } from './context.ts'
import { displayName } from './display-name.ts'
import { AUTH_LIMITS } from './limits.ts'
import { OAuthError } from './oauth-error.ts'
import { isNative, usableRedirectUris } from './redirect-uri.ts'
import { grantableScopes, scopeText } from './scope.ts'

/** All that we take from a registration (RFC 7591 §2); everything else is dropped. Only redirect_uris must be there. */
const Registration = z.object({
  redirect_uris: z.array(z.string()).max(AUTH_LIMITS.redirectUrisPerClient),
  client_name: z.string().nullish(),
  application_type: z.string().nullish(),
  scope: z.string().nullish(),
})

/**
 * Dynamic client registration (RFC 7591). Every client is public, whatever it asked for: §3.2.1 lets the server
 * substitute, and a secret in a program that everybody can read would prove nothing. A redirect URI that we do not take
 * is left out of the answer rather than refusing the others: Cursor registers three of different kinds at once, as `web`.
 * The application type follows from them, because OpenCode and Gemini CLI name none and nothing here depends on it.
 *
 * @throws OAuthError invalid_client_metadata, invalid_redirect_uri
 */
export async function register(context: AuthContext, body: string) {
  const parsed = Registration.safeParse(parseJson(body))
  if (!parsed.success) {
    const aboutRedirects = parsed.error.issues.some((issue) => issue.path[0] === 'redirect_uris')
    throw aboutRedirects
      ? new OAuthError('invalid_redirect_uri', 'redirect_uris must be a list of 1 to 10 addresses.')
      : new OAuthError('invalid_client_metadata', 'The body must be a JSON object with redirect_uris.')
  }
  const { client_name, application_type, scope } = parsed.data
  const redirectUris = usableRedirectUris(parsed.data.redirect_uris)
  if (redirectUris.length === 0) {
    throw new OAuthError(
      'invalid_redirect_uri',
      'No usable redirect URI: https, http on loopback, or an own scheme; without fragment, user name or wildcard.',
    )
  }
  const name = displayName(client_name ?? '', 'Unnamed MCP client')
  const { id, createdAt } = await addClient(context.database, { name, redirectUris })
  return {
    client_id: id,
    client_id_issued_at: Math.floor(createdAt.getTime() / 1_000),
    client_name: name,
    redirect_uris: redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: application_type === 'native' || redirectUris.some(isNative) ? 'native' : 'web',
    ...(typeof scope === 'string' && { scope: scopeText(grantableScopes(scope)) }),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
