/**
 * The product's own way from a request to a tool, with tools that do nothing: the route, the bearer check with its cache,
 * the endpoint and the dispatcher are those of src/, put together as app.ts does it. Only the conduct is none: no
 * workspace is entered and nothing is written.
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { createBearer } from '../../src/auth/bearer.ts'
import { loadConfig } from '../../src/config.ts'
import { connect, type Database } from '../../src/db/client.ts'
import { sql } from 'drizzle-orm'
import { createMcpRoute } from '../../src/http/mcp-route.ts'
import { createDispatch, type Conduct } from '../../src/kernel/dispatch.ts'
import type { Principal } from '../../src/kernel/principal.ts'
import type { Resources } from '../../src/kernel/resource.ts'
import { defineTool, type Tool } from '../../src/kernel/tool.ts'
import { createMcpEndpoint } from '../../src/mcp/handler.ts'
import { log, serve, told } from './target.ts'
import { SITUATION, trivial, TrivialInput } from './trivial-tool.ts'

type Nothing = Readonly<Record<string, never>>

const { target, tools: count, auth } = told

const hints = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }

function trivialTool(number: number): Tool<Nothing> {
  return defineTool({
    name: `trivial_${number}`,
    title: 'Nothing',
    description: 'Does nothing, and says what it was told. Call it to find out what a call costs that does nothing.',
    access: 'read' as const,
    hints,
    input: TrivialInput,
    output: z.object({ name: z.string(), total: z.number(), mode: z.string() }),
    handle: async (_call: Nothing, input) => trivial(input),
  })
}

/** The least that a tool on a database can do. */
function selectOne(database: Database): Tool<Nothing> {
  return defineTool({
    name: 'select_one',
    title: 'Select 1',
    description: 'Asks the database for nothing.',
    access: 'read' as const,
    hints,
    input: z.object({}),
    output: z.object({ one: z.number() }),
    async handle() {
      const rows = await database.query((orm) => orm.execute<{ one: number }>(sql`select ${1}::int as one`))
      return { one: rows[0]?.one ?? 0 }
    },
  })
}

const situation = { ...SITUATION, allowedTools: [] }
const conduct: Conduct<Nothing> = {
  enter: async (_request, _join, work) => work({}, Promise.resolve()),
  admit: () => undefined,
  conclude: () => situation,
  outside: () => situation,
  discard: () => undefined,
}

const resources: Resources = {
  templates: [],
  list: async () => ({ resources: [] }),
  read: async () => ({}),
  watch: () => Promise.reject(new Error('nothing to watch')),
}

const config = loadConfig({ PORT: process.env['PORT'] })
// A busy machine must not end a bench: the product itself gives up after 1.5 s.
const database = connect(target, { acquireTimeoutMs: 30_000, totalTimeoutMs: 60_000 })
const bearer = createBearer(database, config, () => undefined)
const somebody: Principal = {
  userId: 'usr_bench',
  userName: 'Bench',
  grantId: 'gr_bench',
  clientId: 'cl_bench',
  clientName: 'Bench',
  scopes: ['mcp:read', 'mcp:write'],
  workspaceId: null,
}

const tools = [...Array.from({ length: count }, (_, number) => trivialTool(number)), selectOne(database)]
const limited = async () => null
const dispatch = createDispatch({ tools, conduct, limited, refused: () => undefined, log })
const streams = { open: () => Promise.reject(new Error('no streams')) }
const mcp = createMcpEndpoint({ tools, dispatch, resources, streams, version: '0', log })
const route = createMcpRoute({
  authenticate: auth === 'bearer' ? (header) => bearer.authenticate(header, 'mcp') : async () => somebody,
  challenge: () => 'Bearer',
  serve: (...call) => mcp.serve(...call),
  limited,
  allowedOrigins: new Set([config.publicUrl]),
})

const app = new Hono()
app.get('/readyz', (c) => c.text('ready'))
app.onError((thrown, c) => c.text(`failed: ${String(thrown)}`, 500))
app.route('/api/mcp', route)
serve(app, async () => {
  await mcp.close()
  await database.close()
})
