import type { Tool as McpTool } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { Tool } from '../kernel/tool.ts'

/** A tool as MCP lists it. Computed once at start: deriving the schemas on each tools/list costs 20 to 40 times more. */
export function describe(tool: Pick<Tool, 'name' | 'title' | 'description' | 'hints' | 'input' | 'output'>): McpTool {
  const { name, title, description, hints } = tool
  return {
    name,
    title,
    description,
    inputSchema: inputSchema(tool.input),
    outputSchema: outputSchema(tool.output),
    annotations: hints,
  }
}

/** JSON Schema without the dialect, which is MCP's default; every byte is in the context of every agent. */
function inputSchema(schema: z.ZodObject): McpTool['inputSchema'] {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return { ...plainJson(json), type: 'object' }
}

/**
 * The payload's fields by name and type, none of them required: SDK 1's client holds refusals to this schema too, and
 * those have `error` instead. What is inside them is in docs/protocol.md; spelled out here it would be 7 KB of the
 * 12 KB that the whole list may take.
 */
function outputSchema(schema: z.ZodObject): McpTool['inputSchema'] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' })
  const types = Object.entries(properties).map(([name, property]) => [name, { type: plainJson(property)['type'] }])
  return { type: 'object', properties: { ok: { type: 'boolean' }, ...Object.fromEntries(types) }, required: ['ok'] }
}

function plainJson(value: unknown): Record<string, never> {
  const plain: Record<string, never> = JSON.parse(JSON.stringify(value))
  return plain
}
