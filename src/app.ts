import { type Context, Hono } from 'hono'
import {
  admitCalls,
  browserCaller,
  limitedCalls,
  limitedWork,
  recordedResources,
  restCalls,
  toolRefusals,
} from './admission.ts'
import {
  createAuth,
  createSealer,
  holdGrant,
  peerAddress,
  requireSameOrigin,
  type Argon2Cost,
  type Auth,
  type Resource,
} from './auth/index.ts'
import type { Config } from './config.ts'
import type { Database } from './db/client.ts'
import { createHealth } from './health.ts'
import { createApi, type BoundOperation } from './http/api.ts'
import { createDeparture, type Departure } from './http/departure.ts'
import { createDescription } from './http/description.ts'
import { createEventStreams, type EventStreams } from './http/event-stream.ts'
import { createExports } from './http/exports.ts'
import { loopbackHostsOnly } from './http/loopback-host.ts'
import { createMcpRoute, type McpRouteDeps } from './http/mcp-route.ts'
import { createMetricsRoute, isFromLoopback } from './http/metrics-route.ts'
import { openApiDocument } from './http/openapi.ts'
import { createOperations } from './http/operations.ts'
import { problemResponse } from './http/problem.ts'
import { requestIdOf, requestLog } from './http/request-log.ts'
import { requestTrace } from './http/request-trace.ts'
import { requestMetrics, routeTemplates } from './http/request-metrics.ts'
import { createJournal, type Journal } from './journal/journal.ts'
import { createWatches } from './journal/watch.ts'
import { createDispatch, understoodNames, type Dispatch } from './kernel/dispatch.ts'
import { AppError, ERRORS, toAppError } from './kernel/errors.ts'
import { LIMITS, PACE, type Pace } from './kernel/limits.ts'
import type { Log } from './kernel/log.ts'
import type { Metrics } from './kernel/metrics.ts'
import type { RateLimiter } from './kernel/rate-limit.ts'
import { NO_CONDITIONS } from './kernel/operation.ts'
import type { Principal } from './kernel/principal.ts'
import { createMcpEndpoint, type McpEndpoint } from './mcp/handler.ts'
import { createAdministration, type AdministrationDeps } from './modules/administration.ts'
import { createConduct } from './modules/conduct.ts'
import { createConfirmations } from './modules/confirmation.ts'
import { createDirectory, type Directory } from './modules/directory.ts'
import { createEntrance } from './modules/entrance.ts'
import type { Office, OfficeOperation } from './modules/office.ts'
import { eventTypes, expire, operations, resources as offered, tools } from './modules/index.ts'
import { createResources } from './modules/resources.ts'
import { acceptInvite } from './modules/tenancy/invite-operations.ts'
import { PERMISSIONS } from './modules/tenancy/roles.ts'
import { createNodeFetch, type NodeFetch } from './node-fetch.ts'
import { measuredAuthentication, measuredDispatch, measuredLimiter } from './observe/measured.ts'
import { createRegistry, EXPOSITION_TYPE, type Registry } from './observe/registry.ts'
import { createRateLimiter } from './rates/limiter.ts'
import { shareInDatabase } from './rates/store.ts'
import { createRevocations, type Revocations } from './revocations.ts'
import { createDocs } from './web/docs.tsx'
import { createInvitePages } from './web/invite.tsx'
import { baseHeaders } from './web/page-headers.ts'
import { problemPages, wantsPage } from './web/problems.tsx'
import { createStartPage } from './web/start.tsx'

export interface AppDeps {
  readonly config: Config
  readonly database: Database
  readonly secretKeys: readonly string[]
  readonly log: Log
  readonly version: string
  readonly bootstrapCode?: string
  readonly pace?: Partial<Pace>
  /** What `/metrics` tells. */
  readonly metrics?: Registry
  /** The longest that the event loop was late lately, in seconds. */
  readonly eventLoopDelay?: () => number
  /** What hashing a password costs; by default what protects it. */
  readonly argon2?: Argon2Cost
}

/** The running product without its process: what main.ts listens with and tests call. */
export interface App {
  readonly http: Hono
  /** The same for Node's adapter. */
  readonly fetch: NodeFetch
  readonly journal: Journal
  readonly dispatch: Dispatch
  readonly auth: Auth
  /**
   * From now on /readyz says no, so that a load balancer sends nobody here any more, and every answer asks for its
   * connection to be closed, so that who keeps one open goes elsewhere. Everything is still served.
   */
  leave(): void
  /** Leaves, and ends the event streams in order; there are no new ones. */
  drain(): void
  /** Call it when no request is under way. */
  close(): Promise<void>
}

