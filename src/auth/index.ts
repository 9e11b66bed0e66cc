/**
 * Who may call: the OAuth 2.1 authorization server, people's own sign-in (embedded accounts and upstreams), and the
 * check of bearer tokens.
 *
 * What always holds: there is one way to a token, a signed-in person pressing Allow on a page that named the client, the
 * address and the rights (consent.tsx → codes.ts → grants/authorization-code.ts), and everything else derives from that
 * grant and ends with it. No secret is stored, only hashes; times are judged by the database's clock, read after the
 * lock. A check of a token on any replica is at most a second behind its revocation.
 */
import { Hono, type MiddlewareHandler } from 'hono'
import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import type { AppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal, Scope } from '../kernel/principal.ts'
import type { RateLimiter } from '../kernel/rate-limit.ts'
import type { OfficeOperation } from '../modules/office.ts'
import { assetRoutes } from '../web/assets.ts'
import { type NewEntry } from '../modules/audit/entry.ts'
import { createAddressLimits, limitedByAddress } from './address-limits.ts'
import { createAccounts } from './accounts.ts'
import { createAdmission } from './admission.ts'
import { createAftermath } from './aftermath.ts'
import { challenge, createBearer, requireScope } from './bearer.ts'
import { type BrowserSession, createBrowserSessions } from './browser-session.ts'
import { createClientDocuments } from './client-documents.ts'
import type { AuthContext, People } from './context.ts'
import { createSealer } from './crypto.ts'
import { endpointRoutes } from './endpoints.ts'
import { createGuardedFetch, type GuardedFetch } from './guarded-fetch.ts'
import { connectionOperations } from './connection-operations.ts'
import { createIdentities } from './identities.ts'
import { AUTH_LIMITS } from './limits.ts'
import { pageRoutes } from './pages.tsx'
import { type Argon2Cost, createPasswords } from './passwords.ts'
import type { Resource } from './resource.ts'
import { tokenOperations } from './token-operations.ts'
import { createSignInThrottle } from './sign-in-throttle.ts'
import { userOfGrant } from './tokens.ts'
import { createFinisher } from './unfinished.ts'
import { createUpstreams } from './upstream/index.ts'
import { createTrips } from './upstream/trips.ts'
import type { Ways } from './ways.ts'

export type { BrowserSession } from './browser-session.ts'
export type { GuardedFetch } from './guarded-fetch.ts'
export type { Argon2Cost } from './passwords.ts'
export type { Resource } from './resource.ts'
export { peerAddress } from './client-address.ts'
export { createSealer } from './crypto.ts'
export { requireSameOrigin } from './same-origin.ts'
export { holdGrant } from './tokens.ts'

export interface Auth {
  /** Operations of REST that are about what acts in a person's name: their tokens and connections. */
  readonly operations: readonly OfficeOperation[]
  /** Every route of this area, to be mounted at `/`. Answers everything below /.well-known. */
  readonly routes: Hono
  /**
   * The caller behind an Authorization header; null when it is missing, malformed, unknown, expired, revoked, or for
   * another resource.
   *
   * @throws AppError UNAVAILABLE when the database is away and nothing recent is known about the token.
   */
  authenticate(authorization: string | undefined, resource: Resource): Promise<Principal | null>
  /** To be called when another replica has ended a token of the person's, or anybody's: it is looked up anew. */
  forget(userId?: string): void
  /** Before pages of other areas that anybody can open: counts them by address. */
  readonly limitedByAddress: MiddlewareHandler
  /** The value of WWW-Authenticate for a 401. */
  challenge(tokenSent: boolean): string
  /** @throws AppError FORBIDDEN_SCOPE, with a challenge, when the caller's token was not granted this. */
  requireScope(caller: { readonly scopes: readonly string[] }, scope: Scope): void
  /** The person that a browser request comes from, by its cookie; null when nobody is signed in. */
  browserUser(request: Request): Promise<BrowserSession | null>
  /** Puts on record, after the answer, that something was refused. */
  recordRefusal(refusal: NewEntry): void
  /**
   * Ends what hangs on grants and tokens that have ended, where whoever ended them could not: to be called when the process
   * starts, and now and then. Rejects with UNAVAILABLE when the database is away.
   *
   * @param stopping leaves the rest for the next time
   */
  finishRevocations(stopping?: AbortSignal): Promise<void>
  /** Puts on record what waits for it. Call it when no request is under way. */
  close(): Promise<void>
}

