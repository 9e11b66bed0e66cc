/**
 * The reference for what MCP costs: one tool behind a Hono route, dispatched by hand, with the work that cannot be left
 * out. Read and parse the JSON; find the caller by the SHA-256 of the token; look at the JSON-RPC envelope; parse the
 * tool's input with the same zod schema; answer in JSON what MCP answers, the payload as a structure and as text.
 */
import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { serve, told } from './target.ts'
import { SITUATION, trivial, TrivialInput } from './trivial-tool.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const callers = new Map([[sha256(told.token), { userId: 'usr_bench' }]])
const tools = new Map([['trivial_0', { input: TrivialInput, handle: trivial }]])

interface Message {
  readonly jsonrpc: string
  readonly id: number
  readonly method: string
  readonly params: { readonly name: string; readonly arguments: unknown }
}

const app = new Hono()
app.get('/readyz', (c) => c.text('ready'))
app.post('/api/mcp', async (c) => {
  const caller = callers.get(sha256(c.req.header('authorization')?.slice('Bearer '.length) ?? ''))
  if (caller === undefined) return c.json({ error: 'unauthenticated' }, 401)
  const message: Message = await c.req.json()
  if (message.jsonrpc !== '2.0' || message.method !== 'tools/call') return c.json({ error: 'not a call' }, 400)
  const tool = tools.get(message.params.name)
  if (tool === undefined) return c.json({ error: 'no such tool' }, 404)
  const parsed = tool.input.safeParse(message.params.arguments)
  if (!parsed.success) return c.json({ error: parsed.error.issues }, 422)
  const answer = { ok: true, ...tool.handle(parsed.data), ...SITUATION }
  const content = [{ type: 'text', text: JSON.stringify(answer, null, 2) }]
  return c.json({ jsonrpc: '2.0', id: message.id, result: { content, structuredContent: answer } })
})

serve(app)
