import type { Tool as McpTool } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { Tool } from '../kernel/tool.ts'

/** What every answer carries, success or refusal; only a success has the next step in words. */
const envelope = {
  ok: z.boolean(),
  phase: z.string(),
  nextRequiredTool: z.string().nullable(),
  nextStep: z.string().optional(),
  stateHash: z.string().nullable(),
  alerts: z.array(z.looseObject({})),
}

/** A tool as MCP lists it. Computed once at start: deriving the schemas on each tools/list costs 20 to 40 times more. */
export function describe(tool: Pick<Tool, 'name' | 'title' | 'description' | 'hints' | 'input' | 'output'>): McpTool {
  const { name, title, description, hints } = tool
  return {
    name,
    title,
    description,
    inputSchema: objectSchema(tool.input, 'input'),
    // Refusals have to fit too, so the payload is optional: clients built on version 1 of the SDK (OpenCode 1.18.33 for
    // one) hold `isError` results against this schema as well, and show an error of their own instead of ours.
    outputSchema: objectSchema(tool.output.partial().extend(envelope).loose(), 'output'),
    annotations: { title, ...hints },
  }
}

/** JSON Schema without the dialect, which is MCP's default; every byte is in the context of every agent. */
function objectSchema(schema: z.ZodObject, io: 'input' | 'output'): McpTool['inputSchema'] {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  const plain: McpTool['inputSchema'] = JSON.parse(JSON.stringify({ ...json, type: 'object' }))
  return plain
}
