import type { Scoped } from '../../db/client.ts'
import { shortList, shownSize } from '../../kernel/bounds.ts'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { positionOf } from '../../journal/compare-and-swap.ts'
import { readEvents } from '../../journal/journal.ts'
import { showEvent, type ShownEvent } from '../../journal/show.ts'
import type { Call } from '../call.ts'
import { overlaps } from '../claim/overlap.ts'
import { parsePattern, parsePatterns, type PathPattern } from '../claim/pattern.ts'
import { liveClaims, liveClaimsBehindAgents, type HeldClaim } from '../claim/store.ts'
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

/** Who reads the team: an agent, or a person, who is none of them. */
export interface TeamReader {
  readonly orm: Scoped
  readonly workspaceId: string
  readonly now: Date
  readonly mySessionId: string | null
  readonly pageBytes: number
}

/** No agent and no claim is shown in fewer bytes. */
const SMALLEST_ENTRY_BYTES = 150

/**
 * One page of the team: agents first, then claims, as many as fit into `pageBytes`. The cursor says how many
 * entries were shown already; entries that come or go between pages move the stateHash, which tells the reader.
 */
export async function teamPage(
  reader: TeamReader,
  query: { paths: readonly string[] | undefined; cursor: string | undefined },
) {
  const start = parseCursor(query.cursor)
  const { sessions, claims } = await (query.paths === undefined
    ? teamFrom(reader, start)
    : teamAround(reader, parsePatterns(query.paths), start))
  const agents = sessions.map(agentView)
  const activeClaims = claims.map((claim) => claimView(claim, reader.now, reader.mySessionId))
  const shown = endOfPage([...agents, ...activeClaims], reader.pageBytes)
  const page = {
    agents: agents.slice(0, shown),
    activeClaims: activeClaims.slice(0, Math.max(0, shown - agents.length)),
  }
  return shown < agents.length + activeClaims.length ? { ...page, nextCursor: String(start + shown) } : page
}

/** What comes from a place on in the list of all agents and then all claims. */
interface Team {
  readonly sessions: readonly NamedSession[]
  readonly claims: readonly HeldClaim[]
}

/** As much of it as can fit into a page, and at least one entry more if there is one. */
async function teamFrom({ orm, workspaceId, pageBytes }: TeamReader, start: number): Promise<Team> {
  const page = { start, limit: Math.ceil(pageBytes / SMALLEST_ENTRY_BYTES) + 1 }
  const [sessions, claims] = await Promise.all([
    liveSessions(orm, workspaceId, page),
    liveClaimsBehindAgents(orm, workspaceId, page),
  ])
  return { sessions, claims }
}

/** The same of those that touch paths: who holds such a claim, or says that they work there. */
async function teamAround(
  { orm, workspaceId }: TeamReader,
  paths: readonly PathPattern[],
  start: number,
): Promise<Team> {
  const [sessions, claims] = await Promise.all([liveSessions(orm, workspaceId), liveClaims(orm, workspaceId)])
  const near = claims.filter((claim) => touches(claim.patterns, paths))
  const holders = new Set(near.map((claim) => claim.sessionId))
  const there = sessions.filter(
    ({ id, state }) => holders.has(id) || touches((state?.footprint ?? []).map(parsePattern), paths),
  )
  return { sessions: there.slice(start), claims: near.slice(Math.max(0, start - there.length)) }
}

function touches(patterns: readonly PathPattern[], filter: readonly PathPattern[]): boolean {
  return patterns.some((pattern) => filter.some((wanted) => overlaps(pattern, wanted)))
}

/** How many entries make a page: one at least. */
function endOfPage(entries: readonly unknown[], pageBytes: number): number {
  let size = 0
  let end = 0
  while (end < entries.length) {
    size += shownSize(entries[end])
    if (end > 0 && size > pageBytes) break
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
