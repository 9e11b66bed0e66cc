import { Hono, type HonoRequest } from 'hono'
import { z } from 'zod'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import { cleanLine } from '../kernel/text.ts'
import type { EventStreams, StreamedEvent } from './event-stream.ts'
import { readJson } from './json-body.ts'

/** A workspace as REST shows it. */
interface WorkspaceFacts {
  readonly workspaceId: string
  readonly workspaceName: string
  readonly role: string
  readonly active: boolean
  readonly repos: readonly {
    readonly id: string
    readonly canonicalRemote: string | null
    readonly rootSha: string | null
  }[]
}

/** What REST needs of the product; modules/directory.ts has it. */
export interface WorkspaceService {
  list(userId: string): Promise<WorkspaceFacts[]>
  create(userId: string, name: string): Promise<WorkspaceFacts>
  activate(userId: string, workspaceId: string): Promise<WorkspaceFacts>
  events(userId: string, workspaceId: string, after: number, limit: number): Promise<readonly StreamedEvent[]>
  follow(workspaceId: string, after: number, signal: AbortSignal): AsyncIterable<readonly StreamedEvent[]>
  checkMember(userId: string, workspaceId: string): Promise<void>
}

const WorkspaceAction = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('create'),
    name: z
      .string()
      .min(1)
      .max(100)
      .transform((name) => cleanLine(name, 100)),
  }),
  z.object({ action: z.literal('switch'), workspaceId: z.string().min(1).max(64) }),
])

/** Digits and nothing else: Number() would also take an empty text, hexadecimal and 1e3. */
const WholeNumber = z
  .string()
  .regex(/^\d{1,15}$/u, 'must be a whole number')
  .transform(Number)

const EventQuery = z.object({
  after: WholeNumber.default(0),
  limit: WholeNumber.pipe(z.number().min(1).max(LIMITS.eventsPerPage)).default(100),
})

const StreamQuery = z.object({ after: WholeNumber.default(0), lastEventId: WholeNumber.optional() })

/**
 * REST under /api/workspaces, for people with a token.
 *
 * @param userOf who calls; throws AppError UNAUTHENTICATED
 */
export function createRest(deps: {
  service: WorkspaceService
  userOf: (request: Request) => Promise<string>
  streams: EventStreams
}): Hono {
  const { service, userOf, streams } = deps
  const app = new Hono()

  app.get('/', async (c) => c.json({ workspaces: (await service.list(await userOf(c.req.raw))).map(view) }))

  app.post('/', async (c) => {
    const userId = await userOf(c.req.raw)
    const body = await readJson(c.req.raw, { bytes: LIMITS.restBodyBytes, depth: LIMITS.jsonDepth })
    const action = parse(
      WorkspaceAction,
      typeof body === 'object' && body !== null ? { action: 'create', ...body } : body,
    )
    if (action.action === 'create') return c.json({ workspace: view(await service.create(userId, action.name)) }, 201)
    return c.json({ workspace: view(await service.activate(userId, action.workspaceId)) })
  })

  app.get('/:id/events', async (c) => {
    const userId = await userOf(c.req.raw)
    if (/\btext\/event-stream\b/iu.test(c.req.header('accept') ?? '')) return stream(c.req, userId)
    const { after, limit } = parse(EventQuery, c.req.query())
    const events = await service.events(userId, c.req.param('id'), after, limit + 1)
    const page = events.slice(0, limit)
    return c.json({ events: page, nextAfter: page.at(-1)?.seq ?? after, hasMore: events.length > limit })
  })

  /** The same events as they come. Resumes after Last-Event-ID, which reconnecting clients add to the first address. */
  async function stream(request: HonoRequest<'/:id/events'>, userId: string): Promise<Response> {
    const workspaceId = request.param('id')
    const query = { after: request.query('after'), lastEventId: request.header('last-event-id') }
    const { after, lastEventId = after } = parse(StreamQuery, query)
    return streams.open({
      userId,
      async check() {
        if ((await userOf(request.raw)) !== userId) throw new AppError('UNAUTHENTICATED')
        await service.checkMember(userId, workspaceId)
      },
      follow: (signal) => service.follow(workspaceId, lastEventId, signal),
    })
  }

  return app
}

function view({ workspaceId, workspaceName, role, active, repos }: WorkspaceFacts) {
  return {
    id: workspaceId,
    name: workspaceName,
    role,
    active,
    repos: repos.map(({ id, canonicalRemote, rootSha }) => ({ id, canonicalRemote, rootSha })),
  }
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }))
  throw new AppError('INVALID_INPUT', undefined, { details: { issues } })
}
