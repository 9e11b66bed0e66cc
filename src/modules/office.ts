import { z } from 'zod'
import type { Database, InWorkspace, OfUser, Scoped, Tx } from '../db/client.ts'
import type { Actor } from '../journal/event.ts'
import type { Journal, WorkspaceTx } from '../journal/journal.ts'
import type { Json } from '../kernel/canonical.ts'
import { AppError } from '../kernel/errors.ts'
import type { Example } from '../kernel/example.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Caller, Operation, OperationAnswer, OperationCall, OperationInput } from '../kernel/operation.ts'
import type { EventSource } from '../kernel/stream.ts'
import type { EndReason } from './session/session.ts'
import type { Permission } from './tenancy/roles.ts'
import type { Member } from './tenancy/tenancy.ts'

/** A workspace as a member reads it. */
export interface WorkspaceView {
  readonly caller: Caller
  readonly member: Member
  readonly workspaceId: string
  readonly orm: Scoped<InWorkspace & OfUser>
  /** The database's clock. */
  readonly now: Date
  /** How much of a list is shown at a time. */
  readonly pageBytes: number
}

/** A workspace as a member changes it: locked, as a tool has it, but without any agent's session. */
export interface WorkspaceChange {
  readonly caller: Caller
  readonly member: Member
  readonly ws: WorkspaceTx<InWorkspace & OfUser>
  readonly actor: Actor
  /** The agents that an operation is about to end, with what they hold: for its effects. */
  agents(which: WhichAgents): Promise<readonly LiveAgent[]>
  /** How many things of which kind the workspace holds. */
  inventory(): Promise<Readonly<Record<string, number>>>
  /** Deletes all of them, for good, with the journal; to be called after the last flush. */
  erase(): Promise<void>
  /** Ends them, and what hangs on them, on record. */
  endAgents(agents: readonly LiveAgent[], reason: EndReason): Promise<void>
}

/** Everybody, or those of a person, or on a repository, or one. */
export interface WhichAgents {
  readonly userId?: string
  readonly repoId?: string
  readonly sessionId?: string
}

/** An agent as people see it who are about to end it. */
export interface LiveAgent {
  readonly sessionId: string
  readonly agentId: string
  readonly user: string
  readonly claims: readonly { readonly claimId: string; readonly paths: readonly string[] }[]
}

/** What a person does outside of any workspace. */
export interface Personal {
  readonly caller: Caller
  readonly database: Database
  readonly journal: Journal
  /** To be called in the transaction that does it: with it goes the answer that a repeated call will get. */
  readonly keep: (tx: Tx, answer: OperationAnswer, now: Date) => Promise<void>
  /**
   * The preview that has to be confirmed first; null where the call confirms it. To be called in the transaction that does
   * it, with `about` locked: all of what the operation is about, so that any change of it spoils the confirmToken.
   *
   * @throws AppError CONFIRM_INVALID, CONFIRM_STALE
   */
  readonly unconfirmed: (shown: { effects: object; about: Json; now: Date }) => Promise<OperationAnswer | null>
}

/** The way from a call to what it is about; modules/administration.ts is the one that there is. */
export interface Office {
  /** @throws AppError WORKSPACE_NOT_FOUND for everybody who is no member, FORBIDDEN_ROLE */
  read(call: OperationCall, what: Reading): Promise<OperationAnswer>
  /** @throws AppError as `read`, and PRECONDITION_FAILED, CONFIRM_STALE, IDEMPOTENCY_MISMATCH */
  change(call: OperationCall, what: Changing): Promise<OperationAnswer>
  /** The journal after a position and on, for as long as the caller may read it. */
  follow(call: OperationCall, what: Following, stillThere: () => Promise<void>): Promise<EventSource>
  /** @throws AppError IDEMPOTENCY_MISMATCH */
  personally(call: OperationCall, what: Acting): Promise<OperationAnswer>
}

export interface Reading {
  readonly workspaceId: string
  readonly permission: Permission
  readonly archivedToo: boolean
  readonly work: (view: WorkspaceView) => Promise<OperationAnswer>
}

