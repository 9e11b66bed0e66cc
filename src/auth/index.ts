/**
 * Who may call: the OAuth 2.1 authorization server with embedded accounts, and the check of bearer tokens.
 *
 * What always holds: there is one way to a token, a signed-in person pressing Allow on a page that named the client, the
 * address and the rights (consent.tsx → codes.ts → grants/authorization-code.ts), and everything else derives from that
 * grant and ends with it. No secret is stored, only hashes; times are judged by the database's clock, read after the
 * lock. A check of a token on any replica is at most a second behind its revocation.
 */
import { Hono } from 'hono'
import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal } from '../kernel/principal.ts'
import { assetRoutes } from '../web/assets.ts'
import { createAccounts } from './accounts.ts'
import { challenge, createBearer } from './bearer.ts'
import { type BrowserUser, createBrowserSessions } from './browser-session.ts'
import type { AuthContext } from './context.ts'
import { createSealer } from './crypto.ts'
import { endpointRoutes } from './endpoints.ts'
import { pageRoutes } from './pages.tsx'
import type { Resource } from './resource.ts'

export type { BrowserUser } from './browser-session.ts'
export type { Resource } from './resource.ts'
export { requireSameOrigin } from './same-origin.ts'

export interface Auth {
  /** Every route of this area, to be mounted at `/`. Answers everything below /.well-known. */
  readonly routes: Hono
  /**
   * The caller behind an Authorization header; null when it is missing, malformed, unknown, expired, revoked, or for
   * another resource.
   *
   * @throws AppError UNAVAILABLE when the database is away and nothing recent is known about the token.
   */
  authenticate(authorization: string | undefined, resource: Resource): Promise<Principal | null>
  /** The value of WWW-Authenticate for a 401. */
  challenge(tokenSent: boolean): string
  /** The person that a browser request comes from, by its cookie; null when nobody is signed in. */
  browserUser(request: Request): Promise<BrowserUser | null>
}

export interface AuthDeps {
  readonly database: Database
  readonly config: Config
  /** At least one; the first seals, all open. */
  readonly secretKeys: readonly string[]
  readonly log: Log
  /** Called after the commit that ended a grant; a failure is logged and changes nothing about the revocation. */
  readonly onGrantRevoked: (grantId: string) => Promise<void>
  /** What the very first account has to present where PUBLIC_URL is not loopback; main prints it. */
  readonly bootstrapCode?: string | undefined
}

export function createAuth(deps: AuthDeps): Auth {
  const { database, config, log } = deps
  const bearer = createBearer(database, config)
  const sessions = createBrowserSessions(database, config)
  const context: AuthContext = {
    database,
    config,
    log,
    sessions,
    consents: createSealer(deps.secretKeys, 'authorization request in the consent form'),
    forgetTokens: () => bearer.forget(),
    async grantRevoked(grantId) {
      bearer.forget()
      try {
        await deps.onGrantRevoked(grantId)
      } catch (thrown) {
        log.error({ err: thrown, grantId }, 'what hangs on a revoked grant could not be ended')
      }
    },
  }
  const routes = new Hono()
  routes.route('/', assetRoutes())
  routes.route('/', endpointRoutes(context, bearer))
  routes.route('/', pageRoutes(context, createAccounts(database, config, deps.bootstrapCode)))
  return {
    routes,
    authenticate: (authorization, resource) => bearer.authenticate(authorization, resource),
    challenge: (tokenSent) => challenge(config.publicUrl, tokenSent),
    async browserUser(request) {
      const session = await sessions.find(request)
      if (session === null) return null
      const { userId, name, email, csrfToken } = session
      return { userId, name, email, csrfToken }
    },
  }
}
