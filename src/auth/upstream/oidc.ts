import * as client from 'openid-client'
import type { Config } from '../../config.ts'
import { challengeOf } from '../pkce.ts'
import { AUTH_LIMITS } from '../limits.ts'
import { factsOf, isOutOfReach } from './failure.ts'
import { personFrom } from './person.ts'
import { remembered } from './remembered.ts'
import { awayError, type Upstream, UpstreamError } from './upstream.ts'

const SCOPE = 'openid email profile'

/**
 * Any OpenID Connect issuer, by the code flow with PKCE. openid-client validates the answer: state, RFC 9207's iss, and
 * of the ID token iss, aud, azp, exp, iat, nonce, at_hash, its algorithm and, which Core §3.1.3.7 would let us leave
 * out, its signature by the issuer's keys.
 */
export function createOidc(config: NonNullable<Config['oidc']>, redirectUri: string): Upstream {
  const issuer = new URL(config.issuer)
  const name = issuer.host
  const discovered = remembered(
    () => discover(config, issuer).catch((thrown: unknown) => Promise.reject(discoveryError(name, thrown))),
    { freshMs: AUTH_LIMITS.upstreamFreshMs, retryMs: AUTH_LIMITS.upstreamRetryMs },
    () => performance.now(),
  )
  return {
    id: 'oidc',
    name,
    issuer: config.issuer,
    returnsState: true,
    async ready() {
      await discovered()
    },
    async begin({ state, nonce, codeVerifier }) {
      return client.buildAuthorizationUrl(await discovered(), {
        redirect_uri: redirectUri,
        scope: SCOPE,
        state,
        nonce,
        code_challenge: challengeOf(codeVerifier),
        code_challenge_method: 'S256',
      })
    },
    async finish(callback, trip) {
      const configuration = await discovered()
      try {
        return personFrom(name, await claimsOf(configuration, callback, trip))
      } catch (thrown) {
        throw answerError(name, thrown)
      }
    },
  }
}

async function discover(config: NonNullable<Config['oidc']>, issuer: URL): Promise<client.Configuration> {
  const checks = [client.enableNonRepudiationChecks]
  // Only for an issuer on loopback, which config.ts has made sure of.
  // oxlint-disable-next-line typescript/no-deprecated
  if (issuer.protocol === 'http:') checks.push(client.allowInsecureRequests)
  const configuration = await client.discovery(
    issuer,
    config.clientId,
    undefined,
    authentication(config.clientSecret),
    { execute: checks, timeout: AUTH_LIMITS.upstreamTimeoutSeconds },
  )
  const { authorization_endpoint: authorize, token_endpoint: token } = configuration.serverMetadata()
  if (authorize === undefined || token === undefined) throw new Error('the metadata lacks an endpoint')
  return configuration
}

/** HTTP Basic, the default of OpenID Connect (Core §9), unless the issuer says that it takes the secret in the body only. */
function authentication(clientSecret: string): client.ClientAuth {
  const [basic, post] = [client.ClientSecretBasic(clientSecret), client.ClientSecretPost(clientSecret)]
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    const inBody = methods.includes('client_secret_post') && !methods.includes('client_secret_basic')
    return (inBody ? post : basic)(server, ...rest)
  }
}

/** The ID token's claims, with what only the userinfo endpoint tells of e-mail and name. */
async function claimsOf(
  configuration: client.Configuration,
  callback: URL,
  { state, nonce, codeVerifier }: { state: string; nonce: string; codeVerifier: string },
): Promise<Readonly<Record<string, unknown>>> {
  const tokens = await client.authorizationCodeGrant(configuration, callback, {
    expectedState: state,
    expectedNonce: nonce,
    pkceCodeVerifier: codeVerifier,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  if (claims === undefined) throw new Error('no ID token')
  const isComplete = claims['email'] !== undefined && claims['name'] !== undefined
  if (isComplete || configuration.serverMetadata().userinfo_endpoint === undefined) return claims
  return { ...(await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)), ...claims }
}

function discoveryError(name: string, thrown: unknown): UpstreamError {
  if (isOutOfReach(thrown)) return awayError(name, factsOf(thrown))
  const message = `${name} does not answer as an OpenID Connect issuer. Whoever runs this server checks OIDC_ISSUER.`
  return new UpstreamError('misconfigured', message, factsOf(thrown))
}

/** Said by a token endpoint that does not know us (RFC 6749 §5.2): in the body, or as a challenge to HTTP Basic. */
function isAboutClient(thrown: unknown): boolean {
  if (thrown instanceof client.ResponseBodyError) return /^(invalid|unauthorized)_client$/.test(thrown.error)
  return thrown instanceof client.WWWAuthenticateChallengeError && thrown.status === 401
}

function answerError(name: string, thrown: unknown): UpstreamError {
  if (thrown instanceof UpstreamError) return thrown
  if (isOutOfReach(thrown)) return awayError(name, factsOf(thrown))
  if (isAboutClient(thrown)) {
    const message = `${name} does not accept this server. Whoever runs it checks OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.`
    return new UpstreamError('misconfigured', message, factsOf(thrown))
  }
  if (thrown instanceof client.AuthorizationResponseError) {
    return new UpstreamError('refused', `You were not signed in at ${name}.`, factsOf(thrown))
  }
  return new UpstreamError('refused', `The answer of ${name} does not prove who you are.`, factsOf(thrown))
}