export interface Following {
  readonly workspaceId: string
  readonly permission: Permission
  readonly after: number
}

export interface Changing {
  readonly operation: string
  readonly workspaceId: string
  readonly permission: Permission
  readonly archivedToo: boolean
  /** The version of the thing before the change, for If-Match; null where there is no such thing. */
  readonly version: ((change: WorkspaceChange) => Promise<string | null>) | undefined
  /** What it would do, exactly: with it the first call only tells, and a second one confirms. */
  readonly effects: ((change: WorkspaceChange) => Promise<object | null>) | undefined
  readonly work: (change: WorkspaceChange) => Promise<OperationAnswer>
}

export interface Acting {
  readonly operation: string
  readonly work: (personal: Personal) => Promise<OperationAnswer>
}

export type OfficeOperation = Operation<Office>

/** What every operation says of itself; the rest follows from how it is made. */
interface Definition<P, Q, B> extends Pick<
  OfficeOperation,
  'name' | 'tag' | 'title' | 'description' | 'method' | 'path' | 'output'
> {
  readonly sensitive?: true
  readonly gone?: true
  /** Needed where there is a body; otherwise the call by itself is an example of it. */
  readonly examples?: readonly Example[]
  readonly statuses?: OfficeOperation['statuses']
  readonly params: P
  readonly query?: Q
  readonly body?: B
}

type Said<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> = OperationInput<
  z.output<P>,
  z.output<Q>,
  z.output<B>
>

interface InWorkspaceDefinition<P, Q, B> extends Definition<P, Q, B> {
  readonly permission: Permission
  /** Also in a workspace that is archived, which is as good as gone for all the others. */
  readonly archivedToo?: true
}

/** An operation that reads a workspace. */
export function readOperation<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  definition: InWorkspaceDefinition<P, Q, B> & {
    readonly handle: (view: WorkspaceView, input: Said<P, Q, B>) => Promise<OperationAnswer>
  },
): OfficeOperation {
  const { handle, permission, archivedToo = false } = definition
  return {
    ...described(definition, false),
    access: 'read',
    versioned: false,
    permission,
    run: (office, call) => {
      const input = said<P, Q, B>(call)
      const what = { workspaceId: workspaceOf(call), permission, archivedToo }
      return office.read(call, { ...what, work: (view) => handle(view, input) })
    },
  }
}

/** The same read as its events come: for readers of text/event-stream. */
export function followed<P extends z.ZodObject, Q extends z.ZodObject>(
  operation: OfficeOperation,
  after: (input: Said<P, Q, z.ZodObject>, lastEventId: string | null) => number,
): OfficeOperation {
  const { permission } = operation
  if (permission === null) throw new Error('what is followed is a workspace')
  return {
    ...operation,
    follow: (office, call, stillThere) => {
      const input = said<P, Q, z.ZodObject>(call)
      const what = { workspaceId: workspaceOf(call), after: after(input, call.conditions.lastEventId) }
      // What readOperation was given.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return office.follow(call, { ...what, permission: permission as Permission }, stillThere)
    },
  }
}

/**
 * The same read to its end, for readers of NDJSON: page by page, each of them allowed anew, so that an export is never
 * held in memory and ends, broken off, where the right to read ends.
 *
 * @param list the field of an answer that has the entries
 */
export function exportable(operation: OfficeOperation, list: string): OfficeOperation {
  const page = z.object({ nextAfter: z.number(), hasMore: z.boolean() })
  const entries = z.record(z.string(), z.unknown()).transform((body) => z.array(z.custom<object>()).parse(body[list]))
  return {
    ...operation,
    async *exported(office, call) {
      const { input } = call
      const whole = { ...Object(input.query), limit: LIMITS.eventsPerPage }
      const read = async (from: { after?: number }) =>
        (await operation.run(office, { ...call, input: { ...input, query: { ...whole, ...from } } })).body
      for (let body = await read({}); ;) {
        yield entries.parse(body)
        const { nextAfter: after, hasMore } = page.parse(body)
        if (!hasMore) return
        body = await read({ after })
      }
    },
  }
}

