/**
 * OpenAI Responses API, streaming, as Codex uses it (`wire_api = "responses"`). Codex shows the tools of one MCP server
 * as a namespace `mcp__Orkestrate` with plain names; the namespace's description carries the server's instructions.
 */
import { z } from 'zod'
import { type Dialect, event, newId, SERVER_NAME, type Shown } from './dialect.ts'
import type { Turn } from '../agent.ts'

const NAMESPACE = `mcp__${SERVER_NAME}`

const Part = z.looseObject({ text: z.string().optional() })
const Tool = z.looseObject({ type: z.string(), name: z.string().optional(), description: z.string().optional() })
const Namespace = z.looseObject({
  name: z.literal(NAMESPACE),
  description: z.string().optional(),
  tools: z.array(Tool),
})
const Body = z.looseObject({
  model: z.string(),
  instructions: z.string().optional(),
  input: z.array(z.looseObject({ type: z.string() })),
  tools: z.array(Tool).optional(),
})
const Message = z.looseObject({ type: z.literal('message'), content: z.array(Part) })
const Call = z.looseObject({ type: z.literal('function_call'), call_id: z.string(), name: z.string() })
const Output = z.looseObject({
  type: z.literal('function_call_output'),
  call_id: z.string(),
  output: z.union([z.string(), z.array(Part)]),
})

const textOf = (content: string | z.infer<typeof Part>[]): string =>
  typeof content === 'string' ? content : content.map(({ text = '' }) => text).join('\n')

function read(body: unknown): Shown {
  const { instructions = '', input, tools = [] } = Body.parse(body)
  const namespace = tools.flatMap((tool) => Namespace.safeParse(tool).data ?? []).at(0)
  const names = new Map(
    input.flatMap((item) => {
      const { data } = Call.safeParse(item)
      return data ? [[data.call_id, data.name] as const] : []
    }),
  )
  const messages = input.flatMap((item) => textOf(Message.safeParse(item).data?.content ?? []))
  return {
    prose: [instructions, namespace?.description ?? '', ...messages].join('\n'),
    hasTools: tools.length > 0,
    tools: (namespace?.tools ?? []).map(({ name = '', description = '' }) => ({ tool: name, description })),
    results: input.flatMap((item) => {
      const { data } = Output.safeParse(item)
      return data ? [{ tool: names.get(data.call_id) ?? '', text: textOf(data.output) }] : []
    }),
  }
}

function itemFor(turn: Turn): object {
  if (turn.kind === 'text') {
    const content = [{ type: 'output_text', text: turn.text, annotations: [] }]
    return { type: 'message', id: newId('msg'), role: 'assistant', status: 'completed', content }
  }
  return {
    type: 'function_call',
    id: newId('fc'),
    call_id: newId('call'),
    namespace: NAMESPACE,
    name: turn.tool,
    arguments: JSON.stringify(turn.arguments),
    status: 'completed',
  }
}

function write(turn: Turn, body: unknown): string {
  const item = itemFor(turn)
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
  const response = { id: newId('resp'), object: 'response', model: Body.parse(body).model, output: [] }
  const events = [
    { type: 'response.created', response: { ...response, status: 'in_progress' } },
    { type: 'response.output_item.added', output_index: 0, item },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: { ...response, status: 'completed', output: [item], usage } },
  ]
  return events.map((data, index) => event({ ...data, sequence_number: index }, data.type)).join('')
}

export const responses: Dialect = { path: '/v1/responses', read, write }
