import { Hono } from 'hono'
import { createAuth, type Auth } from './auth/index.ts'
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
import { PACE, type Pace } from './kernel/limits.ts'
import type { Log } from './kernel/log.ts'
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

/** The composition root: the only place where everything meets. */
export function createApp(deps: AppDeps): App {
  const { config, database, secretKeys, log, version } = deps
  const pace = { ...PACE, ...deps.pace }
  const journal = createJournal({ database, eventTypes, expire, log, pace })
  const conduct = createConduct(createEntrance({ database, journal, log }))
  const dispatch = createDispatch({ tools, conduct, log })
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

  async function userOf(request: Request): Promise<string> {
    const principal = await auth.authenticate(request.headers.get('authorization') ?? undefined, 'rest')
    if (principal === null) throw new AppError('UNAUTHENTICATED')
    return principal.userId
  }

  const http = new Hono()
  http.use(requestLog(log))
  http.onError((thrown, c) => {
    const requestId = requestIdOf(c)
    const error = toAppError(thrown)
    if (error.code === 'INTERNAL') log.error({ err: thrown, requestId }, 'a request failed')
    if (error.code === 'UNAVAILABLE') log.warn({ err: error.cause, requestId }, 'the database cannot be reached')
    const challenge = error.code === 'UNAUTHENTICATED' ? { 'WWW-Authenticate': auth.challenge(false) } : {}
    return problemResponse(error, requestId, challenge)
  })
  http.notFound((c) => problemResponse(new AppError('NOT_FOUND'), requestIdOf(c)))
  http.route('/', createOperations({ database, version, ready: () => !draining }))
  http.route(
    '/api/mcp',
    createMcpRoute({
      authenticate: (authorization) => auth.authenticate(authorization, 'mcp'),
      challenge: (tokenSent) => auth.challenge(tokenSent),
      serve: (request, principal, body) => mcp.serve(request, principal, body),
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
