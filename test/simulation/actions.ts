/** What agents do at random, and how each step goes through the product's decisions. */
import * as fc from 'fast-check'
import { AppError } from '../../src/kernel/errors.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import type { Call } from '../../src/modules/call.ts'
import {
  decideClaim,
  grantedTtl,
  outsideClaims,
  renewed,
  touchesScope,
  type ClaimMode,
} from '../../src/modules/claim/claim.ts'
import { claimAcquired, claimFacts, claimReleased } from '../../src/modules/claim/events.ts'
import { sessionJoined } from '../../src/modules/session/events.ts'
import {
  actorOf,
  decideJoin,
  STATUSES,
  touchesSession,
  type Session,
  type Status,
} from '../../src/modules/session/session.ts'
import { statePublished } from '../../src/modules/state/events.ts'
import { chooseWorkspace } from '../../src/modules/tenancy/repository.ts'
import { decideWrites, type WriteEntry } from '../../src/modules/values/values.ts'
import { valueDeleted, valueWritten } from '../../src/modules/values/events.ts'
import { INTENT_IDS, INTENTS, type IntentId } from '../../src/modules/workflow/intent.ts'
import { finishRun, startRun } from '../../src/modules/workflow/lifecycle.ts'
import { PATTERNS } from './paths.ts'
import {
  begin,
  callTool,
  checkExpected,
  endClaim,
  endSession,
  liveClaims,
  OUTSIDE,
  putSession,
  stateHashAt,
  WORKSPACE,
  type Draft,
  type Outcome,
  type Tables,
} from './world.ts'

/** How many positions of the journal ago the caller decided; `nonsense`: on one that never was. */
type DecidedOn = number | 'nonsense'

export type Action =
  | { readonly do: 'join'; readonly agent: number; readonly user: number; readonly repo: number }
  | { readonly do: 'intent'; readonly agent: number; readonly intentId: IntentId; readonly chain: readonly IntentId[] }
  | { readonly do: 'read'; readonly agent: number }
  | {
      readonly do: 'claim'
      readonly agent: number
      readonly patterns: readonly number[]
      readonly mode: ClaimMode
      readonly ttlSeconds: number | undefined
      readonly decidedOn: DecidedOn
    }
  | {
      readonly do: 'publish'
      readonly agent: number
      readonly footprint: readonly number[]
      readonly status: Status
      readonly decidedOn: DecidedOn
    }
  /** One of the claims that there ever were, mostly a young one. */
  | { readonly do: 'release'; readonly agent: number; readonly back: number }
  | {
      readonly do: 'write'
      readonly agent: number
      readonly entries: readonly {
        readonly key: number
        readonly isDelete: boolean
        readonly expect: 'anything' | 'current' | 'absent' | 'older'
      }[]
    }
  | { readonly do: 'end'; readonly agent: number }
  | { readonly do: 'pass'; readonly seconds: number }

const AGENTS = 6
const USERS = 2
const agent = fc.nat(AGENTS - 1)
/** Mostly as the person whose agent it is, and from a checkout of a repository that is bound. */
const join = fc
  .record({
    agent,
    isOther: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
    repo: fc.oneof({ weight: 5, arbitrary: fc.nat(1) }, fc.constant(2)),
  })
  .map(({ agent: index, isOther, repo }) => ({
    do: 'join' as const,
    agent: index,
    user: (index + (isOther ? 1 : 0)) % USERS,
    repo,
  }))
const decidedOn = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.nat(12) },
  fc.constant('nonsense' as const),
)
const patterns = fc.uniqueArray(fc.nat(PATTERNS.length - 1), { minLength: 1, maxLength: 3 })
const intentId = fc.oneof({ weight: 5, arbitrary: fc.constant('implement' as const) }, fc.constantFrom(...INTENT_IDS))
const entry = fc.record({
  key: fc.nat(2),
  isDelete: fc.boolean(),
  expect: fc.constantFrom('anything' as const, 'current' as const, 'absent' as const, 'older' as const),
})

export const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: join },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('intent' as const),
      agent,
      intentId,
      chain: fc.array(intentId, { maxLength: 2 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('read' as const), agent }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      agent,
      patterns,
      mode: fc.oneof({ weight: 3, arbitrary: fc.constant('exclusive' as const) }, fc.constant('shared' as const)),
      ttlSeconds: fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 7200 }), fc.constant(undefined)),
      decidedOn,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      agent,
      footprint: fc.uniqueArray(fc.nat(PATTERNS.length - 1), { maxLength: 1 }),
      status: fc.constantFrom(...STATUSES),
      decidedOn,
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('release' as const), agent, back: fc.nat(6) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      agent,
      entries: fc.uniqueArray(entry, { minLength: 1, maxLength: 2, selector: ({ key }) => key }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), agent }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      seconds: fc.oneof(fc.integer({ min: -90, max: 90 }), fc.integer({ min: -900, max: 900 })),
    }),
  },
)

