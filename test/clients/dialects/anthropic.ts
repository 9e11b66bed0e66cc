/**
 * Anthropic Messages API, streaming, as Claude Code uses it. Claude Code shows MCP tools as `mcp__Orkestrate__<tool>`
 * and defers them: the model first sees only their names and has to load them with its tool ToolSearch.
 */
import { z } from 'zod'
import type { Turn } from '../agent.ts'
import { type Dialect, event, newId, SERVER_NAME, type Shown } from './dialect.ts'

const PREFIX = `mcp__${SERVER_NAME}__`

const Block = z.looseObject({ type: z.string() })
const Content = z.union([z.string(), z.array(Block)])
const Body = z.looseObject({
  model: z.string(),
  system: Content.optional(),
  messages: z.array(z.looseObject({ role: z.string(), content: Content })),
  tools: z.array(z.looseObject({ name: z.string(), description: z.string().optional() })).optional(),
})
const Text = z.looseObject({ type: z.literal('text'), text: z.string() })
const ToolUse = z.looseObject({ type: z.literal('tool_use'), id: z.string(), name: z.string() })
const ToolResult = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: Content.optional(),
})

const blocksOf = (content: z.infer<typeof Content> | undefined): z.infer<typeof Block>[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? [])

const textOf = (content: z.infer<typeof Content> | undefined): string =>
  blocksOf(content)
    .flatMap((block) => Text.safeParse(block).data?.text ?? [])
    .join('\n')

function read(body: unknown): Shown {
  const { system, messages, tools = [] } = Body.parse(body)
  const blocks = messages.flatMap(({ content }) => blocksOf(content))
  const prose = [system, ...messages.map(({ content }) => content)].map(textOf).join('\n')
  const deferred = prose.matchAll(new RegExp(`^${PREFIX}(\\w+)$`, 'gm'))
  const loaded = tools.filter(({ name }) => name.startsWith(PREFIX))
  const descriptions = new Map([
    ...[...deferred].map(([, tool = '']) => [tool, ''] as const),
    ...loaded.map(({ name, description = '' }) => [name.slice(PREFIX.length), description] as const),
  ])
  const names = new Map(
    blocks.flatMap((block) => {
      const { data } = ToolUse.safeParse(block)
      return data?.name.startsWith(PREFIX) ? [[data.id, data.name.slice(PREFIX.length)] as const] : []
    }),
  )
  return {
    prose,
    hasTools: tools.length > 0,
    tools: [...descriptions].map(([tool, description]) => ({ tool, description })),
    results: blocks.flatMap((block) => {
      const { data } = ToolResult.safeParse(block)
      const tool = data && names.get(data.tool_use_id)
      return data && tool !== undefined ? [{ tool, text: textOf(data.content) }] : []
    }),
  }
}

/** A deferred tool has to be loaded before it can be called. */
function blockFor(turn: Turn, body: unknown): { block: object; delta: object } {
  if (turn.kind === 'text') {
    return { block: { type: 'text', text: '' }, delta: { type: 'text_delta', text: turn.text } }
  }
  const { tools = [] } = Body.parse(body)
  const name = `${PREFIX}${turn.tool}`
  const isDeferred = !tools.some((tool) => tool.name === name) && tools.some((tool) => tool.name === 'ToolSearch')
  const input = isDeferred ? { query: `select:${name}`, max_results: 1 } : turn.arguments
  return {
    block: { type: 'tool_use', id: newId('toolu'), name: isDeferred ? 'ToolSearch' : name, input: {} },
    delta: { type: 'input_json_delta', partial_json: JSON.stringify(input) },
  }
}

function write(turn: Turn, body: unknown): string {
  const { block, delta } = blockFor(turn, body)
  const usage = { input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
  const message = { id: newId('msg'), type: 'message', role: 'assistant', model: Body.parse(body).model, content: [] }
  const events = [
    { type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } },
    { type: 'content_block_start', index: 0, content_block: block },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: turn.kind === 'text' ? 'end_turn' : 'tool_use', stop_sequence: null },
      usage: { output_tokens: 1 },
    },
    { type: 'message_stop' },
  ]
  return events.map((data) => event(data, data.type)).join('')
}

export const anthropic: Dialect = { path: '/v1/messages', read, write }
