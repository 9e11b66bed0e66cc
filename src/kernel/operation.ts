import type { z } from 'zod'
import type { Example } from './example.ts'
import type { Principal } from './principal.ts'
import type { EventSource } from './stream.ts'

/** Who calls REST: a person, through a token or through the browser that they are signed in with. */
export interface Caller {
  readonly userId: string
  readonly userName: string
  /** `browser`: the person themselves, on one of our own pages. Tokens may never make tokens. */
  readonly via: 'browser' | 'token'
  readonly scopes: readonly string[]
  /** The grant or personal token that it came with; null in a browser. */
  readonly grantId: string | null
  /** Which of the person's signed-in browsers it is; null with a token. */
  readonly browserSession: string | null
  /** The only workspace that the token opens; null for all of the person's. */
  readonly workspaceId: string | null
}

/** Whoever came with this token. */
export function tokenCaller({ userId, userName, scopes, grantId, workspaceId }: Principal): Caller {
  return { userId, userName, via: 'token', scopes, grantId, browserSession: null, workspaceId }
}

/** What HTTP says beside the input. */
export interface Conditions {
  /** Of `If-Match`, unquoted: do it only if the thing still is of one of these versions. `*`: only if there is one. */
  readonly ifMatch: readonly string[] | null
  /** Of `If-None-Match: *`: do it only if there is no such thing yet. */
  readonly ifNew: boolean
  readonly idempotencyKey: string | null
  readonly confirmToken: string | null
  /** Where a stream of events broke off: reconnecting readers add it to the address that they started from. */
  readonly lastEventId: string | null
}

export const NO_CONDITIONS: Conditions = {
  ifMatch: null,
  ifNew: false,
  idempotencyKey: null,
  confirmToken: null,
  lastEventId: null,
}

/** The parts of a call, each parsed by its schema. */
export interface OperationInput<Params = unknown, Query = unknown, Body = unknown> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
}

export interface OperationAnswer {
  readonly body: object
  /** The version of what is shown, for ETag; where there is none it is made of the body. */
  readonly version?: string | null
  /** Something was made, and this is where it is. */
  readonly createdAt?: string
  /** True: this is what the first call with the same Idempotency-Key answered. */
  readonly replayed?: boolean
  /** True: nothing has happened, the answer says what would. */
  readonly preview?: boolean
}

/**
 * An operation of the REST interface is one object, as a tool is: the router, the OpenAPI document, the docs, the limits and
 * the checks of who may what all read it, and none knows it by name.
 *
 * `Office` is what the product gives a handler (modules/office.ts): the kernel does not know it.
 */
export interface Operation<Office = never> {
  /** The OpenAPI operationId: verb and noun. */
  readonly name: string
  /** What it is about: groups the docs. */
  readonly tag: string
  readonly title: string
  /** One or two sentences; what it sets off, what it refuses. */
  readonly description: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below /api, with `:name` where a parameter is. */
  readonly path: string
  /** `read` needs a token's scope mcp:read, `write` mcp:write. */
  readonly access: 'read' | 'write'
  /** Administration and destruction: it counts against the smaller limit as well. */
  readonly sensitive: boolean
  /** `browser`: no token may call it, whatever its scopes. */
  readonly callers: 'anybody' | 'browser'
  /** The permission that the caller's role must have in the workspace of the path; null where there is no workspace. */
  readonly permission: string | null
  /** The first call answers with what would happen and a confirmToken; only a second one with it does it. */
  readonly confirmed: boolean
  /** What it changes has a version of its own, so that If-Match works. */
  readonly versioned: boolean
  /** What a call names may be over, and is then answered as what never was: 410 instead of 404. */
  readonly gone: boolean
  /** Of a success: 201 where something was made. */
  readonly statuses: readonly (200 | 201)[]
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  /** Null: there is no body. */
  readonly body: z.ZodType | null
  readonly output: z.ZodObject
  /** At least one. */
  readonly examples: readonly Example[]
  readonly run: (office: Office, call: OperationCall) => Promise<OperationAnswer>
  /**
   * Where the answer goes on as it happens: what a reader of text/event-stream gets.
   *
   * @param stillThere throws where the caller may not call any more
   */
  readonly follow?: (office: Office, call: OperationCall, stillThere: () => Promise<void>) => Promise<EventSource>
  /** All of it, from where the call says on, in parts: what a reader of NDJSON gets. Throws before the first as `run` does. */
  readonly exported?: (office: Office, call: OperationCall) => AsyncIterable<readonly object[]>
}

/** A call as its operation gets it. */
export interface OperationCall {
  readonly caller: Caller
  readonly conditions: Conditions
  readonly input: OperationInput
  /** How much of a list is shown at a time. */
  readonly pageBytes: number
}