const agentIdOf = (index: number): string => `agent-${index}`
const sessionIdOf = (index: number): string => `ses_${index}`

/** One step of the world at a moment of the machine's clock. Time passing alone is somebody looking at the workspace. */
export function perform(tables: Tables, step: Action, machineClockMs: number): Outcome {
  const draft = begin(tables, machineClockMs)
  switch (step.do) {
    case 'pass':
      return { tables: draft.tables, refusal: null, advice: OUTSIDE, call: null }
    case 'join':
      return joinAs(draft, step)
    case 'end': {
      const session = draft.tables.sessions.get(sessionIdOf(step.agent))
      if (session?.endedAt === null) endSession(draft, session, { kind: 'user', userId: 'admin' })
      return { tables: draft.tables, refusal: null, advice: OUTSIDE, call: null }
    }
    case 'read':
      return callTool(draft, sessionIdOf(step.agent), 'read_team_state', {}, () => undefined)
    case 'intent':
      return callTool(draft, sessionIdOf(step.agent), 'identify_intent', {}, (call) => {
        if (call.run !== null) finishRun(call.ws, call.run, 'superseded', actorOf(call.session))
        startRun(call, { intentId: step.intentId, chain: step.chain, targetAgentId: null })
      })
    case 'claim':
      return claim(draft, step)
    case 'publish':
      return publish(draft, step)
    case 'release':
      return release(draft, step)
    case 'write':
    default:
      return write(draft, step)
  }
}

type Step<Kind extends Action['do']> = Extract<Action, { do: Kind }>

/** As modules/entrance.ts: the workspace by repository, then the session by name. */
function joinAs(draft: Draft, { agent: index, user, repo }: Step<'join'>): Outcome {
  const { ws } = draft
  const outside = (refusal: AppError): Outcome => ({ tables: draft.tables, refusal, advice: OUTSIDE, call: null })
  try {
    const membership = {
      workspaceId: WORKSPACE,
      workspaceName: '',
      role: 'owner' as const,
      active: true,
      archived: false,
      repos: draft.tables.repos,
    }
    const target = chooseWorkspace([membership], { canonicalRemote: `host/o/r${repo}`, rootSha: null }, undefined)
    if (target.kind === 'new' || target.repo === null)
      throw new Error('a member of a workspace with repositories joins it')
    const id = sessionIdOf(index)
    const named = draft.tables.sessions.get(id) ?? null
    const userId = `user-${user}`
    const decision = decideJoin({ agentId: agentIdOf(index), userId }, named, '')
    if ((decision.kind === 'resume') !== (named !== null)) throw new Error('a known agentId is resumed, another is not')
    const session: Session = {
      ...(named ?? { joinedAt: ws.now, state: null, alerts: [], agentId: agentIdOf(index), userId }),
      id,
      workspaceId: WORKSPACE,
      grantId: userId,
      toolName: '',
      branch: '',
      headSha: '',
      dirty: false,
      repoId: target.repo.id,
      lastSeenAt: ws.now,
      endedAt: null,
    }
    if (named?.endedAt !== null) {
      const { agentId, toolName, repoId, branch, headSha } = session
      ws.append(
        sessionJoined,
        { sessionId: id, agentId, userId, toolName, repoId, branch, headSha, resumed: false },
        actorOf(session),
      )
    }
    putSession(draft, session)
    return callTool(draft, id, 'join_workspace', {}, () => undefined)
  } catch (thrown) {
    if (thrown instanceof AppError) return outside(thrown)
    throw thrown
  }
}

export function expectedHash({ stateSeq }: Pick<Tables, 'stateSeq'>, on: DecidedOn): string {
  return on === 'nonsense' ? stateHashAt(stateSeq + 7) : stateHashAt(Math.max(0, stateSeq - on))
}

