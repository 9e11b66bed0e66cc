import { ERRORS } from '../kernel/errors.ts'
import type { Operation } from '../kernel/operation.ts'

// What the OpenAPI document says of every operation in the same words.

type Json = Record<string, unknown>
type Described = Pick<
  Operation,
  'params' | 'query' | 'body' | 'method' | 'access' | 'versioned' | 'permission' | 'gone'
>

const text = (description: string): Json => ({ description, schema: { type: 'string' } })
const number = (description: string): Json => ({ description, schema: { type: 'integer', minimum: 0 } })

const RATE = {
  'RateLimit-Limit': number('Calls that may be made in a minute.'),
  'RateLimit-Remaining': number('Calls that are left until RateLimit-Reset.'),
  'RateLimit-Reset': number('Seconds until all of them may be made again.'),
}

/** The headers of a success. */
export function successHeaders({ method, versioned, access }: Described, status: number): Json {
  return {
    ...(method === 'GET' || (versioned && method !== 'DELETE') ? { ETag: text('The version of what is shown.') } : {}),
    ...(status === 201 ? { Location: text('Where what was made is.') } : {}),
    ...(access === 'write' ? { 'Idempotent-Replayed': text('`true`: this is what the first call was answered.') } : {}),
    ...RATE,
  }
}

const problem = (description: string, headers: Json = RATE): Json => ({
  description,
  headers,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})

const RETRY = { ...RATE, 'Retry-After': number('Seconds to wait before the call is made again.') }

/** What can be answered instead of a success; each by its status, and Problem for all others. */
export const REFUSALS: Json = {
  400: problem('The input does not fit; `issues` lists what is wrong.'),
  401: problem('No valid token or session.', { 'WWW-Authenticate': text('Where to sign in (RFC 9728).') }),
  403: problem('The scope of the token, or the role in the workspace, does not allow this.'),
  404: problem('There is no such thing, or the caller may not see it.'),
  409: problem('The state of things does not allow this; the code says why.'),
  410: problem('What is named is over, or never was.'),
  412: problem('The thing has another version than the call expects; `current` is its version.'),
  413: problem('The body is too large.'),
  415: problem('The body is not application/json.'),
  422: problem('The Idempotency-Key was used for another call.'),
  429: problem('Too many calls.', RETRY),
  503: problem('The service cannot reach its database just now.', RETRY),
  Problem: problem('What went wrong, and what to do.', {}),
}

/** The refusals that an operation can answer with. */
export function refusalsOf({ params, query, body, access, permission, gone }: Described): Json {
  const takesInput = [params, query].some((schema) => Object.keys(schema.shape).length > 0) || body !== null
  const namesThings = permission !== null || Object.keys(params.shape).length > 0 || body !== null
  const isWrite = access === 'write'
  const can: readonly (readonly [number, boolean])[] = [
    [400, takesInput || isWrite],
    [401, true],
    [403, true],
    [404, namesThings && !gone],
    [409, isWrite],
    [410, gone],
    [412, isWrite],
    [413, body !== null],
    [415, body !== null],
    [422, isWrite],
    [429, true],
    [503, true],
  ]
  const statuses = can.flatMap(([status, so]) => (so ? [status] : []))
  return {
    ...Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }])),
    default: { $ref: '#/components/responses/Problem' },
  }
}

export const PROBLEM: Json = {
  type: 'object',
  description: 'RFC 9457, with our own members beside the standard ones.',
  properties: {
    type: { type: 'string', description: 'Where the code is explained' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(ERRORS) },
    retryable: { type: 'boolean' },
    recovery: { type: 'array', items: { type: 'string' }, description: 'What to do next' },
    requestId: { type: 'string' },
    issues: {
      type: 'array',
      description: 'Of INVALID_INPUT: everything that is wrong',
      items: {
        type: 'object',
        properties: { path: { type: 'string' }, message: { type: 'string' } },
        required: ['path', 'message'],
      },
    },
  },
  required: ['type', 'title', 'status', 'detail', 'code', 'retryable', 'recovery', 'requestId'],
}

export const PREVIEW: Json = {
  type: 'object',
  description: 'Nothing has happened. `effects` is what would, exactly.',
  properties: {
    preview: { type: 'boolean', enum: [true] },
    effects: { type: 'object' },
    confirmToken: { type: 'string', description: 'Good once, for five minutes, while nothing else happens' },
    expiresAt: { type: 'string', format: 'date-time' },
  },
  required: ['preview', 'effects', 'confirmToken', 'expiresAt'],
}

/** How the answer to a read that can be exported is asked for as one. */
export const FORMAT: Json = {
  name: 'format',
  in: 'query',
  required: false,
  description: '`ndjson`: an export of all of it, one a line, as with `Accept: application/x-ndjson`.',
  schema: { type: 'string', enum: ['json', 'ndjson'], default: 'json' },
}

export const EXPORT: Json = { schema: { type: 'string', description: 'What the list has, one a line; all of it.' } }
