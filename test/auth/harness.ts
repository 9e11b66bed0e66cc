import { Hono } from 'hono'
import { expect } from 'vitest'
import { type Auth, createAuth, type GuardedFetch } from '../../src/auth/index.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import type { Database } from '../../src/db/client.ts'
import type { RateLimiter } from '../../src/kernel/rate-limit.ts'
import { createRateLimiter } from '../../src/rates/limiter.ts'
import { shareInDatabase } from '../../src/rates/store.ts'
import { CHEAP_ARGON2 } from '../support/app.ts'
import type { Person } from '../support/browser.ts'
import {
  enter,
  type FetchLike,
  formTo,
  newPkce,
  type Pkce,
  postForm,
  registerClient,
  tokensOf,
  type VisitedPage,
  type Visitor,
  visitor,
} from '../support/oauth.ts'

export const CALLBACK = 'http://127.0.0.1:19876/callback'
export const SECRET = 'test secret key with more than thirty-two characters'

export const ADA: Person = { email: 'ada@example.org', name: 'Ada Lovelace', password: 'analytical engine 1843' }
export const BOB: Person = { email: 'bob@example.org', name: 'Bob', password: 'correct horse battery' }

export interface LogLine {
  readonly level: string
  readonly facts: object
  readonly message: string
}

export interface Harness {
  readonly auth: Auth
  readonly config: Config
  readonly publicUrl: string
  readonly fetch: FetchLike
  readonly lines: LogLine[]
  /** Grants whose end was told, in order. */
  readonly revoked: string[]
  /** A browser that nobody is signed in with. */
  browser(): Visitor
  /** A browser with this person signed in. */
  signedIn(person?: Person): Promise<Visitor>
  register(metadata?: object): Promise<string>
  token(fields: Record<string, string>): Promise<Response>
  /** One person's consent, as far as the code. */
  consent(browser: Visitor, clientId: string, overrides?: Record<string, string>): Promise<Consent>
  /** The whole flow, with a new client unless `client_id` names one. */
  login(browser: Visitor, overrides?: Record<string, string>): Promise<Login>
}

export interface Consent {
  readonly page: VisitedPage
  readonly code: string
  readonly location: URL
  readonly pkce: Pkce
}

export interface Login {
  readonly clientId: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly scope: string
  readonly consent: Consent
}

export function createHarness(
  database: Database,
  options: {
    env?: Record<string, string>
    bootstrapCode?: string
    secretKeys?: readonly string[]
    fetchDocument?: GuardedFetch
    /** Hash passwords as the product does, which takes a while. */
    hashesFully?: boolean
  } = {},
): Harness {
  const config = loadConfig({ PUBLIC_URL: 'http://localhost:7300', ...options.env })
  const { publicUrl } = config
  const lines: LogLine[] = []
  const revoked: string[] = []
  const write = (level: string) => (facts: object, message: string) => void lines.push({ level, facts, message })
  const auth = createAuth({
    database,
    config,
    secretKeys: options.secretKeys ?? [SECRET],
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    addressLimiter: addressLimiterOn(database),
    limitedWork: async () => null,
    onAccessEnded: () => undefined,
    onAccessProven: () => undefined,
    people: { list: async () => [], agentsOf: async () => new Map(), agentsBy: async () => [] },
    onGrantRevoked: async (grantId) => void revoked.push(grantId),
    bootstrapCode: options.bootstrapCode,
    fetchDocument: options.fetchDocument,
    argon2: options.hashesFully === true ? undefined : CHEAP_ARGON2,
  })
  const app = new Hono().route('/', auth.routes)
  const fetch: FetchLike = (url, init) => app.request(new URL(url, publicUrl).href, init)
  const token = (fields: Record<string, string>) => postForm(fetch, `${publicUrl}/api/oauth/token`, fields)
  const register = (metadata: object = { client_name: 'Claude Code', redirect_uris: [CALLBACK] }) =>
    registerClient(fetch, publicUrl, metadata)

  const consent: Harness['consent'] = async (browser, clientId, overrides = {}) => {
    const pkce = newPkce()
    const page = await browser.open(
      authorizePath({ client_id: clientId, code_challenge: pkce.challenge, ...overrides }),
    )
    const done = await browser.submit(page, formTo(page, '/oauth/authorize'), {}, 'decision=allow')
    const location = new URL(done.leftTo ?? 'none:')
    return { page, code: location.searchParams.get('code') ?? '', location, pkce }
  }
  return {
    auth,
    config,
    publicUrl,
    fetch,
    lines,
    revoked,
    browser: () => visitor(fetch, publicUrl),
    async signedIn(person = ADA) {
      const browser = visitor(fetch, publicUrl)
      await enter(browser, person)
      return browser
    },
    register,
    token,
    consent,
    async login(browser, overrides = {}) {
      const clientId = overrides['client_id'] ?? (await register())
      const given = await consent(browser, clientId, overrides)
      return { clientId, ...(await tokensOf(await token(redemption(clientId, given)))), consent: given }
    },
  }
}

/** What counts by address, as the product has it. */
export function addressLimiterOn(database: Database): RateLimiter {
  const quiet = () => undefined
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  return createRateLimiter({ take: shareInDatabase(database), log, nowMs: () => performance.now(), waitMs: 20_000 })
}

/** A complete authorization request, with some parameters replaced. */
export function authorizePath(overrides: Record<string, string>): string {
  const query = {
    response_type: 'code',
    redirect_uri: CALLBACK,
    code_challenge_method: 'S256',
    resource: 'http://localhost:7300/api/mcp',
    scope: 'mcp:read mcp:write',
    state: 'the-state',
    ...overrides,
  }
  return `/oauth/authorize?${new URLSearchParams(query).toString()}`
}

export function redemption(clientId: string, consent: Pick<Consent, 'code' | 'pkce'>): Record<string, string> {
  return {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: consent.code,
    code_verifier: consent.pkce.verifier,
    redirect_uri: CALLBACK,
  }
}

export function refreshing(login: Pick<Login, 'clientId' | 'refreshToken'>): Record<string, string> {
  return { grant_type: 'refresh_token', client_id: login.clientId, refresh_token: login.refreshToken }
}

/** Status and body of a JSON answer, to be compared at once. */
export async function answerOf(response: Response | Promise<Response>): Promise<{ status: number; body: unknown }> {
  const answer = await response
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}

/** How an OAuth refusal looks. */
export function refusal(status: number, error: string) {
  return { status, body: { error, error_description: expect.any(String) } }
}
