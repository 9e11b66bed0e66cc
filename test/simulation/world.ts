/**
 * One workspace in memory: the product's own decisions, composed as the application composes them around its database.
 * What is modelled here is only storage: tables, the journal's order, the lock (one step at a time) and a clock that
 * may step back.
 */
import { genesisHash, formatStateHash, parseStateHash } from '../../src/journal/chain.ts'
import { decideExpected } from '../../src/journal/compare-and-swap.ts'
import { SYSTEM, type Actor, type JournalEvent, type Subject } from '../../src/journal/event.ts'
import type { WorkspaceTx } from '../../src/journal/journal.ts'
import { AppError } from '../../src/kernel/errors.ts'
import type { Confirmations } from '../../src/modules/confirmation.ts'
import type { Log } from '../../src/kernel/log.ts'
import type { Call } from '../../src/modules/call.ts'
import { isLive, needsRenewal, renewed, type Claim, type ClaimEnd } from '../../src/modules/claim/claim.ts'
import { claimExpired, claimFacts, claimReleased } from '../../src/modules/claim/events.ts'
import { eventTypes } from '../../src/modules/index.ts'
import { sessionEnded } from '../../src/modules/session/events.ts'
import type { Session } from '../../src/modules/session/session.ts'
import type { Repo } from '../../src/modules/tenancy/repository.ts'
import { DEFAULT_POLICY } from '../../src/modules/tenancy/tenancy.ts'
import type { Value } from '../../src/modules/values/values.ts'
import {
  advise,
  checkGate,
  moveRun,
  noteRefusal,
  noticeLostClaims,
  type Advice,
} from '../../src/modules/workflow/gate.ts'
import { finishRun } from '../../src/modules/workflow/lifecycle.ts'
import type { Run } from '../../src/modules/workflow/run.ts'

export interface StoredClaim extends Claim {
  readonly endReason: ClaimEnd | null
}

/** Everything that is stored. Never changed in place. */
export interface Tables {
  readonly events: readonly JournalEvent[]
  readonly stateSeq: number
  readonly clockMs: number
  readonly repos: readonly Repo[]
  readonly sessions: ReadonlyMap<string, Session>
  readonly claims: ReadonlyMap<string, StoredClaim>
  readonly runs: ReadonlyMap<string, Run>
  readonly values: ReadonlyMap<string, Value>
}

export const WORKSPACE = 'ws_simulated'
const HASH = genesisHash(WORKSPACE)
const SUBJECTS = new Map(eventTypes.map((type) => [type.name, type]))

export const stateHashAt = (seq: number): string => formatStateHash({ seq, hash: HASH })

export const subjectOf = (event: JournalEvent): Subject => SUBJECTS.get(event.type)?.subject(event.payload) ?? {}

export const liveClaims = (tables: Tables): StoredClaim[] =>
  [...tables.claims.values()].filter(({ endReason }) => endReason === null)

/** The draft of a change, and the transaction that the product's code sees of it. */
export interface Draft {
  tables: Tables
  readonly ws: WorkspaceTx
}

export function emptyTables(repos: readonly Repo[]): Tables {
  return {
    events: [],
    stateSeq: 0,
    clockMs: Date.UTC(2026, 10, 21),
    repos,
    sessions: new Map(),
    claims: new Map(),
    runs: new Map(),
    values: new Map(),
  }
}

/** Takes the lock at a moment of the machine's clock: the workspace's own clock never goes back, and what is due ends. */
export function begin(tables: Tables, machineClockMs: number): Draft {
  const clockMs = Math.max(tables.clockMs, machineClockMs)
  const now = new Date(clockMs)
  const draft: { tables: Tables; ws: WorkspaceTx } = { tables: { ...tables, clockMs }, ws: undefined as never }
  const ws: WorkspaceTx = {
    workspaceId: WORKSPACE,
    // Nothing is read or written but through the tables here.
    tx: undefined as never,
    now,
    get state() {
      return { seq: draft.tables.stateSeq, hash: HASH }
    },
    get stateHash() {
      return stateHashAt(draft.tables.stateSeq)
    },
    recent: () => null,
    get nextSeq() {
      return draft.tables.events.length + 1
    },
    // Nothing comes back from a backup here.
    get nextFence() {
      return draft.tables.events.length + 1
    },
    raiseFences: () => 0,
    subjectOf,
    append(type, payload, actor) {
      const seq = draft.tables.events.length + 1
      const event = { seq, type: type.name, at: now, actor, payload, teamState: type.teamState, hash: HASH }
      const stateSeq = type.teamState ? seq : draft.tables.stateSeq
      draft.tables = { ...draft.tables, events: [...draft.tables.events, event], stateSeq }
      return event
    },
    write: () => undefined,
    writeInSteps: () => undefined,
    atEnd: () => undefined,
    erase: () => undefined,
    dueAt: () => undefined,
    discard: () => undefined,
    flush: () => Promise.resolve(),
  }
  draft.ws = ws
  expireDue(draft)
  return draft
}

