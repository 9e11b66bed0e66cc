import type { Conduct, Situation } from '../kernel/dispatch.ts'
import { AppError, type ErrorCode } from '../kernel/errors.ts'
import type { Call } from './call.ts'
import { needsRenewal, renewed } from './claim/claim.ts'
import { renewClaims } from './claim/store.ts'
import type { Entrance } from './entrance.ts'
import { saveSession } from './session/store.ts'
import { JoinInput } from './session/tools.ts'
import { advise, checkGate, moveRun, noteRefusal, noticeLostClaims } from './workflow/gate.ts'
import { isAllowed } from './workflow/machine.ts'

/** Where a caller stands who has no session, or whose join was refused. */
const NOT_JOINED: Situation = {
  phase: 'not_joined',
  nextRequiredTool: 'join_workspace',
  nextStep: 'Call join_workspace with the git context of your checkout.',
  allowedTools: ['join_workspace'],
  stateHash: null,
  alerts: [],
}

/** Refusals that say nothing about the caller's session: to join again would be wrong, the recovery is all there is. */
const UNKNOWN: Situation = { ...NOT_JOINED, phase: 'unknown', nextRequiredTool: null, nextStep: 'See recovery.' }

const SAYS_NOTHING: ReadonlySet<ErrorCode> = new Set(['AGENT_AMBIGUOUS', 'RATE_LIMITED', 'INTERNAL'])

/** How calls are conducted in this product: membership and workflow before the handler, presence and advice after it. */
export function createConduct(entrance: Entrance, toolNames: readonly string[]): Conduct<Call> {
  /** Claims at the start of the call, to see what the handler did. */
  const before = new WeakMap<Call, Pick<Call, 'session' | 'claims' | 'run'>>()

  return {
    enter: (request, join, work) => {
      const begin = (call: Call) => {
        noticeLostClaims(call)
        before.set(call, { session: call.session, claims: call.claims, run: call.run })
        return work(call)
      }
      if (join === null) return entrance.bySession(request.principal, request.agentId, begin)
      return entrance.byJoin(request.principal, JoinInput.parse(join.input), begin)
    },

    admit(call, tool, input) {
      if (tool.access === 'write' && call.member.role === 'viewer') throw new AppError('FORBIDDEN_ROLE')
      checkGate(call, tool.name, input)
    },

    conclude(call, tool, refusal) {
      if (refusal === null) moveRun(call, tool.name, before.get(call)?.claims.length ?? 0)
      else noteRefusal(call, refusal)
      renewLeases(call)
      tellAlerts(call)
      return {
        ...advise(call),
        allowedTools: toolNames.filter((name) => isAllowed(call.run, name)),
        stateHash: call.ws.stateHash,
        alerts: call.session.alerts.map(({ told: _told, ...alert }) => alert),
      }
    },

    outside(refusal) {
      return SAYS_NOTHING.has(refusal.code) ? { ...UNKNOWN, allowedTools: toolNames } : NOT_JOINED
    },

    discard(call) {
      call.ws.discard()
      Object.assign(call, before.get(call))
    },
  }
}

/** Every call keeps its session's leases alive. */
function renewLeases(call: Call): void {
  const { ws } = call
  const due = call.claims.filter((claim) => needsRenewal(claim, ws.now)).map((claim) => renewed(claim, ws.now))
  if (due.length === 0) return
  const byId = new Map(due.map((claim) => [claim.id, claim]))
  call.claims = call.claims.map((claim) => byId.get(claim.id) ?? claim)
  ws.write((tx) => renewClaims(tx, ws.workspaceId, due))
}

/** Every call is a sign of life, and its answer tells all alerts; the next call acknowledges them. */
function tellAlerts(call: Call): void {
  const { ws, session } = call
  const seen = {
    ...session,
    lastSeenAt: ws.now,
    alerts: session.alerts.map((alert) => ({ ...alert, told: true as const })),
  }
  ws.write((tx) => saveSession(tx, seen))
}
