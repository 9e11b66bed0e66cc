import { parseStateHash } from '../../src/journal/chain.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { checkGate } from '../../src/modules/workflow/gate.ts'
import { workflowOf } from '../../src/modules/workflow/machine.ts'
import { entriesOf, expectedHash, type Action } from './actions.ts'
import { fileNamed, filesMatched, PATTERNS } from './paths.ts'
import { liveClaims, subjectOf, type Outcome, type StoredClaim, type Tables } from './world.ts'

/** What a step broke. */
export class Broken extends Error {}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Broken(what)
}

/** Everything that must hold after a step, judged without the product's own overlap, and by comparing before and after. */
export function inspect(before: Tables, step: Action, { tables: after, refusal, advice, call }: Outcome): void {
  noTwoHoldOneFile(after)
  endedStaysEnded(before, after)
  fencesGrow(before, after)
  must(after.clockMs >= before.clockMs, 'the workspace’s clock went back')
  for (const claim of liveClaims(after))
    must(claim.expiresAt.getTime() > after.clockMs, `${claim.id} lives past its lease`)
  for (const run of after.runs.values())
    must(Object.hasOwn(workflowOf(run.intentId), run.phase), `${run.phase} is no phase`)
  sessionsKeepTheirPerson(before, after)
  if (refusal !== null) refusalChangedNothing(before, after)
  if (step.do === 'claim') claimWasRight(before, step, after, refusal)
  if (step.do === 'publish' && refusal === null) publishWasRight(before, step, after)
  if (step.do === 'write') writeWasRight(before, step, after, refusal)
  if (call !== null && advice.nextRequiredTool !== null) {
    const { nextRequiredTool } = advice
    const accepted = () => checkGate(call, nextRequiredTool, { expectedStateHash: call.ws.stateHash })
    must(refusalOf(accepted) === null, `the advised ${nextRequiredTool} would be refused in ${advice.phase}`)
  }
}

function refusalOf(work: () => void): AppError | null {
  try {
    work()
    return null
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown
    throw thrown
  }
}

const rivals = (a: Pick<StoredClaim, 'sessionId' | 'repoId' | 'mode'>, b: StoredClaim): boolean =>
  a.sessionId !== b.sessionId && a.repoId === b.repoId && (a.mode === 'exclusive' || b.mode === 'exclusive')

function noTwoHoldOneFile(tables: Tables): void {
  const live = liveClaims(tables)
  live.forEach((a, index) => {
    for (const b of live.slice(index + 1)) {
      const meet = rivals(a, b) && (filesMatched(a.patterns) & filesMatched(b.patterns)) !== 0n
      must(!meet, `${a.id} and ${b.id} hold the same file`)
    }
  })
}

function endedStaysEnded(before: Tables, after: Tables): void {
  for (const claim of before.claims.values()) {
    if (claim.endReason !== null) must(after.claims.get(claim.id) === claim, `${claim.id} had ended and changed`)
  }
}

function fencesGrow(before: Tables, after: Tables): void {
  const highest = Math.max(0, ...[...before.claims.values()].map(({ fence }) => fence))
  for (const { id, fence } of after.claims.values()) {
    const known = before.claims.get(id)
    must(known === undefined ? fence > highest : fence === known.fence, `${id} has the fence ${fence}`)
  }
}

/** A grant is one person's; here it has the person's name. */
function sessionsKeepTheirPerson(before: Tables, after: Tables): void {
  for (const { id, userId, grantId } of after.sessions.values()) {
    const isTheirs = grantId === userId && (before.sessions.get(id)?.userId ?? userId) === userId
    must(isTheirs, `${id} went to somebody else`)
  }
}

/** Events that time brought about may precede a refusal; the caller's own doing may not. */
function refusalChangedNothing(before: Tables, after: Tables): void {
  const news = after.events.slice(before.events.length)
  must(
    news.every(({ actor }) => actor.kind === 'system'),
    'a refusal is in the journal',
  )
  must(after.values === before.values, 'a refusal changed values')
  must(after.claims.size === before.claims.size, 'a refusal granted a claim')
  for (const [id, { state }] of after.sessions)
    must(state === before.sessions.get(id)?.state, 'a refusal published a state')
}

