import { requireSameOrigin, type Auth, type BrowserSession } from './auth/index.ts'
import type { Config } from './config.ts'
import type { ApiDeps } from './http/api.ts'
import { AppError, toAppError, type ErrorCode } from './kernel/errors.ts'
import { LIMITS } from './kernel/limits.ts'
import { tokenCaller, type Caller, type OperationInput } from './kernel/operation.ts'
import { SCOPES, type Principal } from './kernel/principal.ts'
import { rateHeaders, tooMany, type Rate, type RateLimiter } from './kernel/rate-limit.ts'
import type { Resources } from './kernel/resource.ts'
import { callerActor, entry } from './modules/audit/entry.ts'

// Who calls, and how often: what stands before every call, whatever it is about.

type Recorder = Pick<Auth, 'recordRefusal'>

const minute = (name: string, limit: number): Rate => ({ name, limit, windowSeconds: 60 })

const sensitive = () => minute('sensitive calls', LIMITS.sensitiveCallsPerMinute)

/** MCP: every call counts, whatever it is. */
export function limitedCalls(limiter: RateLimiter): (principal: Principal) => Promise<AppError | null> {
  return async ({ grantId }) => tooMany(await limiter(minute('calls', LIMITS.callsPerMinute), grantId))
}

/** What a person does on a page that is administration: counted with what they do over REST. */
export function limitedWork(limiter: RateLimiter): (userId: string) => Promise<AppError | null> {
  return async (userId) => tooMany(await limiter(sensitive(), userId))
}

/** REST counts every call with the token's others, and administration and destruction by themselves as well. */
export function admitCalls(limiter: RateLimiter): ApiDeps['admit'] {
  return async ({ grantId, userId }, operation) => {
    const key = grantId ?? userId
    const all = await limiter(minute('calls', LIMITS.callsPerMinute), key)
    const some = operation.sensitive ? await limiter(sensitive(), key) : all
    const [allRefused, someRefused] = [tooMany(all), tooMany(some)]
    return { headers: rateHeaders(allRefused === null ? some : all), refused: allRefused ?? someRefused }
  }
}

/**
 * Who calls REST: by bearer token, or by the browser session, which must then come from our own pages: what another site
 * makes a browser send is neither done nor answered. Whether they have the scope that an operation needs, and what goes on
 * record where they may not.
 */
export function restCalls(
  auth: Auth,
  { publicUrl }: Pick<Config, 'publicUrl'>,
): Pick<ApiDeps, 'callerOf' | 'requireScope' | 'refused'> {
  return {
    refused: restRefusals(auth),
    async callerOf(request) {
      const authorization = request.headers.get('authorization') ?? undefined
      if (authorization !== undefined) {
        const principal = await auth.authenticate(authorization, 'rest')
        if (principal === null) throw new AppError('UNAUTHENTICATED', undefined, { challenge: auth.challenge(true) })
        return tokenCaller(principal)
      }
      const person = await auth.browserUser(request)
      if (person === null) throw new AppError('UNAUTHENTICATED', undefined, { challenge: auth.challenge(false) })
      requireSameOrigin(request, publicUrl)
      return browserCaller(person)
    },
    requireScope: (caller, access) => auth.requireScope(caller, access === 'write' ? 'mcp:write' : 'mcp:read'),
  }
}

/** Puts it into the caller's account log when they may not do something; a workspace is named where they belong to it. */
function recordRefusal(
  { recordRefusal: record }: Recorder,
  caller: Pick<Caller, 'userId' | 'grantId'>,
  { code, operation, workspaceId }: { code: ErrorCode; operation: string; workspaceId: string | null },
): void {
  if (!code.startsWith('FORBIDDEN_')) return
  record(entry(caller.userId, 'access.refused', { code, operation, workspaceId }, callerActor(caller)))
}

function restRefusals(auth: Recorder): ApiDeps['refused'] {
  return (caller, { name: operation }, input, { code }) => {
    const workspaceId = code === 'FORBIDDEN_ROLE' && input !== null ? workspaceIn(input) : null
    recordRefusal(auth, caller, { code, operation, workspaceId })
  }
}

/** A tool call that got into a workspace, to which its caller then belongs. */
interface Entered {
  readonly ws: { readonly workspaceId: string }
}

/** What tools refuse. */
export function toolRefusals(
  auth: Recorder,
): (principal: Principal, tool: string, error: AppError, call: Entered | null) => void {
  return (principal, operation, { code }, call) => {
    recordRefusal(auth, principal, { code, operation, workspaceId: call?.ws.workspaceId ?? null })
  }
}

/** The same resources, with what they refuse on record under the protocol's names. */
export function recordedResources(auth: Recorder, resources: Resources): Resources {
  const recorded = async <T>(principal: Principal, operation: string, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      recordRefusal(auth, principal, { code: toAppError(thrown).code, operation, workspaceId: null })
      throw thrown
    }
  }
  return {
    ...resources,
    list: (principal, cursor) => recorded(principal, 'resources/list', resources.list(principal, cursor)),
    read: (principal, uri) => recorded(principal, 'resources/read', resources.read(principal, uri)),
  }
}

/** In the path, or where an action names it. */
function workspaceIn({ params, body }: OperationInput): string | null {
  const { workspaceId }: { workspaceId?: unknown } = { ...Object(body), ...Object(params) }
  return typeof workspaceId === 'string' ? workspaceId : null
}
type SignedIn = Pick<BrowserSession, 'userId' | 'name' | 'sessionHash'>

/** A signed-in person, who may do all that they may. */
export function browserCaller({ userId, name, sessionHash }: SignedIn): Caller {
  const browser = { via: 'browser', scopes: SCOPES, grantId: null, browserSession: sessionHash } as const
  return { userId, userName: name, ...browser, workspaceId: null }
}
