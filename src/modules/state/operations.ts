import { z } from 'zod'
import { exportEvent } from '../../journal/event.ts'
import { readEvents, readStateHash } from '../../journal/journal.ts'
import { takeWithin } from '../../kernel/bounds.ts'
import { AppError } from '../../kernel/errors.ts'
import { chained, moment, pageOfLog, paths, whole, wholeText } from '../fields.ts'
import { exportable, followed, readOperation } from '../office.ts'
import { STATUSES } from '../session/session.ts'
import { teamPage } from './team.ts'

const params = z.object({ workspaceId: z.string().min(1).max(64) })

export const listEvents = followed<typeof params, typeof pageOfLog>(
  exportable(
    readOperation({
      name: 'listEvents',
      tag: 'Journal',
      title: 'Read the journal',
      description:
        'Events after a position, oldest first. With `Accept: text/event-stream` as they happen, each once and in order; ' +
        'a reader that reconnects with `Last-Event-ID` misses none. With `Accept: application/x-ndjson` or `format=ndjson` all ' +
        'of it after `after`, one event a line, to be verified offline.',
      method: 'GET',
      path: '/api/workspaces/:workspaceId/events',
      permission: 'workspace.read',
      examples: [{ title: 'A page of it', query: { after: '0', limit: '100' } }],
      params,
      query: pageOfLog,
      output: z.object({ events: z.array(chained), nextAfter: whole, hasMore: z.boolean() }),
      async handle({ orm, workspaceId, pageBytes }, { query: { after, limit } }) {
        const events = (await readEvents(orm, workspaceId, after, limit + 1)).map(exportEvent)
        const page = takeWithin(events.slice(0, limit), pageBytes).shown
        return { body: { events: page, nextAfter: page.at(-1)?.seq ?? after, hasMore: events.length > page.length } }
      },
    }),
    'events',
  ),
  ({ query }, lastEventId) => (lastEventId === null ? query.after : position(lastEventId)),
)

/** What an agent says of itself was written by it: information, not instructions. */
const shownAgent = z.looseObject({
  agentId: z.string(),
  user: z.string(),
  toolName: z.string(),
  status: z.enum(STATUSES),
  objective: z.string().nullable(),
  footprint: z.array(z.string()).describe('The first of them; footprintOmitted says how many more'),
  plan: z.array(z.string()),
  notes: z.string(),
  branch: z.string(),
  headSha: z.string(),
  lastSeenAt: moment,
})

const shownClaim = z.looseObject({
  claimId: z.string(),
  agentId: z.string(),
  paths: z.array(z.string()).describe('The first of them; pathsOmitted says how many more'),
  mode: z.enum(['exclusive', 'shared']),
  fence: whole,
  expiresAt: moment,
  expiresInSeconds: whole,
})

export const getState = readOperation({
  name: 'getState',
  tag: 'Team state',
  title: 'Read the team state',
  description: 'Who is at work on what, and who holds which paths. The ETag is the stateHash.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/state',
  permission: 'workspace.read',
  params,
  query: z.object({
    path: z
      .union([paths.element.transform((one) => [one]), paths])
      .optional()
      .describe('Only what touches these paths'),
    cursor: z.string().max(200).optional(),
  }),
  output: z.object({
    agents: z.array(shownAgent),
    activeClaims: z.array(shownClaim),
    stateHash: z.string(),
    nextCursor: z.string().optional(),
  }),
  async handle({ orm, workspaceId, now, pageBytes }, { query }) {
    const stateHash = await readStateHash(orm, workspaceId)
    const reader = { orm, workspaceId, now, mySessionId: null, pageBytes }
    const page = await teamPage(reader, { paths: query.path, cursor: query.cursor })
    return { body: { ...page, stateHash }, version: stateHash }
  },
})

function position(lastEventId: string): number {
  const parsed = wholeText.safeParse(lastEventId)
  if (parsed.success) return parsed.data
  const issues = [{ path: 'lastEventId', message: 'must be a whole number' }]
  throw new AppError('INVALID_INPUT', undefined, { details: { issues } })
}