function expireDue(draft: Draft): void {
  const { ws } = draft
  for (const claim of liveClaims(draft.tables)) {
    if (isLive(claim, ws.now)) continue
    ws.append(claimExpired, claimFacts(claim, agentIdOf(draft, claim.sessionId)), SYSTEM)
    endClaim(draft, claim, 'expired')
  }
  const idleMs = DEFAULT_POLICY.sessionIdleSeconds * 1000
  for (const session of draft.tables.sessions.values()) {
    if (session.endedAt === null && session.lastSeenAt.getTime() + idleMs <= ws.now.getTime())
      endSession(draft, session, SYSTEM)
  }
}

const agentIdOf = ({ tables }: Draft, sessionId: string): string => tables.sessions.get(sessionId)?.agentId ?? ''

export function endClaim(draft: Draft, claim: StoredClaim, endReason: ClaimEnd): void {
  draft.tables = { ...draft.tables, claims: new Map(draft.tables.claims).set(claim.id, { ...claim, endReason }) }
}

export function endSession(draft: Draft, session: Session, actor: Actor): void {
  const { ws } = draft
  const run = draft.tables.runs.get(session.id)
  if (run !== undefined) finishRun(ws, run, 'session_ended', actor)
  for (const claim of liveClaims(draft.tables)) {
    if (claim.sessionId !== session.id) continue
    ws.append(claimReleased, { ...claimFacts(claim, session.agentId), reason: 'session_ended' }, actor)
    endClaim(draft, claim, 'session_ended')
  }
  ws.append(sessionEnded, { sessionId: session.id, agentId: session.agentId, reason: 'ended_by_admin' }, actor)
  const runs = new Map(draft.tables.runs)
  runs.delete(session.id)
  const sessions = new Map(draft.tables.sessions).set(session.id, { ...session, endedAt: ws.now })
  draft.tables = { ...draft.tables, runs, sessions }
}

export function putSession(draft: Draft, session: Session): void {
  draft.tables = { ...draft.tables, sessions: new Map(draft.tables.sessions).set(session.id, session) }
}

/** What a call came to. */
export interface Outcome {
  readonly tables: Tables
  /** Null for a success. */
  readonly refusal: AppError | null
  readonly advice: Advice
  /** Where the caller stood after the answer; null without a session. */
  readonly call: Call | null
}

export const OUTSIDE: Advice = { phase: 'not_joined', nextRequiredTool: 'join_workspace', nextStep: '' }

/** One tool call of a session, from the lock to the answer: what modules/conduct.ts and kernel/dispatch.ts do around it. */
export function callTool(
  draft: Draft,
  sessionId: string | undefined,
  tool: string,
  input: object,
  handle: (call: Call, draft: Draft) => void,
): Outcome {
  const session = sessionId === undefined ? undefined : draft.tables.sessions.get(sessionId)
  if (session === undefined || session.endedAt !== null) {
    return { tables: draft.tables, refusal: new AppError('NOT_JOINED'), advice: OUTSIDE, call: null }
  }
  const call = openCall(draft, session)
  noticeLostClaims(call)
  const before = { tables: draft.tables, session: call.session, claims: call.claims, run: call.run }
  let refusal: AppError | null = null
  try {
    checkGate(call, tool, input)
    handle(call, draft)
    moveRun(call, tool, before.claims.length)
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown
    refusal = thrown
    const { tables, ...mine } = before
    draft.tables = tables
    Object.assign(call, mine)
    noteRefusal(call, refusal)
  }
  call.claims = call.claims.map((claim) => (needsRenewal(claim, call.ws.now) ? renewed(claim, call.ws.now) : claim))
  call.session = { ...call.session, lastSeenAt: call.ws.now }
  save(draft, call)
  return { tables: draft.tables, refusal, advice: advise(call), call }
}

function openCall(draft: Draft, session: Session): Call {
  const principal = {
    userId: session.userId,
    userName: '',
    grantId: session.grantId,
    clientId: '',
    clientName: '',
    scopes: [],
    workspaceId: null,
  }
  const member = { role: 'owner', workspaceName: '', policy: DEFAULT_POLICY } as const
  const claims = liveClaims(draft.tables).filter(({ sessionId }) => sessionId === session.id)
  const run = draft.tables.runs.get(session.id) ?? null
  // The simulation logs nothing and deletes nothing in bulk.
  const nothing = { log: undefined as unknown as Log, confirmations: undefined as unknown as Confirmations }
  return { principal, ws: draft.ws, member, ...nothing, resumed: true, stored: session, session, claims, run }
}

/** Puts what a call holds of its own into the tables, as the writes that it registered would have. */
function save(draft: Draft, call: Call): void {
  const claims = new Map(draft.tables.claims)
  for (const claim of call.claims) claims.set(claim.id, { ...claim, endReason: null })
  const runs = new Map(draft.tables.runs)
  if (call.run === null) runs.delete(call.session.id)
  else runs.set(call.session.id, call.run)
  const sessions = new Map(draft.tables.sessions).set(call.session.id, call.session)
  draft.tables = { ...draft.tables, claims, runs, sessions }
}

/** Compare-and-swap on team state: what journal/compare-and-swap.ts does around `decideExpected`. */
export function checkExpected(
  { tables, ws }: Draft,
  expected: string,
  touches: (event: JournalEvent) => boolean,
): void {
  if (expected === ws.stateHash) return
  const seq = parseStateHash(expected)?.seq
  if (seq === undefined || seq > tables.stateSeq) throw new AppError('STATE_HASH_UNKNOWN')
  decideExpected(tables.events.slice(seq), { mode: 'scoped', touches })
}
