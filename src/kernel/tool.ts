import type { z } from 'zod'

/** What MCP clients show and use to decide whether to ask their user (tools, `annotations`). None may be left out. */
export interface ToolHints {
  readonly readOnlyHint: boolean
  readonly destructiveHint: boolean
  readonly idempotentHint: boolean
  readonly openWorldHint: boolean
}

/**
 * A tool is one object; every adapter reads it and none knows it by name.
 *
 * `handle` decides and registers what to write; it refuses by throwing an AppError before that. `Call` is what the
 * modules give a handler (modules/call.ts): the kernel does not know it.
 */
export interface Tool<Call = never> {
  /** At most 30 characters of [a-z_]: clients prefix it with the server's name and cut at 60. */
  readonly name: string
  readonly title: string
  /** Under 1 KB, static; the first sentence says when to call it. */
  readonly description: string
  /** `write` needs the scope mcp:write and the role member; `read` needs mcp:read and any role. */
  readonly access: 'read' | 'write'
  readonly hints: ToolHints
  /** `join` starts a session; every other tool is called by a session. */
  readonly entry: 'join' | 'session'
  readonly input: z.ZodObject
  readonly output: z.ZodObject
  handle(call: Call, input: unknown): Promise<object>
}

/** A tool as its module writes it down, with its schemas' types. */
export interface ToolDefinition<Call, Input extends z.ZodObject, Output extends z.ZodObject> extends Omit<
  Tool<Call>,
  'entry' | 'input' | 'output' | 'handle'
> {
  readonly entry?: 'join'
  readonly input: Input
  readonly output: Output
  handle(call: Call, input: z.output<Input>): Promise<z.input<Output>>
}

/** Declares a tool; the handler gets its input as the schema's type. */
export function defineTool<Call, Input extends z.ZodObject, Output extends z.ZodObject>(
  tool: ToolDefinition<Call, Input, Output>,
): Tool<Call> {
  return {
    ...tool,
    entry: tool.entry ?? 'session',
    // The dispatcher parses with this same `input` before it calls.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    handle: (call, input) => tool.handle(call, input as z.output<Input>),
  }
}
