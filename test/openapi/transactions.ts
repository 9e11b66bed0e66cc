import { randomUUID } from 'node:crypto'
import { ALL_OPERATIONS } from '../../scripts/docs/tables.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import type { Transaction } from './dredd.ts'
import type { Call, Operation, Scene } from './scene.ts'

export const operationOf = ({ origin, request }: Transaction): Operation => {
  const path = origin.resourceName.replace(/\{(\w+)\}/gu, ':$1')
  const found = ALL_OPERATIONS.find((one) => one.path === path && one.method === request.method)
  if (found === undefined) throw new Error(`no operation is ${request.method} ${path}`)
  return found
}

/** Ids in the form of ours, of nothing that there is. */
const UNKNOWN = 'abcdefghijklmnopqrstuv2345'

/** Why a transaction is not run, or null. */
export function skipReason(one: Transaction): string | null {
  const { name, versioned, params, query, body, access, path } = operationOf(one)
  const { statusCode } = one.expected
  const [, mediaType] = one.origin.exampleName.split(' > ')
  if (statusCode === '200' && mediaType === 'application/problem+json') return '`default`, which Dredd takes for a 200'
  if (mediaType === 'text/event-stream') return 'an event stream, which Dredd would read to its end'
  if (statusCode === '429') return '429: would need a server with small limits'
  if (statusCode === '503') return '503: would need the database to be stopped'
  if (statusCode === '409') return '409: a conflict of its own for each operation, in the tests of REST'
  if (statusCode === '412' && !versioned) return '412: the operation takes no If-Match'
  if (statusCode === '400' && body === null && access === 'read' && Object.keys(query.shape).length === 0) {
    return '400: a read whose only input is a path, where nothing is wrong but unknown'
  }
  if (
    statusCode === '404' &&
    Object.keys(params.shape).length === 0 &&
    !['workspaceAction', 'createToken'].includes(name)
  ) {
    return `404: ${path} names nothing`
  }
  return null
}

/** Fills a transaction in so that the server has to answer with its status. */
export async function prepare(scene: Scene, one: Transaction): Promise<void> {
  const operation = operationOf(one)
  const status = Number(one.expected.statusCode)
  const [, mediaType = 'application/json'] = one.origin.exampleName.split(' > ')
  for (const name of absentHeaders(status, mediaType)) delete one.expected.headers[name]
  const made = await scene.call(operation, status)
  const call = status === 404 || status === 410 ? unknown(operation, made) : made
  const accept: Record<string, string> = mediaType === 'application/x-ndjson' ? { accept: mediaType } : {}
  const authorization = call.authorization ?? scene.authorizationFor(operation)
  fill(one, operation, { ...call, headers: { ...authorization, ...accept } })
  if (status < 300 && operation.confirmed) await confirm(scene, one)
  await spoil(scene, one, operation, status)
}

/** What the document names for a status and this answer has not: a header may be absent, to OpenAPI and not to Dredd. */
function absentHeaders(status: number, mediaType: string): string[] {
  return [
    // Of a replay alone.
    'Idempotent-Replayed',
    // An export has no version: it is as long as there is something.
    ...(mediaType === 'application/x-ndjson' ? ['ETag'] : []),
    // What a token's scope refuses is refused before it counts.
    ...(status === 403 ? ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'] : []),
  ]
}

function fill(one: Transaction, { path }: Operation, { ids, query = {}, body, headers = {} }: Call): void {
  const filled = path.replace(/:(\w+)/gu, (_all, name: string) => encodeURIComponent(ids[name] ?? UNKNOWN))
  const asked = new URLSearchParams(query).toString()
  one.fullPath = asked === '' ? filled : `${filled}?${asked}`
  one.request.headers = { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
  one.request.body = body === undefined ? '' : JSON.stringify(body)
}

/** The call, of something that there is not. */
function unknown({ path, method }: Operation, call: Call): Call {
  const names = [...path.matchAll(/:(\w+)/gu)].map(([, name = '']) => name)
  // PUT makes what its last name has nothing of.
  const name = method === 'PUT' ? names[0] : names.at(-1)
  if (name !== undefined)
    return { ...call, ids: { ...call.ids, [name]: name === 'workspaceId' ? `ws_${UNKNOWN}` : UNKNOWN } }
  const bodies: Readonly<Record<string, object>> = {
    '/api/workspaces': { action: 'switch', workspaceId: `ws_${UNKNOWN}` },
    '/api/invites/accept': { secret: 'ork_inv_abcdefghijklmnopqrstuvwxyz234567' },
    '/api/tokens': { name: 'CI', workspaceId: `ws_${UNKNOWN}` },
  }
  return { ...call, body: bodies[path] }
}

/** Asks for the preview, and puts its token into the transaction. */
async function confirm(scene: Scene, one: Transaction): Promise<void> {
  const { preview, confirmToken } = (await send(scene, one)).body ?? {}
  if (preview !== true) return
  if (one.request.body === '') one.request.headers['confirm-token'] = confirmToken
  else one.request.body = JSON.stringify({ ...JSON.parse(one.request.body), confirmToken })
}

const send = (scene: Scene, { request, fullPath }: Transaction) =>
  scene.send(request.method, fullPath, request.headers, request.body === '' ? undefined : request.body)

/** Makes the call wrong in the way that its status tells of. */
async function spoil(scene: Scene, one: Transaction, operation: Operation, status: number): Promise<void> {
  const { request } = one
  const { body, access, callers, query } = operation
  switch (status) {
    case 304:
      request.headers['if-none-match'] = (await send(scene, one)).headers.get('etag') ?? ''
      break
    case 400:
      if (body !== null)
        Object.assign(request, { body: '{', headers: { ...request.headers, 'content-type': 'application/json' } })
      else if (access === 'write') request.headers['idempotency-key'] = 'k'.repeat(1000)
      else one.fullPath = `${one.fullPath}?${Object.keys(query.shape)[0]}=%00`
      break
    case 401:
      request.headers = {}
      break
    case 403:
      request.headers = {
        ...without(request.headers, ['cookie', 'sec-fetch-site']),
        ...(callers === 'browser' || access === 'write' ? scene.reader : scene.writer),
      }
      break
    case 412:
      request.headers['if-match'] = '"no-such-version"'
      break
    case 413:
      request.headers['content-type'] = 'application/json'
      request.body = JSON.stringify({ more: 'x'.repeat(LIMITS.restBodyBytes) })
      break
    case 415:
      request.headers['content-type'] = 'text/plain'
      if (request.body === '') request.body = '{}'
      break
    case 422: {
      const key = randomUUID()
      request.headers['idempotency-key'] = key
      await scene.use(key, request.headers)
      break
    }
  }
}

const without = (headers: Record<string, string>, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))
