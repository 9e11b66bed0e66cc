import { isClientIdUrl } from './client-document.ts'
import { type Client, describedClient, findClient } from './clients.ts'
import type { AuthorizationRequest } from './codes.ts'
import type { AuthContext } from './context.ts'
import { duplicateIn, type Parameters, parametersOf } from './form.ts'
import { AUTH_LIMITS } from './limits.ts'
import { OAuthError, type OAuthErrorCode } from './oauth-error.ts'
import { isChallenge } from './pkce.ts'
import { redirectUriMatches, withParameters } from './redirect-uri.ts'
import { canonicalResource, resourceUri } from './resource.ts'
import { grantableScopes } from './scope.ts'

/** Where the answer to an authorization request goes: a known client, at an address that it registered. */
export interface Destination {
  readonly client: Client
  readonly redirectUri: string
  readonly state: string | undefined
}

/** An authorization request under examination. */
interface Draft {
  readonly query: URLSearchParams
  readonly parameters: Parameters
  readonly publicUrl: string
}

/**
 * Finds out who asks and where the answer goes. Until this holds nothing may be sent anywhere (S-18).
 *
 * @param userId the person who is signed in.
 * @returns null when that person must be known first: nobody anonymous makes this server fetch a document.
 * @throws OAuthError to be shown on a page of our own.
 */
export async function findDestination(
  context: AuthContext,
  query: URLSearchParams,
  userId: string | undefined,
): Promise<Destination | null> {
  const client = await findAskingClient(context, onlyValue(query, 'client_id'), userId)
  if (client === null) return null
  const redirectUri = onlyValue(query, 'redirect_uri')
  if (!client.redirectUris.some((registered) => redirectUriMatches(registered, redirectUri))) {
    throw new OAuthError('invalid_request', 'The client asks to return to an address that it did not register.')
  }
  const states = query.getAll('state')
  // What is there twice, or too long to be given back, is not given back.
  const state = states.length === 1 && (states[0]?.length ?? 0) <= AUTH_LIMITS.stateChars ? states[0] : undefined
  return { client, redirectUri, state }
}

const UNKNOWN_CLIENT = 'This client is not registered here. Start the sign-in again from your agent.'

/** One sentence for whatever was wrong: what our requests find out about other people's servers is not told (S-45). */
const UNUSABLE_DOCUMENT =
  'The document about this client, at the address that is its id, cannot be used. ' +
  'Wait a minute, then start the sign-in again from your agent.'

/** The client as it registered, or as its document says now; null without a person where that takes a fetch. */
async function findAskingClient(
  context: AuthContext,
  clientId: string,
  userId: string | undefined,
): Promise<Client | null> {
  const { database, clientDocuments } = context
  if (!clientId.startsWith('https://')) {
    const client = await database.query((orm) => findClient(orm, clientId))
    if (client === null) throw new OAuthError('invalid_client', UNKNOWN_CLIENT)
    return client
  }
  // Also where a person consented to it before: what is on record may be long out of date.
  if (clientDocuments === null) throw new OAuthError('invalid_client', UNKNOWN_CLIENT)
  if (!isClientIdUrl(clientId)) throw new OAuthError('invalid_client', UNUSABLE_DOCUMENT)
  if (userId === undefined) return null
  const description = await clientDocuments.find(clientId, userId)
  if (description === null) throw new OAuthError('invalid_client', UNUSABLE_DOCUMENT)
  return describedClient(clientId, description)
}

/**
 * Examines the rest of the request, one small check after the other; the first that fails decides the error.
 *
 * @throws OAuthError to be sent to the client.
 */
export function examine(publicUrl: string, query: URLSearchParams, destination: Destination): AuthorizationRequest {
  const draft: Draft = { query, parameters: parametersOf(query), publicUrl }
  for (const check of CHECKS) check(draft)
  return {
    clientId: destination.client.id,
    redirectUri: destination.redirectUri,
    codeChallenge: draft.parameters.get('code_challenge') ?? '',
    resource: requestedResource(draft) ?? '',
    scopes: grantableScopes(draft.parameters.get('scope')),
  }
}

const CHECKS: readonly ((draft: Draft) => void)[] = [
  checkNoParameterTwice,
  checkStateFits,
  checkResponseType,
  checkResponseMode,
  checkPkce,
  checkResource,
]

function checkNoParameterTwice({ query }: Draft): void {
  if (duplicateIn(query) !== undefined) {
    throw new OAuthError('invalid_request', 'A parameter is there more than once.')
  }
}

function checkStateFits({ parameters }: Draft): void {
  if ((parameters.get('state')?.length ?? 0) > AUTH_LIMITS.stateChars) {
    throw new OAuthError('invalid_request', 'The state is too long.')
  }
}

function checkResponseType({ parameters }: Draft): void {
  const responseType = parameters.get('response_type')
  if (responseType === undefined) throw new OAuthError('invalid_request', 'The parameter response_type is missing.')
  if (responseType !== 'code') throw new OAuthError('unsupported_response_type', 'Use response_type=code.')
}

function checkResponseMode({ parameters }: Draft): void {
  if ((parameters.get('response_mode') ?? 'query') !== 'query') {
    throw new OAuthError('invalid_request', 'Only response_mode=query is supported.')
  }
}

/** OAuth 2.1 §4.1.1; without code_challenge_method it would be `plain` (RFC 7636 §4.3), which we do not take. */
function checkPkce({ parameters }: Draft): void {
  if (parameters.get('code_challenge_method') !== 'S256') {
    throw new OAuthError('invalid_request', 'PKCE with code_challenge_method=S256 is required.')
  }
  if (!isChallenge(parameters.get('code_challenge') ?? '')) {
    throw new OAuthError('invalid_request', 'The code_challenge is missing or is not a SHA-256 in base64url.')
  }
}

function checkResource(draft: Draft): void {
  if (requestedResource(draft) === null) throw new OAuthError('invalid_target', 'The resource is not served here.')
}

/** RFC 8707; clients that found no resource metadata name none and mean the MCP endpoint. */
function requestedResource({ parameters, publicUrl }: Draft): string | null {
  const resource = parameters.get('resource')
  return resource === undefined ? resourceUri(publicUrl, 'mcp') : canonicalResource(publicUrl, resource)
}

/** The address that tells the client that it has been given nothing (RFC 6749 §4.1.2.1, RFC 9207). */
export function errorRedirect(
  publicUrl: string,
  to: Pick<Destination, 'redirectUri' | 'state'>,
  error: { readonly code: OAuthErrorCode; readonly message: string },
): string {
  const { redirectUri, state } = to
  return withParameters(redirectUri, { error: error.code, error_description: error.message, state, iss: publicUrl })
}

function onlyValue(query: URLSearchParams, name: string): string {
  const [value, ...more] = query.getAll(name)
  if (value === undefined || value === '' || value.includes('\0') || more.length > 0) {
    throw new OAuthError('invalid_request', `The request must name ${name} exactly once.`)
  }
  return value
}
