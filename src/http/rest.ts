import { Hono } from 'hono'
import { z } from 'zod'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import { cleanLine } from '../kernel/text.ts'
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
  events(userId: string, workspaceId: string, after: number, limit: number): Promise<readonly { seq: number }[]>
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

const EventQuery = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

/**
 * REST under /api/workspaces, for people with a token.
 *
 * @param userOf who calls; throws AppError UNAUTHENTICATED
 */
export function createRest(deps: { service: WorkspaceService; userOf: (request: Request) => Promise<string> }): Hono {
  const { service, userOf } = deps
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
    const { after, limit } = parse(EventQuery, c.req.query())
    const events = await service.events(userId, c.req.param('id'), after, limit + 1)
    const page = events.slice(0, limit)
    return c.json({ events: page, nextAfter: page.at(-1)?.seq ?? after, hasMore: events.length > limit })
  })

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
