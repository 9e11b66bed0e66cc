import { shortList, shownSize } from '../../kernel/bounds.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { positionOf } from '../../journal/compare-and-swap.ts'
import { readEvents } from '../../journal/journal.ts'
import { showEvent, type ShownEvent } from '../../journal/show.ts'
import type { Call } from '../call.ts'
import { overlaps } from '../claim/overlap.ts'
import { parsePattern, parsePatterns, type PathPattern } from '../claim/pattern.ts'
import { liveClaims, type HeldClaim } from '../claim/store.ts'
import { claimView } from '../claim/view.ts'
import { liveSessions, type NamedSession } from '../session/store.ts'

/** One agent as its teammates read it; long parts are cut, since the whole team must fit into one answer. */
function agentView(session: NamedSession) {
  const { state } = session
  return {
    agentId: session.agentId,
    user: session.userName,
    toolName: session.toolName,
    status: state?.status ?? 'active',
    objective: state?.objective ?? null,
    ...shortList('footprint', state?.footprint ?? []),
    ...shortList('plan', state?.plan ?? []),
    notes: (state?.notes ?? '').slice(0, 300),
    branch: session.branch,
    headSha: session.headSha,
    lastSeenAt: session.lastSeenAt.toISOString(),
  }
}

/**
 * One page of the team: agents first, then claims, as many as fit into LIMITS.answerBytes. The cursor says how many
 * entries were shown already; entries that come or go between pages move the stateHash, which tells the reader.
 */
export async function teamPage(
  call: Call,
  query: { paths: readonly string[] | undefined; cursor: string | undefined },
) {
  const { ws } = call
  const [sessions, claims] = await Promise.all([liveSessions(ws.tx, ws.workspaceId), liveClaims(ws.tx, ws.workspaceId)])
  const filter = query.paths === undefined ? null : parsePatterns(query.paths)
  const shownClaims = filter === null ? claims : claims.filter((claim) => touches(claim.patterns, filter))
  const holders = new Set(shownClaims.map((claim) => claim.sessionId))
  const shownSessions =
    filter === null
      ? sessions
      : sessions.filter(
          ({ id, state }) => holders.has(id) || touches((state?.footprint ?? []).map(parsePattern), filter),
        )

  const agents = shownSessions.map(agentView)
  const activeClaims = shownClaims.map((claim: HeldClaim) => claimView(claim, ws.now, call.session.id))
  const start = parseCursor(query.cursor)
  const end = endOfPage([...agents, ...activeClaims], start)
  const page = {
    agents: agents.slice(start, end),
    activeClaims: activeClaims.slice(Math.max(0, start - agents.length), Math.max(0, end - agents.length)),
  }
  return end < agents.length + activeClaims.length ? { ...page, nextCursor: String(end) } : page
}

function touches(patterns: readonly PathPattern[], filter: readonly PathPattern[]): boolean {
  return patterns.some((pattern) => filter.some((wanted) => overlaps(pattern, wanted)))
}

function endOfPage(entries: readonly unknown[], start: number): number {
  let size = 0
  let end = start
  while (end < entries.length) {
    size += shownSize(entries[end])
    if (end > start && size > LIMITS.answerBytes) break
    end += 1
  }
  return end
}

/** What changed team state since a position: the events, oldest first, in pages. */
export async function changesSince(call: Call, sinceStateHash: string, cursor: string | undefined) {
  const { ws } = call
  const since = await positionOf(ws, sinceStateHash)
  if (since === ws.state.seq) return { unchanged: true }
  const after = cursor === undefined ? since : parseCursor(cursor)
  const batch = await readEvents(ws.tx, ws.workspaceId, after, 100)
  const changes: ShownEvent[] = []
  let size = 0
  let last = after
  for (const event of batch) {
    if (event.teamState) {
      const shown = showEvent(event)
      size += shownSize(shown)
      if (changes.length > 0 && size > LIMITS.answerBytes) break
      changes.push(shown)
    }
    last = event.seq
  }
  return last < ws.state.seq ? { changes, nextCursor: String(last) } : { changes }
}

function parseCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0
  if (/^\d{1,15}$/u.test(cursor)) return Number(cursor)
  throw new AppError('INVALID_INPUT', undefined, {
    details: { issues: [{ path: 'cursor', message: 'must be the nextCursor of an earlier answer' }] },
  })
}