/** The composition root: the only place where everything meets. */
export function createApp(deps: AppDeps): App {
  const { database, secretKeys, log, version, metrics = createRegistry() } = deps
  const pace = { ...PACE, ...deps.pace }
  const journal = createJournal({ database, eventTypes, expire, log, pace, metrics })
  const confirmations = createConfirmations(createSealer(secretKeys, 'confirmation of an operation'))
  const { limiter, addressLimiter } = limitersOf({ database, log, metrics }, pace.countMs)
  const limited = limitedCalls(limiter)
  const directory = createDirectory({ database, journal })
  const streams = createEventStreams({ log, pace, metrics })
  const { auth, revocations } = createIdentity({ deps, metrics, limiter, addressLimiter, streams, directory })
  const conduct = createConduct(createEntrance({ database, journal, holdGrant, log, confirmations }), tools)
  const calls = createDispatch({ tools, conduct, limited, refused: toolRefusals(auth), log })
  const dispatch = measuredDispatch(calls, metrics, understoodNames(tools))
  const all = [...operations, ...auth.operations]
  const watches = createWatches({ journal, log })
  const office = officeOf({ database, journal, watches, confirmations, secretKeys })
  const resources = recordedResources(auth, createResources({ database, office, watches, offered, pace }))
  const mcp = createMcpEndpoint({ tools, dispatch, resources, streams, version, log })
  const departure = createDeparture()
  const served = {
    deps,
    metrics,
    pace,
    journal,
    limiter,
    limited,
    directory,
    streams,
    auth,
    all,
    office,
    mcp,
    departure,
  }
  const http = createRoutes(served)

  return {
    http,
    fetch: createNodeFetch(http, streams),
    journal,
    dispatch,
    auth,
    leave: () => departure.begin(),
    drain() {
      departure.begin()
      streams.drain()
    },
    async close() {
      await mcp.close()
      await auth.close()
      await revocations.close()
      await journal.close()
    },
  }
}

/** Who people and programs are, and what happens everywhere when one of them is nobody any more. */
function createIdentity(parts: {
  deps: AppDeps
  metrics: Registry
  limiter: RateLimiter
  addressLimiter: RateLimiter
  streams: EventStreams
  directory: Directory
}): { auth: Auth; revocations: Revocations } {
  const { deps, metrics, limiter, addressLimiter, streams, directory } = parts
  const { config, database, secretKeys, log } = deps
  const revocations = createRevocations({
    database,
    log,
    ended(userId) {
      auth.forget(userId)
      streams.recheck(userId)
    },
  })
  const auth = createAuth({
    database,
    config,
    secretKeys,
    log,
    addressLimiter,
    limitedWork: limitedWork(limiter),
    onAccessEnded: (userId) => revocations.tell(userId),
    onAccessProven: () => revocations.listen(),
    people: directory,
    onGrantRevoked: (grantId, userId) => directory.endSessionsOfGrant(grantId, userId),
    argon2: deps.argon2,
    ...(deps.bootstrapCode === undefined ? {} : { bootstrapCode: deps.bootstrapCode }),
  })
  const proven = measuredAuthentication<Resource, Principal>((...asked) => auth.authenticate(...asked), metrics)
  return { auth: { ...auth, authenticate: proven }, revocations }
}

interface Served {
  readonly deps: AppDeps
  readonly metrics: Registry
  readonly pace: Pace
  readonly journal: Journal
  readonly limiter: RateLimiter
  readonly limited: McpRouteDeps['limited']
  readonly directory: Directory
  readonly streams: EventStreams
  readonly auth: Auth
  readonly all: readonly OfficeOperation[]
  readonly office: Office
  readonly mcp: McpEndpoint
  readonly departure: Departure
}

/** Everything that answers HTTP, in the order in which it is asked. */
function createRoutes(served: Served): Hono {
  const { deps, metrics, pace, journal, limiter, limited, directory, streams, auth, all, office, mcp, departure } =
    served
  const { config, database, log, version } = deps
  const http = new Hono()
  http.use(departure.tell)
  // Around the log, whose line is then part of the trace.
  http.use(requestTrace())
  http.use(requestLog(log))
  http.use(requestMetrics(metrics))
  http.use(baseHeaders(config.publicUrl))
  answerErrors(http, { log, metrics, publicUrl: config.publicUrl })
  const readiness = createHealth({
    database,
    journal,
    draining: () => departure.hasBegun(),
    eventLoopDelay: deps.eventLoopDelay,
  })
  http.route('/', createOperations({ version, readiness }))
  // After the operations: monitors call them by whatever name the machine has among its neighbours.
  if (config.loopbackOnly) http.use(loopbackHostsOnly())
  http.route('/', metricsRoute(config, metrics))
  http.route('/api/mcp', mcpRoute({ auth, mcp, limited, publicUrl: config.publicUrl }))
  const rest = { ...restCalls(auth, config), admit: admitCalls(limiter), streams, exports: createExports({ pace }) }
  http.route('/', createApi({ ...rest, operations: onOffice(all, office) }))
  http.route('/', descriptions({ operations: all, publicUrl: config.publicUrl, version }))
  http.route('/', openPages({ config, auth, directory, office }))
  http.route('/', auth.routes)
  sayInLabels(metrics, { http, version })
  return http
}