/** The position that a step was decided on: so many before the last one when its turn came, after what had expired. */
function expectedSeq(
  before: Tables,
  step: Extract<Action, { do: 'claim' | 'publish' }>,
  after: Tables,
  ownSeq: number,
): number {
  const news = after.events.slice(before.events.length)
  const stateSeq = news.findLast(({ teamState, seq }) => teamState && seq < ownSeq)?.seq ?? before.stateSeq
  return parseStateHash(expectedHash({ stateSeq }, step.decidedOn))?.seq ?? 0
}

/** Granted only if the files were free and nobody else had touched them since; refused only if not. */
function claimWasRight(
  before: Tables,
  step: Extract<Action, { do: 'claim' }>,
  after: Tables,
  refusal: AppError | null,
): void {
  const session = after.sessions.get(`ses_${step.agent}`)
  if (session === undefined || session.endedAt !== null) return
  const files = filesMatched(step.patterns.flatMap((n) => PATTERNS[n] ?? []))
  const asked = { sessionId: session.id, repoId: session.repoId, mode: step.mode }
  const isTaken = liveClaims(after).some((held) => rivals(asked, held) && (filesMatched(held.patterns) & files) !== 0n)
  const news = after.events.slice(before.events.length)
  const granted = news.find(({ type }) => type === 'claim.acquired')
  const expected = expectedSeq(before, step, after, granted?.seq ?? Infinity)
  const touched = after.events.slice(expected).some((event) => {
    const { sessionId, repoId, paths = [] } = subjectOf(event)
    const own = sessionId === session.id && event.actor.kind !== 'user'
    return !own && repoId === session.repoId && (filesMatched(paths.map((display) => ({ display }))) & files) !== 0n
  })
  if (granted !== undefined) {
    must(!touched && step.decidedOn !== 'nonsense', `the claim at ${granted.seq} overlooked what had happened`)
  }
  if (refusal?.code === 'SCOPE_CONFLICT') must(isTaken, 'a free path was refused')
  if (refusal?.code === 'STATE_CHANGED') must(touched, 'a claim was refused for what does not touch it')
}

/** The footprint is held, and nothing had happened to the session that its agent had not seen. */
function publishWasRight(before: Tables, step: Extract<Action, { do: 'publish' }>, after: Tables): void {
  const session = after.sessions.get(`ses_${step.agent}`)
  const published = after.events.findLast(({ type }) => type === 'state.published')?.seq ?? 0
  const overlooked = after.events.slice(expectedSeq(before, step, after, published), published).some((event) => {
    const mine = event.actor.kind === 'agent' && event.actor.sessionId === session?.id
    return !mine && subjectOf(event).sessionId === session?.id
  })
  must(
    !overlooked && step.decidedOn !== 'nonsense',
    `a state was published in ignorance of what happened to ${session?.id}`,
  )
  const held = filesMatched(
    liveClaims(after).flatMap(({ sessionId, patterns }) => (sessionId === session?.id ? patterns : [])),
  )
  const footprint = step.footprint.flatMap((n) => PATTERNS[n] ?? [])
  for (const pattern of footprint) {
    // Inside a glob a literal stands for itself, not for all below it (`contains` in overlap.ts).
    const meant = pattern.kind === 'literal' ? fileNamed(pattern) : filesMatched([pattern])
    must((meant & ~held) === 0n, `the footprint ${pattern.display} is not held`)
  }
}

/** Every expectation was met and every entry written, or none. */
function writeWasRight(
  before: Tables,
  step: Extract<Action, { do: 'write' }>,
  after: Tables,
  refusal: AppError | null,
): void {
  if (refusal?.code === 'NOT_JOINED') return
  const entries = entriesOf(step, before)
  const isStale = entries.some(
    ({ key, expectedVersion }) =>
      expectedVersion !== undefined && expectedVersion !== (before.values.get(key)?.version ?? 0),
  )
  must(
    isStale === (refusal?.code === 'VERSION_CONFLICT'),
    isStale ? 'an update was lost' : 'a write was refused for nothing',
  )
  if (refusal !== null) return
  for (const { key, value } of entries) {
    const [old, now] = [before.values.get(key), after.values.get(key)]
    must((now === undefined) === (value === null), `${key} was not written as asked`)
    if (now !== undefined)
      must(now.version > before.events.length && now !== old, `${key} kept the version ${now.version}`)
  }
}