/** As claim_scope in modules/claim/tools.ts. */
function claim(draft: Draft, step: Step<'claim'>): Outcome {
  const expectedStateHash = expectedHash(draft.tables, step.decidedOn)
  return callTool(draft, sessionIdOf(step.agent), 'claim_scope', { expectedStateHash }, (call) => {
    const { ws, session } = call
    const scope = {
      sessionId: session.id,
      repoId: session.repoId,
      patterns: step.patterns.flatMap((n) => PATTERNS[n] ?? []),
      mode: step.mode,
    }
    const ttlSeconds = grantedTtl(step.ttlSeconds, call.member.policy.claimTtlSeconds)
    const decision = decideClaim(scope, call.claims, liveClaims(draft.tables), ws.now)
    if (decision.kind === 'renew') {
      const held = renewed(decision.claim, ws.now, ttlSeconds)
      call.claims = call.claims.map((own) => (own.id === held.id ? held : own))
      return
    }
    if (decision.kind === 'conflict') throw new AppError('SCOPE_CONFLICT')
    checkExpected(draft, expectedStateHash, (event) => touchesScope(event.actor, ws.subjectOf(event), scope))
    if (call.claims.length >= LIMITS.claimsPerSession) throw new AppError('CLAIM_LIMIT')
    const fence = ws.nextSeq
    const lease = { id: `clm_${fence}`, ...scope, fence, reason: '', ttlSeconds, acquiredAt: ws.now, expiresAt: ws.now }
    const granted = renewed(lease, ws.now)
    const facts = { mode: granted.mode, fence, ttlSeconds, expiresAt: granted.expiresAt.toISOString(), reason: '' }
    ws.append(claimAcquired, { ...claimFacts(granted, session.agentId), ...facts }, actorOf(session))
    call.claims = [...call.claims, granted]
  })
}

/** As update_my_state in modules/state/tools.ts. */
function publish(draft: Draft, step: Step<'publish'>): Outcome {
  const expectedStateHash = expectedHash(draft.tables, step.decidedOn)
  return callTool(draft, sessionIdOf(step.agent), 'update_my_state', { expectedStateHash }, (call) => {
    const { ws, session, run } = call
    const footprint = step.footprint.flatMap((n) => PATTERNS[n] ?? [])
    if (footprint.length > 0 && run !== null && !INTENTS[run.intentId].editable)
      throw new AppError('INTENT_DISALLOWS_WRITE')
    if (outsideClaims(footprint, call.claims, ws.now).length > 0) throw new AppError('FOOTPRINT_OUTSIDE_CLAIM')
    checkExpected(draft, expectedStateHash, (event) => touchesSession(event.actor, ws.subjectOf(event), session.id))
    const paths = footprint.map(({ display }) => display)
    const { id: sessionId, agentId, repoId } = session
    const { status } = step
    ws.append(statePublished, { sessionId, agentId, repoId, status, objective: '', paths }, actorOf(session))
    const state = {
      objective: '',
      footprint: paths,
      plan: [],
      notes: '',
      completed: [],
      status,
      publishedAt: ws.now.toISOString(),
    }
    call.session = { ...session, state }
  })
}

/** As release_scope in modules/claim/tools.ts. */
function release(draft: Draft, step: Step<'release'>): Outcome {
  const target = [...draft.tables.claims.values()].at(-1 - step.back)
  return callTool(draft, sessionIdOf(step.agent), 'release_scope', {}, (call, open) => {
    const held = call.claims.find(({ id }) => id === target?.id)
    if (held === undefined) {
      if (target?.sessionId !== call.session.id) throw new AppError('CLAIM_NOT_FOUND')
      if (target.endReason === 'expired') throw new AppError('CLAIM_EXPIRED')
      return
    }
    call.ws.append(
      claimReleased,
      { ...claimFacts(held, call.session.agentId), reason: 'completed' },
      actorOf(call.session),
    )
    endClaim(open, { ...held, endReason: null }, 'released')
    call.claims = call.claims.filter(({ id }) => id !== held.id)
  })
}

/** As write_values in modules/values/tools.ts. */
function write(draft: Draft, step: Step<'write'>): Outcome {
  return callTool(draft, sessionIdOf(step.agent), 'write_values', {}, (call, open) => {
    const current = open.tables.values
    const entries = entriesOf(step, open.tables)
    const bytes = [...current.values()].reduce((total, value) => total + value.bytes, 0)
    for (const change of decideWrites(entries, current, { count: current.size, bytes })) applyChange(call, open, change)
  })
}

/** What the step asks for, in the product's words. */
export function entriesOf(step: Step<'write'>, { values, events }: Pick<Tables, 'values' | 'events'>): WriteEntry[] {
  return step.entries.map(({ key: index, isDelete, expect }) => {
    const key = `k${index}`
    const version = values.get(key)?.version ?? 0
    const expected = { anything: undefined, current: version, absent: 0, older: Math.max(0, version - 1) }[expect]
    return { key, value: isDelete ? null : `value ${events.length}`, expectedVersion: expected }
  })
}

function applyChange({ ws, session }: Call, draft: Draft, change: ReturnType<typeof decideWrites>[number]): void {
  const { key, value } = change.entry
  const values = new Map(draft.tables.values)
  if (change.kind === 'delete') {
    ws.append(valueDeleted, { key }, actorOf(session))
    values.delete(key)
  } else {
    const version = ws.nextSeq
    ws.append(valueWritten, { key, version, bytes: change.bytes, sha256: '' }, actorOf(session))
    values.set(key, { key, value, bytes: change.bytes, version, updatedAt: ws.now, updatedBy: session.agentId })
  }
  draft.tables = { ...draft.tables, values }
}