/** One for whoever has shown who they are, one for addresses: a flood of these pushes out nobody. */
function limitersOf(
  { database, log, metrics }: Pick<AppDeps, 'database' | 'log'> & { metrics: Registry },
  waitMs: number,
) {
  const counting = { take: shareInDatabase(database), log, nowMs: () => performance.now(), waitMs }
  return { limiter: measuredLimiter(createRateLimiter(counting), metrics), addressLimiter: createRateLimiter(counting) }
}

function mcpRoute(deps: Pick<McpRouteDeps, 'limited'> & { auth: Auth; mcp: McpEndpoint; publicUrl: string }): Hono {
  const { auth, mcp, limited, publicUrl } = deps
  return createMcpRoute({
    authenticate: (authorization) => auth.authenticate(authorization, 'mcp'),
    challenge: (tokenSent) => auth.challenge(tokenSent),
    serve: (...call) => mcp.serve(...call),
    limited,
    allowedOrigins: new Set([publicUrl]),
  })
}

/** What labels of the figures can say because it is here. */
function sayInLabels(metrics: Registry, { http, version }: { http: Hono; version: string }): void {
  metrics.allow('route', routeTemplates(http.routes))
  metrics.allow('tool', understoodNames(tools))
  const events = eventTypes.map(({ name }) => name)
  metrics.allow('event', events)
  metrics.allow('version', [version])
  metrics.allow('node', [process.version])
}

function metricsRoute(config: Config, metrics: Registry): Hono {
  const local = (c: Context) => isFromLoopback(peerAddress(c.env), (name) => c.req.header(name))
  return createMetricsRoute({
    render: () => metrics.render(),
    contentType: EXPOSITION_TYPE,
    token: config.metricsToken,
    local: (c) => config.loopbackOnly && local(c),
  })
}

/** What can be called here, for machines and for people. */
function descriptions(of: { operations: readonly OfficeOperation[]; publicUrl: string; version: string }): Hono {
  const document = openApiDocument(of.operations, of)
  const docs = createDocs({ ...of, document, tools, errors: ERRORS, permissions: PERMISSIONS })
  return new Hono().route('/', createDescription(document)).route('/', docs)
}

function officeOf(deps: Omit<AdministrationDeps, 'answers'> & Pick<AppDeps, 'secretKeys'>): Office {
  return createAdministration({ ...deps, answers: createSealer(deps.secretKeys, 'answer to a repeatable call') })
}

/** Every operation, with what it runs on. */
function onOffice(all: readonly OfficeOperation[], office: Office): BoundOperation[] {
  return all.map(({ run, follow, exported, ...described }) => ({
    ...described,
    run: (_nothing, call) => run(office, call),
    ...(follow === undefined ? {} : { follow: (_nothing, call, stillThere) => follow(office, call, stillThere) }),
    ...(exported === undefined ? {} : { exported: (_nothing, call) => exported(office, call) }),
  }))
}

interface OpenPagesDeps {
  readonly config: Config
  readonly auth: Auth
  readonly directory: Directory
  readonly office: Office
}

/** Pages that anybody can open, besides those of auth, which counts its own. */
function openPages(deps: OpenPagesDeps): Hono {
  const { config, auth, directory } = deps
  const pages = new Hono()
  for (const path of ['/', '/invite/*']) pages.use(path, auth.limitedByAddress)
  pages.route('/', invitePages(deps))
  return pages.route(
    '/',
    createStartPage({ config, userOf: (request) => auth.browserUser(request), service: directory }),
  )
}

/** What people do on pages that operations do as well: the same code, called as the browser's person. */
function invitePages({ config, auth, directory, office }: OpenPagesDeps): Hono {
  return createInvitePages({
    config,
    userOf: (request) => auth.browserUser(request),
    describe: (secret, person) => directory.invitation(secret, person),
    requireOwnForm: (request) => requireSameOrigin(request, config.publicUrl),
    async accept(person, secret) {
      const input = { params: {}, query: {}, body: { secret } }
      try {
        await acceptInvite.run(office, {
          caller: browserCaller(person),
          conditions: NO_CONDITIONS,
          input,
          pageBytes: LIMITS.restPageBytes,
        })
        return null
      } catch (thrown) {
        const { code, message } = toAppError(thrown)
        if (code === 'INTERNAL' || code === 'UNAVAILABLE') throw thrown
        return message
      }
    },
  })
}

/** Whatever is thrown, or not found, leaves as problem details, or for people as a page, with a request id. */
function answerErrors(http: Hono, deps: { log: Log; metrics: Metrics; publicUrl: string }): void {
  const { log, metrics, publicUrl } = deps
  const page = problemPages(publicUrl)
  const answer = (c: Context, error: AppError) => {
    metrics.count('orkestrate_problems_total', { code: error.code })
    return wantsPage(c.req.raw) ? page(c, error) : problemResponse(error, requestIdOf(c))
  }
  http.onError((thrown, c) => {
    const error = toAppError(thrown)
    if (error.code === 'INTERNAL') log.error({ err: thrown }, 'a request failed')
    if (error.code === 'UNAVAILABLE') log.warn({ err: error.cause }, 'the database cannot be reached')
    return answer(c, error)
  })
  http.notFound((c) => answer(c, new AppError('NOT_FOUND')))
}
