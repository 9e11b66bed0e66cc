import { Hono } from 'hono'
import { createAuth, requireSameOrigin, type Auth } from './auth/index.ts'
import type { Config } from './config.ts'
import type { Database } from './db/client.ts'
import { createEventStreams } from './http/event-stream.ts'
import { createMcpRoute } from './http/mcp-route.ts'
import { createOperations } from './http/operations.ts'
import { problemResponse } from './http/problem.ts'
import { requestIdOf, requestLog } from './http/request-log.ts'
import { createRest } from './http/rest.ts'
import { createJournal, type Journal } from './journal/journal.ts'
import { createDispatch, type Dispatch } from './kernel/dispatch.ts'
import { AppError, toAppError } from './kernel/errors.ts'
import { LIMITS, PACE, type Pace } from './kernel/limits.ts'
import type { Log } from './kernel/log.ts'
import { createRateLimiter } from './kernel/rate-limit.ts'
import { createMcpEndpoint } from './mcp/handler.ts'
import { createConduct } from './modules/conduct.ts'
import { createDirectory } from './modules/directory.ts'
import { createEntrance } from './modules/entrance.ts'
import { eventTypes, expire, tools } from './modules/index.ts'
import { createStartPage } from './web/start.tsx'

export interface AppDeps {
  readonly config: Config
  readonly database: Database
  readonly secretKeys: readonly string[]
  readonly log: Log
  readonly version: string
  readonly bootstrapCode?: string
  readonly pace?: Partial<Pace>
}

/** The running product without its process: what main.ts listens with and tests call. */
export interface App {
  readonly http: Hono
  readonly journal: Journal
  readonly dispatch: Dispatch
  readonly auth: Auth
  /** From now on /readyz says no, so that a load balancer sends nobody here any more, and event streams end. */
  drain(): void
  /** Call it when no request is under way. */
  close(): Promise<void>
}

const CALL_RATE = { perMinute: LIMITS.callsPerMinute, maxKeys: LIMITS.countedGrants }

/** The composition root: the only place where everything meets. */
export function createApp(deps: AppDeps): App {
  const { config, database, secretKeys, log, version } = deps
  const pace = { ...PACE, ...deps.pace }
  const journal = createJournal({ database, eventTypes, expire, log, pace })
  const conduct = createConduct(
    createEntrance({ database, journal, log }),
    tools.map((tool) => tool.name),
  )
  const limiter = createRateLimiter(CALL_RATE, () => performance.now())
  const dispatch = createDispatch({ tools, conduct, limiter, log })
  const directory = createDirectory({ database, journal })
  const auth = createAuth({
    database,
    config,
    secretKeys,
    log,
    onGrantRevoked: (grantId) => directory.endSessionsOfGrant(grantId),
    ...(deps.bootstrapCode === undefined ? {} : { bootstrapCode: deps.bootstrapCode }),
  })
  const streams = createEventStreams({ log, pace })
  const mcp = createMcpEndpoint({ tools, dispatch, version, log })
  let draining = false

  /** A person at REST: by bearer token, or by the browser session, which must then come from our own pages to write. */
  async function userOf(request: Request): Promise<string> {
    const authorization = request.headers.get('authorization') ?? undefined
    if (authorization !== undefined) {
      const principal = await auth.authenticate(authorization, 'rest')
      if (principal === null) throw new AppError('UNAUTHENTICATED', undefined, { challenge: auth.challenge(true) })
      return principal.userId
    }
    const person = await auth.browserUser(request)
    if (person === null) throw new AppError('UNAUTHENTICATED', undefined, { challenge: auth.challenge(false) })
    if (request.method !== 'GET' && request.method !== 'HEAD') requireSameOrigin(request, config.publicUrl)
    return person.userId
  }

  const http = new Hono()
  http.use(requestLog(log))
  answerErrors(http, log)
  http.route('/', createOperations({ database, version, ready: () => !draining }))
  http.route(
    '/api/mcp',
    createMcpRoute({
      authenticate: (authorization) => auth.authenticate(authorization, 'mcp'),
      challenge: (tokenSent) => auth.challenge(tokenSent),
      serve: (request, principal, body) => mcp.serve(request, principal, body),
      limiter,
      allowedOrigins: new Set([config.publicUrl]),
    }),
  )
  http.route('/api/workspaces', createRest({ service: directory, userOf, streams }))
  http.route('/', createStartPage({ config, userOf: (request) => auth.browserUser(request), service: directory }))
  http.route('/', auth.routes)

  return {
    http,
    journal,
    dispatch,
    auth,
    drain() {
      draining = true
      streams.drain()
    },
    async close() {
      await mcp.close()
      await journal.close()
    },
  }
}

/** Whatever is thrown, or not found, leaves as problem details with a request id. */
function answerErrors(http: Hono, log: Log): void {
  http.onError((thrown, c) => {
    const requestId = requestIdOf(c)
    const error = toAppError(thrown)
    if (error.code === 'INTERNAL') log.error({ err: thrown }, 'a request failed')
    if (error.code === 'UNAVAILABLE') log.warn({ err: error.cause }, 'the database cannot be reached')
    return problemResponse(error, requestId)
  })
  http.notFound((c) => problemResponse(new AppError('NOT_FOUND'), requestIdOf(c)))
}
