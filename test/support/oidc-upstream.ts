/** An OpenID Connect issuer on loopback: the npm package oidc-provider, with its own pages for signing in and consent. */
import { randomBytes } from 'node:crypto'
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  decodeJwt,
  decodeProtectedHeader,
  type JWTHeaderParameters,
  type JWTPayload,
} from 'jose'
import { type Configuration, Provider } from 'oidc-provider'
import { listenOnLoopback } from './loopback.ts'
import { scriptedBrowser, type Page, type ScriptedBrowser } from './browser.ts'

export interface OidcUpstream {
  readonly issuer: string
  /** OIDC_… for a server that signs people in here. */
  readonly env: Readonly<Record<string, string>>
  /** What the issuer says of a person, by the login that they type; without an entry, an address of their own. */
  readonly people: Map<string, Record<string, unknown>>
  /** Every token that was ever given out. */
  readonly tokens: Set<string>
  /** Changes every ID token from now on; it is signed again, by the issuer's key or by the one returned. */
  tamper(change: Tampering | null): void
  close(): Promise<void>
  open(): Promise<void>
}

export type Tampering = (claims: JWTPayload) => {
  /** Undefined takes a claim away. */
  claims?: Readonly<Record<string, unknown>>
  /** `alg: none` leaves it unsigned, HS256 signs with the client's secret. */
  header?: Partial<JWTHeaderParameters>
  /** With a key that is not the issuer's. */
  forged?: boolean
}

const CLIENT_ID = 'orkestrate'

export async function startOidcUpstream(redirectUris: readonly string[]): Promise<OidcUpstream> {
  const server = await listenOnLoopback()
  const own = await generateKeyPair('RS256', { extractable: true })
  const other = await generateKeyPair('RS256', { extractable: true })
  const clientSecret = randomBytes(24).toString('base64url')
  const people: OidcUpstream['people'] = new Map()
  const tokens: OidcUpstream['tokens'] = new Set()
  let tampering: Tampering | null = null

  const configuration: Configuration = {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: clientSecret,
        redirect_uris: [...redirectUris],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
    ttl: {
      AccessToken: 3_600,
      AuthorizationCode: 60,
      Grant: 3_600,
      IdToken: 3_600,
      Interaction: 3_600,
      Session: 3_600,
    },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    jwks: { keys: [{ ...(await exportJWK(own.privateKey)), kid: 'own', alg: 'RS256', use: 'sig' }] },
    findAccount: (_context, login) => ({
      accountId: login,
      claims: () => ({ sub: login, email: `${login}@upstream.example`, email_verified: true, ...people.get(login) }),
    }),
  }
  const provider = quietly(() => new Provider(server.origin, configuration))
  provider.use(async (context, next) => {
    await next()
    const body: unknown = context.body
    if (context.path !== '/token' || typeof body !== 'object' || body === null || !('id_token' in body)) return
    if (tampering !== null) body.id_token = await retell(String(body.id_token), tampering)
    for (const token of Object.values(body)) if (typeof token === 'string' && token.length > 20) tokens.add(token)
  })
  const retell = async (idToken: string, change: Tampering): Promise<string> => {
    const { claims = decodeJwt(idToken), header = {}, forged = false } = change(decodeJwt(idToken))
    if (header.alg === 'none') return new UnsecuredJWT(claims).encode()
    const signer = new SignJWT(claims).setProtectedHeader({ ...signedHeader(idToken), ...header })
    return header.alg === 'HS256'
      ? signer.sign(new TextEncoder().encode(clientSecret))
      : signer.sign(forged ? other.privateKey : own.privateKey)
  }
  const callback = provider.callback()
  server.answer((request, response) => void callback(request, response))
  return {
    issuer: server.origin,
    env: { OIDC_ISSUER: server.origin, OIDC_CLIENT_ID: CLIENT_ID, OIDC_CLIENT_SECRET: clientSecret },
    people,
    tokens,
    tamper(change) {
      tampering = change
    },
    close: () => server.close(),
    open: () => server.open(),
  }
}

function signedHeader(token: string): JWTHeaderParameters {
  return { ...decodeProtectedHeader(token), alg: 'RS256' }
}

/** It warns about its development pages, which are what we want, and about Node 20, on which it works. */
function quietly<T>(work: () => T): T {
  const { info, warn } = console
  Object.assign(console, { info: () => undefined, warn: () => undefined })
  try {
    return work()
  } finally {
    Object.assign(console, { info, warn })
  }
}

/** A browser in front of the upstream's pages; its cookies, and so the sign-in there, stay. */
export const upstreamBrowser = (): ScriptedBrowser =>
  scriptedBrowser({ person: { email: 'nobody@example.org', name: 'Nobody', password: 'nothing' } })

/**
 * Goes through the upstream's pages as far as they are shown: signs in, allows (or says no there).
 *
 * @returns the address that the upstream sent the browser back to.
 */
export async function throughUpstream(
  browser: ScriptedBrowser,
  url: string,
  login: string,
  decision: 'allow' | 'abort' = 'allow',
): Promise<string> {
  const { origin } = new URL(url)
  let page = await browser.open(url)
  for (let count = 0; count < 6 && new URL(page.url).origin === origin; count += 1) {
    page = await answerPage(browser, page, login, decision)
  }
  return page.url
}

function answerPage(browser: ScriptedBrowser, page: Page, login: string, decision: 'allow' | 'abort'): Promise<Page> {
  const abort = page.links.find(({ href }) => href.endsWith('/abort'))
  if (decision === 'abort' && abort !== undefined) return browser.follow(abort.href)
  const [form] = page.forms
  if (form === undefined) throw new Error(`nothing to do at ${page.url} (${page.status}): ${page.text.slice(0, 300)}`)
  const asksWho = form.controls.some(({ name }) => name === 'login')
  return browser.submit(form, asksWho ? { login, password: 'any' } : {})
}
