/**
 * GoTrue on loopback, as far as the PKCE flow with Google goes: its addresses, parameters, statuses, error bodies and
 * redirects (github.com/supabase/auth, internal/api: external.go, token.go, pkce.go, jwks.go, apierrors), real tokens
 * signed by keys that rotate, and in front of it the API gateway's check of the key. Google itself is one page of ours.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { getRequestListener } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose'
import { z } from 'zod'
import { listenOnLoopback } from './loopback.ts'

/** What the next access tokens are like instead: other claims, another header, a key that is not the project's. */
export interface Forgery {
  /** Undefined takes a claim away. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Partial<JWTHeaderParameters>
  readonly key?: CryptoKey | Uint8Array
}

export interface GoTrue {
  readonly url: string
  readonly anonKey: string
  /** SUPABASE_… for a server that signs people in here. */
  readonly env: Readonly<Record<string, string>>
  /** Google's people, by address; without an entry the name is the address. */
  readonly people: Map<string, GooglePerson>
  /** Every token that was ever given out. */
  readonly tokens: Set<string>
  /** Requests that arrived, as `METHOD path`. */
  readonly requests: string[]
  forge(forgery: Forgery | null): void
  /** A new signing key; the old ones stay published. */
  rotate(algorithm: 'ES256' | 'RS256'): Promise<void>
  /** Signs with the shared secret from now on, as projects do that were never migrated. */
  legacy(): void
  /** Answers everything with this status from now on; null: as usual. */
  fail(status: number | null): void
  /** Refuses after Google, as settings of a project make it. */
  refuse(reason: Refusal | null): void
  close(): Promise<void>
}

