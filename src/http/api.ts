import { Hono, type Context, type HonoRequest } from 'hono'
import { z } from 'zod'
import { AppError } from '../kernel/errors.ts'
import { invalidInput, parseInput, singleOrList } from '../kernel/input.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Caller, Conditions, Operation, OperationAnswer, OperationInput } from '../kernel/operation.ts'
import { conditionsOf, entityTag, isKnown, versionOf } from './conditions.ts'
import { eventChunks, type EventStreams } from './event-stream.ts'
import { wantsExport, type Exports } from './exports.ts'
import { readJson } from './json-body.ts'
import { allowedMethods, methodNotAllowed } from './problem.ts'
import { requestIdOf } from './request-log.ts'

/** An operation that already has what it runs on. */
export type BoundOperation = Operation<void>

export interface ApiDeps {
  readonly operations: readonly BoundOperation[]
  /** @throws AppError UNAUTHENTICATED, FORBIDDEN_ORIGIN */
  callerOf(request: Request): Promise<Caller>
  /** @throws AppError FORBIDDEN_SCOPE */
  requireScope(caller: Caller, access: 'read' | 'write'): void
  /** The caller was told that they may not do this. */
  refused(caller: Caller, operation: BoundOperation, input: OperationInput | null, error: AppError): void
  /** Counts the call: what every answer to it says of what is left, and RATE_LIMITED where that is nothing. */
  admit(caller: Caller, operation: BoundOperation): Promise<Admission>
  readonly streams: EventStreams
  readonly exports: Exports
}

export interface Admission {
  readonly headers: Readonly<Record<string, string>>
  readonly refused: AppError | null
}

/** What is known of a call before it is answered, or refused. */
interface Env {
  Variables: { rate?: Admission['headers'] }
}

/** REST: every operation at its method and path, all of them in the same way. */
export function createApi(deps: ApiDeps): Hono<Env> {
  const app = new Hono<Env>()
  app.use('/api/*', async (c, next) => {
    await next()
    for (const [name, value] of Object.entries(c.get('rate') ?? {})) c.header(name, value)
  })
  for (const operation of deps.operations) {
    app.on(operation.method, operation.path, (c) => serve(deps, operation, c))
  }
  for (const path of new Set(deps.operations.map((operation) => operation.path))) {
    const methods = deps.operations.filter((operation) => operation.path === path).map(({ method }) => method)
    // RFC 9110 section 9.3.7. It allows no other origin anything: browsers call from our own pages alone.
    app.options(path, () => new Response(null, { status: 204, headers: { Allow: allowedMethods(methods) } }))
    app.all(path, (c) => methodNotAllowed(methods, requestIdOf(c)))
  }
  return app
}

async function serve(deps: ApiDeps, operation: BoundOperation, c: Context<Env>): Promise<Response> {
  const request = c.req.raw
  const caller = await deps.callerOf(request)
  let input: OperationInput | null = null
  try {
    deps.requireScope(caller, operation.access)
    const { headers, refused } = await deps.admit(caller, operation)
    c.set('rate', headers)
    if (refused !== null) throw refused
    if (operation.callers === 'browser' && caller.via !== 'browser') throw new AppError('FORBIDDEN_TOKEN')
    const { confirmToken, ...said } = await read(operation, c)
    input = said.input
    return await answer(deps, operation, c.req, { caller, input, confirmToken })
  } catch (thrown) {
    if (thrown instanceof AppError) deps.refused(caller, operation, input, thrown)
    throw thrown
  }
}

