import type { z } from 'zod'
import { takeWithin } from './bounds.ts'
import { AppError, toAppError, type ErrorDetails } from './errors.ts'
import { newId } from './ids.ts'
import { LIMITS } from './limits.ts'
import type { Log } from './log.ts'
import { nearest } from './nearest.ts'
import type { Principal, Scope } from './principal.ts'
import { currentRequestId } from './request-context.ts'
import { isStorable } from './text.ts'
import type { Tool } from './tool.ts'

/** What every answer says beside its payload. */
export interface Situation {
  readonly phase: string
  readonly nextRequiredTool: string | null
  readonly nextStep: string
  readonly allowedTools: readonly string[]
  readonly stateHash: string | null
  readonly alerts: readonly object[]
}

/** A success: the payload's fields, and where the caller stands. */
export interface Success extends Omit<Situation, 'allowedTools'> {
  readonly ok: true
  readonly [field: string]: unknown
}

/** A refusal: nothing was changed, and this is what to do. */
export interface Refusal extends Omit<Situation, 'nextStep'> {
  readonly ok: false
  readonly error: { readonly code: string; readonly message: string; readonly retryable: boolean } & Readonly<
    Record<string, unknown>
  >
  readonly recovery: readonly string[]
}

export type Answer = Success | Refusal

/** There is no such tool: the protocol's own error, not an answer. */
export class UnknownToolError extends Error {
  readonly nearest: string | null
  constructor(name: string, known: readonly string[]) {
    const near = nearest(name, known)
    const hint = near === null ? `The tools are ${known.join(', ')}.` : `Did you mean ${near}?`
    super(`There is no tool ${JSON.stringify(name.slice(0, 64))}. ${hint}`)
    this.name = 'UnknownToolError'
    this.nearest = near
  }
}

export interface ToolRequest<Asking> {
  readonly principal: Principal
  readonly agentId: string | undefined
  /** The tool reads: the call most likely writes nothing. */
  readonly reads: boolean
  /** What the tool asks ahead; null where it asks nothing. */
  readonly ahead: ((asking: Asking) => Promise<unknown>) | null
}

/** What the product gives the dispatcher: the way in, the order of things, and what to say at the end. */
export interface Conduct<Call, Asking = never> {
  /**
   * Opens the caller's workspace and runs `work` in it, for a session or for a join with its parsed input. `known` is what was
   * asked ahead; its refusal is heard by whoever waits for it, or by nobody.
   */
  enter<T>(
    request: ToolRequest<Asking>,
    join: { input: unknown } | null,
    work: (call: Call, known: Promise<unknown>) => Promise<T>,
  ): Promise<T>
  /** Refuses, by throwing, what the caller's role or the workflow does not allow now. */
  admit(call: Call, tool: Tool<Call, Asking>, input: unknown): void
  /** After the handler, or after a refusal whose changes were dropped: moves the run and says where the caller stands. */
  conclude(call: Call, tool: Tool<Call, Asking>, refusal: AppError | null): Situation
  /** Where a caller stands who did not get in. */
  outside(refusal: AppError): Situation
  /** Drops what a handler registered before it refused. */
  discard(call: Call): void
}

/** Old names that are still understood, unlisted. */
const ALIASES: Readonly<Record<string, string>> = { release_claim: 'release_scope' }

/** Every name that a tool can be called by. */
export function understoodNames(tools: readonly { readonly name: string }[]): string[] {
  return [...tools.map(({ name }) => name), ...Object.keys(ALIASES)]
}

export type Dispatch = (principal: Principal, name: string, input: unknown) => Promise<Answer>

/**
 * The one way from a call to its answer: find the tool → parse → enter the workspace → admit → handle → conclude.
 *
 * Refusals are answers. @throws UnknownToolError; AppError UNAVAILABLE, since no answer can be had without the database.
 */
