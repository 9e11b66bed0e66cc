import type { Conduct, Situation } from '../kernel/dispatch.ts'
import { takeWithin } from '../kernel/bounds.ts'
import type { AppError, ErrorCode } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Asking, Call } from './call.ts'
import { needsRenewal, nearlyLapsed, renewed } from './claim/claim.ts'
import { renewClaims } from './claim/store.ts'
import { alertFacts } from './claim/view.ts'
import type { Entrance } from './entrance.ts'
import { alert, type Alert } from './session/alert.ts'
import { needsSight } from './session/session.ts'
import { saveSession } from './session/store.ts'
import { JoinInput } from './session/tools.ts'
import { requirePermission } from './tenancy/roles.ts'
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
export function createConduct(entrance: Entrance, tools: readonly { readonly name: string }[]): Conduct<Call, Asking> {
  const toolNames = tools.map((tool) => tool.name)
  /** Claims at the start of the call, to see what the handler did. */
  const before = new WeakMap<Call, Pick<Call, 'session' | 'claims' | 'run'>>()

  return {
    enter: (request, join, work) => {
      const begin = (call: Call, known: Promise<unknown>) => {
        noticeLostClaims(call)
        before.set(call, { session: call.session, claims: call.claims, run: call.run })
        return work(call, known)
      }
      if (join === null) return entrance.bySession(request, begin)
      const nothing = Promise.resolve()
      return entrance.byJoin(request.principal, JoinInput.parse(join.input), (call) => begin(call, nothing))
    },

    admit(call, tool, input) {
      if (tool.access === 'write') requirePermission(call.member.role, 'work')
      checkGate(call, tool.name, input)
    },

    conclude(call, tool, refusal) {
      if (refusal === null) moveRun(call, tool.name, before.get(call)?.claims.length ?? 0)
      else noteRefusal(call, refusal)
      warnOfLapse(call)
      renewLeases(call)
      const alerts = tellAlerts(call)
      return {
        ...advise(call),
        allowedTools: toolNames.filter((name) => isAllowed(call.run, name)),
        stateHash: call.ws.stateHash,
        alerts,
      }
    },

    outside(refusal) {
      if (SAYS_NOTHING.has(refusal.code)) return { ...UNKNOWN, allowedTools: toolNames }
      return { ...NOT_JOINED, alerts: lostSession(refusal) }
    },

    discard(call) {
      call.ws.discard()
      Object.assign(call, before.get(call))
    },
  }
}

/** For a caller whose session is not its own any more: the refusal has no session to keep an alert in. */
function lostSession({ code, details }: AppError): Alert[] {
  const { agentId, reason, since } = details
  if (code !== 'NOT_JOINED' || typeof agentId !== 'string' || typeof since !== 'string') return []
  const lost = reason === 'resumed_elsewhere' ? 'SESSION_TAKEN_OVER' : 'SESSION_ENDED'
  return [alert(lost, new Date(since), { agentId, reason: String(reason) })]
}

/** An agent that pauses too long between its calls learns so before it costs it a claim. */
function warnOfLapse(call: Call): void {
  const { ws, session } = call
  const [next] = call.claims
    .filter((claim) => nearlyLapsed(claim, ws.now))
    .toSorted((a, b) => a.expiresAt.getTime() - b.expiresAt.getTime())
  if (next === undefined) return
  const secondsLeft = Math.floor((next.expiresAt.getTime() - ws.now.getTime()) / 1000)
  const facts = { ...alertFacts(next), secondsLeft, ttlSeconds: next.ttlSeconds }
  call.session = { ...session, alerts: [...session.alerts, alert('CLAIM_NEARLY_LAPSED', ws.now, facts)] }
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

/**
 * Every call is a sign of life, if not one that must be stored each time, and its answer tells the alerts, the oldest first; the next call acknowledges them. What does
 * not fit into an answer waits for the next one.
 */
function tellAlerts(call: Call): Alert[] {
  const { ws, session } = call
  const { shown } = takeWithin(session.alerts, LIMITS.alertBytes)
  const alerts = session.alerts.map((one, index) => (index < shown.length ? { ...one, told: true as const } : one))
  if (session !== call.stored || shown.length > 0 || needsSight(session, ws.now)) {
    ws.write((tx) => saveSession(tx, { ...session, lastSeenAt: ws.now, alerts }))
  }
  return shown
}