export interface GooglePerson {
  readonly id: string
  readonly email: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** What GoTrue puts into the redirect: getErrorQueryString of external.go. */
export interface Refusal {
  readonly error: string
  readonly errorCode?: string
  readonly description: string
}

interface Flow {
  readonly challenge: string
  readonly redirectTo: string
  person?: GooglePerson
}

const EXPIRES_IN = 3_600

/** @param allowed the project's Redirect URLs; anything else goes to the Site URL. */
export async function startGoTrue(allowed: readonly string[]): Promise<GoTrue> {
  const server = await listenOnLoopback()
  const url = server.origin
  const issuer = `${url}/auth/v1`
  const siteUrl = `${url}/site`
  const anonKey = `sb_publishable_${randomBytes(16).toString('base64url')}`
  const people: GoTrue['people'] = new Map()
  const tokens: GoTrue['tokens'] = new Set()
  const requests: string[] = []
  const published: JWK[] = []
  /** By the `state` that GoTrue gives to Google, then by the code. */
  const flows = new Map<string, Flow>()
  let signing: { key: CryptoKey | Uint8Array; header: JWTHeaderParameters }
  let forgery: Forgery | null = null
  let failing: number | null = null
  let refusal: Refusal | null = null

  const rotate: GoTrue['rotate'] = async (algorithm) => {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
    const kid = randomUUID()
    published.push({ ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig', key_ops: ['verify'], ext: true })
    signing = { key: privateKey, header: { alg: algorithm, kid, typ: 'JWT' } }
  }
  await rotate('ES256')

  const accessToken = (person: GooglePerson): Promise<string> => {
    const now = Math.floor(Date.now() / 1_000)
    const claims: JWTPayload = {
      iss: issuer,
      sub: person.id,
      aud: 'authenticated',
      exp: now + EXPIRES_IN,
      iat: now,
      email: person.email,
      phone: '',
      app_metadata: { provider: 'google', providers: ['google'] },
      user_metadata: person.metadata ?? metadataOf(person),
      role: 'authenticated',
      aal: 'aal1',
      amr: [{ method: 'oauth', timestamp: now }],
      session_id: randomUUID(),
      is_anonymous: false,
    }
    return new SignJWT({ ...claims, ...forgery?.claims })
      .setProtectedHeader({ ...signing.header, ...forgery?.header })
      .sign(forgery?.key ?? signing.key)
  }

  const app = new Hono()
  app.use(async (c, next) => {
    requests.push(`${c.req.method} ${c.req.path}`)
    if (failing !== null) return c.json({ message: 'unhealthy' }, failing as 500)
    return next()
  })
  app.get('/auth/v1/.well-known/jwks.json', (c) => {
    c.header('Cache-Control', 'public, max-age=600')
    return c.json({ keys: published })
  })
  app.get('/auth/v1/authorize', (c) => {
    const {
      provider,
      redirect_to: to = '',
      code_challenge: challenge = '',
      code_challenge_method: method,
    } = c.req.query()
    if (provider !== 'google') {
      return c.json(
        httpError(400, 'validation_failed', `Unsupported provider: Provider ${provider} could not be found`),
        400,
      )
    }
    if (challenge === '' || method?.toLowerCase() !== 's256' || !/^[a-zA-Z._~0-9-]{43,128}$/.test(challenge)) {
      return c.json(
        httpError(400, 'validation_failed', 'PKCE flow requires code_challenge_method and code_challenge'),
        400,
      )
    }
    const state = randomUUID()
    flows.set(state, { challenge, redirectTo: allowed.includes(to) ? to : siteUrl })
    return c.redirect(`${url}/google?${new URLSearchParams({ state }).toString()}`, 302)
  })
  app.get('/google', (c) => c.html(googlePage(c.req.query('state') ?? '')))
  app.post('/google', async (c) => {
    const { state, email, decision } = z.record(z.string(), z.string()).parse(await c.req.parseBody())
    const query = decision === 'cancel' ? { state, error: 'access_denied' } : { state, code: email }
    return c.redirect(`${issuer}/callback?${new URLSearchParams(query as Record<string, string>).toString()}`, 302)
  })
  app.get('/auth/v1/callback', (c) => {
    const { state = '', code: email, error } = c.req.query()
    const flow = flows.get(state)
    if (flow === undefined) {
      return redirectError(c, siteUrl, {
        error: 'invalid_request',
        errorCode: 'bad_oauth_state',
        description: 'OAuth callback with invalid state',
      })
    }
    if (error !== undefined) return redirectError(c, flow.redirectTo, { error, description: 'The user said no' })
    if (refusal !== null) return redirectError(c, flow.redirectTo, refusal)
    const person = people.get(email ?? '') ?? { id: randomUUID(), email: email ?? '' }
    people.set(person.email, person)
    const code = randomUUID()
    flows.delete(state)
    flows.set(code, { ...flow, person })
    return c.redirect(withQuery(flow.redirectTo, { code }), 302)
  })
  app.post('/auth/v1/token', async (c) => {
    if (c.req.header('apikey') !== anonKey) return c.json({ message: 'Invalid API key' }, 401)
    if (c.req.query('grant_type') !== 'pkce') return c.json({ error: 'unsupported_grant_type' }, 400)
    const body = z.object({ auth_code: z.string(), code_verifier: z.string() }).safeParse(await c.req.json())
    if (!body.success) return c.json(httpError(400, 'bad_json', 'Could not parse request body as JSON'), 400)
    const flow = flows.get(body.data.auth_code)
    if (flow?.person === undefined) {
      return c.json(httpError(404, 'flow_state_not_found', 'invalid flow state, no valid flow state found'), 404)
    }
    const { code_verifier: verifier } = body.data
    if (createHash('sha256').update(verifier).digest('base64url') !== flow.challenge) {
      const description = 'code challenge does not match previously saved code verifier'
      return c.json(httpError(400, 'bad_code_verifier', description), 400)
    }
    flows.delete(body.data.auth_code)
    const { person } = flow
    const answer = {
      access_token: await accessToken(person),
      token_type: 'bearer',
      expires_in: EXPIRES_IN,
      expires_at: Math.floor(Date.now() / 1_000) + EXPIRES_IN,
      refresh_token: randomBytes(12).toString('base64url'),
      user: { id: person.id, aud: 'authenticated', role: 'authenticated', email: person.email },
      provider_token: `ya29.${randomBytes(30).toString('base64url')}`,
    }
    for (const token of [answer.access_token, answer.refresh_token, answer.provider_token]) tokens.add(token)
    return c.json(answer)
  })
  const listener = getRequestListener(app.fetch)
  server.answer((request, response) => void listener(request, response))
  return {
    url,
    anonKey,
    env: { SUPABASE_URL: url, SUPABASE_ANON_KEY: anonKey },
    people,
    tokens,
    requests,
    forge: (next) => void (forgery = next),
    rotate,
    legacy() {
      published.length = 0
      signing = { key: randomBytes(40), header: { alg: 'HS256', typ: 'JWT' } }
    },
    fail: (status) => void (failing = status),
    refuse: (reason) => void (refusal = reason),
    close: () => server.close(),
  }
}

/** What it takes over from Google's ID token. */
function metadataOf({ id, email }: GooglePerson): Record<string, unknown> {
  return { email, email_verified: true, full_name: email, name: email, iss: 'https://accounts.google.com', sub: id }
}

/** HTTPError of apierrors.go. */
const httpError = (code: number, errorCode: string, msg: string) => ({ code, error_code: errorCode, msg })

const withQuery = (address: string, added: Record<string, string>): string => {
  const to = new URL(address)
  for (const [name, value] of Object.entries(added)) to.searchParams.set(name, value)
  return to.href
}

/** In the query and in the fragment: redirectErrors of external.go. */
function redirectError(c: Context, address: string, { error, errorCode, description }: Refusal): Response {
  const told = { error, ...(errorCode !== undefined && { error_code: errorCode }), error_description: description }
  const to = new URL(withQuery(address, told))
  to.hash = new URLSearchParams(told).toString()
  return c.redirect(to.href, 302)
}

function googlePage(state: string): string {
  return `<!doctype html><title>Google</title><form method="post" action="/google">
    <input type="hidden" name="state" value="${state}"><input name="email" type="email">
    <button name="decision" value="continue">Continue</button><button name="decision" value="cancel">Cancel</button></form>`
}