export interface AuthDeps {
  readonly database: Database
  readonly config: Config
  /** At least one; the first seals, all open. */
  readonly secretKeys: readonly string[]
  readonly log: Log
  /** Of what is counted by address. One of its own, so that a flood of addresses pushes out nothing else. */
  readonly addressLimiter: RateLimiter
  /** Counts administration that a person does on a page; the refusal, or null. */
  readonly limitedWork: (userId: string) => Promise<AppError | null>
  /**
   * Called after the commit that ended a token, a grant or a browser's sign-in of this person's, when it opens nothing
   * here any more.
   */
  readonly onAccessEnded: (userId: string) => void
  /** Called before somebody's right to call is remembered: from then on this replica has to be told of its end. */
  readonly onAccessProven: () => void
  readonly people: People
  /**
   * Called after the commit that ended a grant, at least once; does nothing the second time. A failure is logged, changes
   * nothing about the revocation, and is made good by `finishRevocations`.
   */
  readonly onGrantRevoked: (grantId: string, userId: string) => Promise<void>
  /** What the very first account has to present where PUBLIC_URL is not loopback; main prints it. */
  readonly bootstrapCode?: string | undefined
  /** What hashing a password costs; by default what protects it. */
  readonly argon2?: Argon2Cost | undefined
  /** What client metadata documents are fetched with; by default from the internet and nowhere else. */
  readonly fetchDocument?: GuardedFetch | undefined
}

const DOCUMENT_BOUNDS = { bytes: AUTH_LIMITS.documentBytes, ms: AUTH_LIMITS.documentFetchMs }

export function createAuth(deps: AuthDeps): Auth {
  const { database, config, log, people } = deps
  const bearer = createBearer(database, config, deps.onAccessProven)
  const sessions = createBrowserSessions(database, config)
  const aftermath = createAftermath(database, log)
  const fetchDocument = deps.fetchDocument ?? createGuardedFetch(DOCUMENT_BOUNDS)
  const tokenRevoked = async (grantId: string) => {
    bearer.forget()
    const userId = await database.query((orm) => userOfGrant(orm, grantId))
    if (userId !== null) deps.onAccessEnded(userId)
    return userId
  }
  const context: AuthContext = {
    database,
    config,
    log,
    sessions,
    people,
    aftermath,
    clientDocuments: config.fetchClientDocuments
      ? createClientDocuments(fetchDocument, log, () => performance.now())
      : null,
    consents: createSealer(deps.secretKeys, 'authorization request in the consent form'),
    tokenForms: createSealer(deps.secretKeys, 'personal access token in the form that makes it'),
    countByAddress: createAddressLimits(deps.addressLimiter, config),
    limitedWork: deps.limitedWork,
    tokenRevoked,
    sessionEnded: deps.onAccessEnded,
    async grantRevoked(grantId) {
      try {
        const userId = await tokenRevoked(grantId)
        if (userId !== null) await deps.onGrantRevoked(grantId, userId)
      } catch (thrown) {
        log.error({ err: thrown, grantId }, 'what hangs on a revoked grant could not be ended')
      }
    },
  }
  const routes = new Hono()
  routes.route('/', assetRoutes())
  routes.route('/', endpointRoutes(context, bearer))
  routes.route('/', pageRoutes(context, createWays(deps)))
  return {
    operations: [...tokenOperations(() => context), ...connectionOperations(() => context)],
    routes,
    limitedByAddress: limitedByAddress(context),
    forget: (userId) => bearer.forget(userId),
    authenticate: (authorization, resource) => bearer.authenticate(authorization, resource),
    challenge: (tokenSent) => challenge(config.publicUrl, tokenSent),
    requireScope: (caller, scope) => requireScope(config.publicUrl, caller, scope),
    recordRefusal: (refusal) => aftermath.refused(refusal),
    finishRevocations: createFinisher(database, log, deps.onGrantRevoked),
    close: () => aftermath.settle(),
    browserUser(request) {
      deps.onAccessProven()
      return sessions.find(request)
    },
  }
}

function createWays({ database, config, secretKeys, log, bootstrapCode, argon2 }: AuthDeps): Ways {
  const admission = createAdmission(database, config, bootstrapCode)
  return {
    admission,
    accounts: createAccounts(database, admission, createPasswords(AUTH_LIMITS, argon2)),
    throttle: createSignInThrottle(database, log),
    upstreams: createUpstreams(config),
    trips: createTrips(database, config, createSealer(secretKeys, 'sign-in at an upstream')),
    identities: createIdentities(database, config, admission),
  }
}