export function createDispatch<Call, Asking>(deps: {
  tools: readonly Tool<Call, Asking>[]
  conduct: Conduct<Call, Asking>
  /** Counts the call; RATE_LIMITED where there were too many. */
  limited: (principal: Principal) => Promise<AppError | null>
  /** Is told of each refusal once it stands, and in which call it was, where the caller got in. */
  refused: (principal: Principal, tool: string, error: AppError, call: Call | null) => void
  log: Log
}): Dispatch {
  const { conduct, log } = deps
  const byName = new Map(deps.tools.map((tool) => [tool.name, tool]))
  const names = [...byName.keys()]

  return async (principal, name, raw) => {
    const tool = byName.get(Object.hasOwn(ALIASES, name) ? (ALIASES[name] ?? name) : name)
    if (tool === undefined) throw new UnknownToolError(name, names)
    const limited = await deps.limited(principal)
    if (limited !== null) return refusal(limited, conduct.outside(limited))
    const parsed = parse(tool, raw)
    const fault = missingScope(principal, tool) ?? (parsed.ok ? null : parsed.fault)
    const input = parsed.ok ? parsed.input : undefined
    try {
      // A join that is refused already has no workspace to enter; any other refusal is told with the caller's phase.
      if (tool.entry === 'join' && fault !== null) throw fault
      const join = tool.entry === 'join' ? { input } : null
      const ahead = fault === null ? aheadOf(tool, input) : null
      const request = { principal, agentId: agentIdOf(raw), reads: tool.access === 'read', ahead }
      const { outcome, situation, call } = await conduct.enter(request, join, async (entered, known) => {
        const result = fault ?? (await attempt(entered, tool, input, known))
        const error = result instanceof AppError ? result : null
        if (error !== null) conduct.discard(entered)
        return { outcome: result, situation: conduct.conclude(entered, tool, error), call: entered }
      })
      if (!(outcome instanceof AppError)) return success(outcome, situation)
      deps.refused(principal, tool.name, outcome, call)
      return refusal(outcome, situation)
    } catch (thrown) {
      const error = toAppError(thrown)
      if (error.code === 'UNAVAILABLE') throw error
      if (error.code !== 'INTERNAL') {
        deps.refused(principal, tool.name, error, null)
        return refusal(error, conduct.outside(error))
      }
      const requestId = currentRequestId() ?? newId('req')
      log.error({ err: thrown, tool: tool.name, requestId }, 'a tool call failed')
      return refusal(new AppError('INTERNAL', undefined, { details: { requestId } }), conduct.outside(error))
    }
  }

  async function attempt(
    call: Call,
    tool: Tool<Call, Asking>,
    input: unknown,
    known: Promise<unknown>,
  ): Promise<object> {
    try {
      conduct.admit(call, tool, input)
      return await tool.handle(call, input, known)
    } catch (thrown) {
      // Refusals are concluded inside the transaction, so that presence and alerts are kept; bugs roll it back.
      if (thrown instanceof AppError && thrown.code !== 'UNAVAILABLE') return thrown
      throw thrown
    }
  }
}

function aheadOf<Call, Asking>(tool: Tool<Call, Asking>, input: unknown): ToolRequest<Asking>['ahead'] {
  const { ahead } = tool
  return ahead === undefined ? null : (asking) => ahead(asking, input)
}

function missingScope(principal: Principal, tool: Pick<Tool, 'access'>): AppError | null {
  const requiredScope: Scope = tool.access === 'read' ? 'mcp:read' : 'mcp:write'
  if (principal.scopes.includes(requiredScope)) return null
  return new AppError('FORBIDDEN_SCOPE', undefined, { details: { requiredScope } })
}

function parse(
  tool: { input: z.ZodObject },
  raw: unknown,
): { ok: true; input: unknown } | { ok: false; fault: AppError } {
  if (!isStorable(raw)) {
    const issues = [{ path: '', message: 'text must be well-formed Unicode without NUL' }]
    return { ok: false, fault: new AppError('INVALID_INPUT', undefined, { details: { issues } }) }
  }
  const parsed = tool.input.safeParse(raw ?? {})
  if (parsed.success) return { ok: true, input: parsed.data }
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }))
  return { ok: false, fault: new AppError('INVALID_INPUT', undefined, { details: { issues } }) }
}

/** Looked at before parsing, so that a faulty call is still answered with its session's phase. */
function agentIdOf(raw: unknown): string | undefined {
  const named = typeof raw === 'object' && raw !== null && 'agentId' in raw ? raw.agentId : undefined
  return typeof named === 'string' ? named : undefined
}

function success(payload: object, situation: Situation): Success {
  const { allowedTools: _allowedTools, ...rest } = situation
  return { ok: true, ...payload, ...rest }
}

function refusal(error: AppError, situation: Situation): Refusal {
  const { nextStep: _nextStep, ...rest } = situation
  const { code, message, retryable, retryAfterMs, details, recovery } = error
  const facts = retryAfterMs === undefined ? details : { retryAfterMs, ...details }
  return { ok: false, error: { code, message, retryable, ...bounded(facts) }, recovery, ...rest }
}

/** Lists cut to what a caller still reads, each with the count of what was left out (`conflictsOmitted` …). */
function bounded(details: ErrorDetails): ErrorDetails {
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(details)) {
    const { shown, rest } = Array.isArray(value)
      ? takeWithin(value, LIMITS.refusalListBytes)
      : { shown: value, rest: 0 }
    result[key] = shown
    if (rest > 0) result[`${key}Omitted`] = rest
  }
  return result
}
