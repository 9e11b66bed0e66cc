/** OpenAI Chat Completions, streaming, as OpenCode uses it. OpenCode shows MCP tools as `Orkestrate_<tool>`. */
import { z } from 'zod'
import type { Turn } from '../agent.ts'
import { type Dialect, event, newId, SERVER_NAME, type Shown } from './dialect.ts'

const PREFIX = `${SERVER_NAME}_`

const Content = z.union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))]).nullish()
const Body = z.looseObject({
  model: z.string(),
  messages: z.array(
    z.looseObject({
      role: z.string(),
      content: Content,
      tool_call_id: z.string().optional(),
      tool_calls: z.array(z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string() }) })).optional(),
    }),
  ),
  tools: z
    .array(z.looseObject({ function: z.looseObject({ name: z.string(), description: z.string().optional() }) }))
    .optional(),
})

const textOf = (content: z.infer<typeof Content>): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text = '' }) => text).join('\n')

const plainName = (name: string): string => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name)

function read(body: unknown): Shown {
  const { messages, tools = [] } = Body.parse(body)
  const names = new Map(
    messages.flatMap(({ tool_calls = [] }) => tool_calls.map((call) => [call.id, plainName(call.function.name)])),
  )
  return {
    prose: messages
      .filter(({ role }) => role !== 'tool')
      .map(({ content }) => textOf(content))
      .join('\n'),
    hasTools: tools.length > 0,
    tools: tools
      .filter((tool) => tool.function.name.startsWith(PREFIX))
      .map((tool) => ({ tool: plainName(tool.function.name), description: tool.function.description ?? '' })),
    results: messages
      .filter(({ role }) => role === 'tool')
      .map(({ tool_call_id = '', content }) => ({ tool: names.get(tool_call_id) ?? '', text: textOf(content) })),
  }
}

function write(turn: Turn, body: unknown): string {
  const call = turn.kind === 'call' && {
    index: 0,
    id: newId('call'),
    type: 'function',
    function: { name: `${PREFIX}${turn.tool}`, arguments: JSON.stringify(turn.arguments) },
  }
  const delta = turn.kind === 'text' ? { content: turn.text } : { tool_calls: [call] }
  const chunk = { id: newId('chatcmpl'), object: 'chat.completion.chunk', created: 0, model: Body.parse(body).model }
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  const choices = [
    { index: 0, delta: { role: 'assistant', ...delta }, finish_reason: null },
    { index: 0, delta: {}, finish_reason: turn.kind === 'text' ? 'stop' : 'tool_calls' },
  ]
  const events = choices.map((choice) => event({ ...chunk, choices: [choice] }))
  return `${events.join('')}${event({ ...chunk, choices: [], usage })}data: [DONE]\n\n`
}

export const chatCompletions: Dialect = { path: '/v1/chat/completions', read, write }