/** An operation that changes a workspace, under its lock and on record. */
export function changeOperation<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  definition: InWorkspaceDefinition<P, Q, B> & {
    /** The version of what is changed: `null` where there is nothing yet. Makes If-Match work. */
    readonly version?: (change: WorkspaceChange, input: Said<P, Q, B>) => Promise<string | null>
    /** What it would do, exactly; null where it is small enough to be done at once. Makes it a confirmed operation. */
    readonly effects?: (change: WorkspaceChange, input: Said<P, Q, B>) => Promise<object | null>
    readonly handle: (change: WorkspaceChange, input: Said<P, Q, B>) => Promise<OperationAnswer>
  },
): OfficeOperation {
  const { handle, version, effects, permission, name, archivedToo = false } = definition
  return {
    ...described(definition, effects !== undefined),
    access: 'write',
    versioned: version !== undefined,
    permission,
    run: (office, call) => {
      const input = said<P, Q, B>(call)
      return office.change(call, {
        operation: name,
        workspaceId: workspaceOf(call),
        permission,
        archivedToo,
        version: version === undefined ? undefined : (change) => version(change, input),
        effects: effects === undefined ? undefined : (change) => effects(change, input),
        work: (change) => handle(change, input),
      })
    },
  }
}

/** An operation of a person outside of any workspace. */
export function personalOperation<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  definition: Definition<P, Q, B> &
    Pick<OfficeOperation, 'access'> & {
      readonly callers?: 'browser'
      /** Its handler asks `personal.unconfirmed` first. */
      readonly confirmed?: true
      readonly handle: (personal: Personal, input: Said<P, Q, B>) => Promise<OperationAnswer>
    },
): OfficeOperation {
  const { handle, access, callers = 'anybody', confirmed = false, name } = definition
  return {
    ...described(definition, confirmed),
    access,
    callers,
    versioned: false,
    permission: null,
    run: (office, call) => {
      const input = said<P, Q, B>(call)
      return office.personally(call, { operation: name, work: (personal) => handle(personal, input) })
    },
  }
}

function described<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  d: Definition<P, Q, B>,
  confirmed: boolean,
) {
  const { name, tag, title, description, method, path, output, params, sensitive = false, gone = false } = d
  const statuses: OfficeOperation['statuses'] = d.statuses ?? [200]
  return {
    name,
    tag,
    title,
    description,
    method,
    path,
    output,
    params,
    sensitive,
    gone,
    statuses,
    query: d.query ?? z.object({}),
    body: d.body ?? null,
    confirmed,
    examples: d.examples ?? [{ title, previewed: confirmed }],
    callers: 'anybody' as const,
  }
}

/** The router has parsed each part with the operation's own schemas. */
function said<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>({ input }: OperationCall) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return input as Said<P, Q, B>
}

function workspaceOf({ input }: OperationCall): string {
  const { params } = input
  const named =
    typeof params === 'object' && params !== null && 'workspaceId' in params ? params.workspaceId : undefined
  if (typeof named !== 'string') throw new Error('the path of an operation in a workspace must name :workspaceId')
  return named
}

/**
 * For what belongs to the person and to none of their workspaces: a token for one workspace has no part in it.
 *
 * @throws AppError FORBIDDEN_TOKEN
 */
export function requireUnbound({ workspaceId }: Caller): void {
  if (workspaceId !== null) throw new AppError('FORBIDDEN_TOKEN', 'This token opens one workspace only.')
}

/** Agents that will end, as a preview says it: the first of them, and how many there are. */
export function agentEffects(agents: readonly LiveAgent[]) {
  const ended = agents.map(({ agentId, user, claims }) => ({
    agentId,
    user,
    releasedPaths: claims.flatMap(({ paths }) => paths).slice(0, LIMITS.listShown),
    releasedClaims: claims.length,
  }))
  const releasedClaims = agents.reduce((sum, { claims }) => sum + claims.length, 0)
  return { agentsEnded: agents.length, claimsReleased: releasedClaims, agents: ended.slice(0, LIMITS.listShown) }
}