async function answer(
  deps: ApiDeps,
  operation: BoundOperation,
  { raw: request }: HonoRequest,
  { caller, input, confirmToken }: { caller: Caller; input: OperationInput; confirmToken: string | null },
): Promise<Response> {
  const conditions = conditionsOf(request.headers, confirmToken)
  const { follow, exported, versioned, access } = operation
  if (access === 'write' && !versioned) refuseVersion(conditions)
  const call = { caller, input, conditions, pageBytes: LIMITS.restPageBytes }
  const stillThere = async () => deps.requireScope(await deps.callerOf(request), 'read')
  if (follow !== undefined && /\btext\/event-stream\b/iu.test(request.headers.get('accept') ?? '')) {
    const source = await follow(undefined, call, stillThere)
    const chunks = (signal: AbortSignal) => eventChunks(source.follow(signal), signal)
    return deps.streams.open({ ...source, chunks }, 'rest', request)
  }
  if (exported !== undefined && wantsExport(request.headers, formatOf(request))) {
    const name = operation.path.split('/').at(-1) ?? operation.name
    return deps.exports.open(caller.userId, name, allowed(exported(undefined, call), stillThere))
  }
  return respond(request, operation, await operation.run(undefined, call))
}

/** Each part only to whom still may call. */
async function* allowed<T>(parts: AsyncIterable<T>, stillThere: () => Promise<void>): AsyncGenerator<T> {
  for await (const part of parts) {
    await stillThere()
    yield part
  }
}

/** How the answer is to look is no part of what an operation takes. */
function formatOf(request: Request): string | undefined {
  return new URL(request.url).searchParams.get('format') ?? undefined
}

/**
 * What is changed has no ETag, so none can match (RFC 9110 section 13.1.1): done all the same, it would be done over what
 * the caller has not seen.
 *
 * @throws AppError PRECONDITION_FAILED
 */
function refuseVersion({ ifMatch }: Conditions): void {
  if (ifMatch === null || ifMatch.includes('*')) return
  throw new AppError('PRECONDITION_FAILED', 'What this changes has no ETag; leave If-Match out.', {
    details: { current: null },
  })
}

/** What the call says, each part parsed by its schema, and the confirmToken, which is no part of it. */
async function read(
  operation: BoundOperation,
  c: Context,
): Promise<{ input: OperationInput; confirmToken: string | null }> {
  const inHeader = c.req.header('confirm-token') ?? null
  const params = parseInput(operation.params, c.req.param())
  const query = parseInput(operation.query, singleOrList(c.req.queries()))
  if (operation.body === null) return { input: { params, query, body: {} }, confirmToken: inHeader }
  const raw = hasBody(c.req.raw)
    ? await readJson(c.req.raw, { bytes: LIMITS.restBodyBytes, depth: LIMITS.jsonDepth })
    : nothingSaid(operation.body)
  const { said, confirmToken } = operation.confirmed ? withoutToken(raw) : { said: raw, confirmToken: null }
  return { input: { params, query, body: parseInput(operation.body, said) }, confirmToken: confirmToken ?? inHeader }
}

function hasBody(request: Request): boolean {
  return request.body !== null && request.headers.get('content-length') !== '0'
}

/** Without a body no field was said; what is one value as a whole is not there. */
function nothingSaid(body: z.ZodType): object | undefined {
  return body instanceof z.ZodObject ? {} : undefined
}

function withoutToken(raw: unknown): { said: unknown; confirmToken: string | null } {
  if (typeof raw !== 'object' || raw === null || !('confirmToken' in raw)) return { said: raw, confirmToken: null }
  const { confirmToken, ...said } = raw
  if (typeof confirmToken === 'string') return { said, confirmToken }
  throw invalidInput([{ path: 'confirmToken', message: 'must be a string' }])
}

function respond(request: Request, operation: BoundOperation, answer: OperationAnswer): Response {
  const { body, version, createdAt, replayed = false, preview = false } = answer
  const json = JSON.stringify(body)
  const headers = new Headers({ 'Content-Type': 'application/json', 'Cache-Control': 'private, no-cache' })
  if (replayed) headers.set('Idempotent-Replayed', 'true')
  if (preview) return new Response(json, { status: 200, headers })
  if (createdAt !== undefined) headers.set('Location', createdAt)
  const shown = version ?? (operation.method === 'GET' ? versionOf(json) : null)
  if (shown !== null) {
    headers.set('ETag', entityTag(shown))
    if (operation.method === 'GET' && isKnown(request.headers, shown)) {
      headers.delete('Content-Type')
      return new Response(null, { status: 304, headers })
    }
  }
  return new Response(json, { status: createdAt === undefined ? 200 : 201, headers })
}
