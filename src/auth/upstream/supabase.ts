import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Config } from '../../config.ts'
import { AUTH_LIMITS } from '../limits.ts'
import { challengeOf } from '../pkce.ts'
import { factsOf, isOutOfReach } from './failure.ts'
import { personFrom } from './person.ts'
import { remembered } from './remembered.ts'
import { awayError, type Trip, type Upstream, UpstreamError, type UpstreamPerson } from './upstream.ts'

/** Where people go in the end, and what the button says. */
const NAME = 'Google'
const PROJECT = 'The Supabase project of this server'
const TIMEOUT_MS = AUTH_LIMITS.upstreamTimeoutSeconds * 1_000
const CLOCK_TOLERANCE_SECONDS = 30

/** Signatures by a key that the project alone has. */
const ALGORITHMS = ['ES256', 'RS256']

/** All that we read of an answer; the rest, refresh token and all, is dropped with it. */
const TokenAnswer = z.object({ access_token: z.string() })
const ErrorAnswer = z.object({ error_code: z.string() }).or(z.object({ error: z.string() }))

/** What GoTrue knows of the person from Google. */
const Metadata = z.object({ full_name: z.string().optional(), name: z.string().optional() })

/** GoTrue's reasons (its `error_code`) that the person can do something about; everything else is a plain no. */
const REFUSALS: Readonly<Record<string, string>> = {
  signup_disabled: `${PROJECT} takes no new people. Ask whoever runs it.`,
  user_banned: `${PROJECT} has banned you. Ask whoever runs it.`,
  provider_email_needs_verification: `${NAME} has not verified your e-mail address. Verify it there and try again.`,
}

/**
 * Supabase Auth (GoTrue) with Google behind it, by its PKCE flow. GoTrue hands back no `state`: that the verifier in the
 * browser's cookie fits the code is what binds the answer to the browser (RFC 9700 §4.7.1). A `state` of ours in the
 * address to come back to would have to be in the project's list of allowed addresses.
 *
 * Only keys of the project's own are believed. Projects from before 2025 sign with a secret that every part of them
 * shares (HS256) until they are migrated: knowing it would let us sign for them, so we do not take it.
 */
export function createSupabase({ url, anonKey }: NonNullable<Config['supabase']>, redirectUri: string): Upstream {
  const issuer = `${url}/auth/v1`
  const headers = { apikey: anonKey }
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
    // Gateways of older projects want the key here too.
    headers,
    timeoutDuration: TIMEOUT_MS,
    cacheMaxAge: AUTH_LIMITS.upstreamFreshMs,
    // A key that is not there yet is looked for at once: only a token that the project gave us makes us look.
    cooldownDuration: 0,
  })
  const ready = remembered(
    async () => {
      await keys.reload().catch((thrown: unknown) => Promise.reject(awayError(PROJECT, factsOf(thrown))))
      const usable = keys.jwks()?.keys.some(({ kty }) => kty === 'EC' || kty === 'RSA')
      if (usable !== true) throw legacyError()
    },
    { freshMs: AUTH_LIMITS.upstreamFreshMs, retryMs: AUTH_LIMITS.upstreamRetryMs },
    () => performance.now(),
  )
  return {
    id: 'supabase',
    name: NAME,
    issuer,
    returnsState: false,
    ready,
    async begin({ codeVerifier }) {
      await ready()
      return authorizeUrl(issuer, redirectUri, codeVerifier)
    },
    async finish(callback, trip) {
      const code = codeFrom(callback.searchParams)
      const token = await exchange(issuer, headers, code, trip)
      return verify(token, issuer, keys)
    },
  }
}

function authorizeUrl(issuer: string, redirectUri: string, codeVerifier: string): URL {
  const query = {
    provider: 'google',
    redirect_to: redirectUri,
    code_challenge: challengeOf(codeVerifier),
    code_challenge_method: 's256',
  }
  return new URL(`${issuer}/authorize?${new URLSearchParams(query).toString()}`)
}

/** The code that GoTrue sent the browser back with, or its reason for none. */
function codeFrom(answer: URLSearchParams): string {
  const [code, ...more] = answer.getAll('code')
  if (code !== undefined && more.length === 0) return code
  const reason = answer.get('error_code') ?? answer.get('error') ?? ''
  throw new UpstreamError('refused', REFUSALS[reason] ?? `You were not signed in with ${NAME}.`, {
    answered: reason.slice(0, 100),
  })
}

/** Exchanges the code for an access token. */
async function exchange(
  issuer: string,
  headers: Readonly<Record<string, string>>,
  code: string,
  { codeVerifier }: Trip,
): Promise<string> {
  const { status, body } = await post(`${issuer}/token?grant_type=pkce`, headers, {
    auth_code: code,
    code_verifier: codeVerifier,
  })
  const answer = TokenAnswer.safeParse(body)
  if (status === 200 && answer.success) return answer.data.access_token
  const error = ErrorAnswer.safeParse(body)
  const facts = { status, ...(error.success && { answered: error.data }) }
  if (status >= 500 || status === 429) throw awayError(PROJECT, facts)
  if (status === 401) {
    const message = `${PROJECT} does not accept this server. Whoever runs it checks SUPABASE_URL and SUPABASE_ANON_KEY.`
    throw new UpstreamError('misconfigured', message, facts)
  }
  throw new UpstreamError('refused', `${PROJECT} did not accept this sign-in.`, facts)
}

async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: object,
): Promise<{ status: number; body: unknown }> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { status: answer.status, body: await answer.json().catch(() => undefined) }
  } catch (thrown) {
    throw awayError(PROJECT, factsOf(thrown))
  }
}

async function verify(
  token: string,
  issuer: string,
  keys: ReturnType<typeof createRemoteJWKSet>,
): Promise<UpstreamPerson> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: 'authenticated',
      algorithms: ALGORITHMS,
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    })
    const metadata = Metadata.safeParse(payload['user_metadata'])
    return personFrom(NAME, { ...payload, name: metadata.data?.full_name ?? metadata.data?.name })
  } catch (thrown) {
    if (thrown instanceof UpstreamError) throw thrown
    if (isOutOfReach(thrown) || isKeysAnswer(thrown)) throw awayError(PROJECT, factsOf(thrown))
    if (thrown instanceof errors.JOSEAlgNotAllowed && algorithmOf(token) === 'HS256') throw legacyError()
    if (thrown instanceof errors.JWKSNoMatchingKey) {
      // After a rotation, caches in front of the project may show its old keys for ten minutes.
      const message = `${PROJECT} signs with a key that it has not published. Try again in a few minutes.`
      throw new UpstreamError('refused', message, factsOf(thrown))
    }
    throw new UpstreamError('refused', `The answer of ${NAME} does not prove who you are.`, factsOf(thrown))
  }
}

/** jose has no class of its own for keys that came with another status than 200, or as no JSON. */
function isKeysAnswer(thrown: unknown): boolean {
  return thrown instanceof errors.JOSEError && thrown.constructor === errors.JOSEError
}

function algorithmOf(token: string): string | undefined {
  return decodeProtectedHeader(token).alg
}

function legacyError(): UpstreamError {
  const message =
    `${PROJECT} still signs with its shared legacy secret (HS256), which this server does not accept. Whoever runs it ` +
    'opens Project Settings, JWT Keys there, migrates to signing keys and rotates them, so that ES256 is in use.'
  return new UpstreamError('misconfigured', message)
}
