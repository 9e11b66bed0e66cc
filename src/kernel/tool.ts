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
 * modules give a handler (modules/call.ts), and `Asking` what they give before there is one: the kernel does not know them.
 */
export interface Tool<Call = never, Asking = never> {
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
  /** Asks for what `handle` starts from, in the same round trip in which the call is opened. A refusal of it waits for `handle`. */
  readonly ahead?: (asking: Asking, input: unknown) => Promise<unknown>
  handle(call: Call, input: unknown, known: Promise<unknown>): Promise<object>
}

/** A tool as its module writes it down, with its schemas' types. */
export interface ToolDefinition<
  Call,
  Asking,
  Input extends z.ZodObject,
  Output extends z.ZodObject,
  Known,
> extends Omit<Tool<Call>, 'entry' | 'input' | 'output' | 'ahead' | 'handle'> {
  readonly entry?: 'join'
  readonly input: Input
  readonly output: Output
  readonly ahead?: (asking: Asking, input: z.output<Input>) => Promise<Known>
  handle(call: Call, input: z.output<Input>, known: Promise<Known>): Promise<z.input<Output>>
}

/** Declares a tool; the handler gets its input as the schema's type, and what it asked ahead. */
export function defineTool<Call, Asking, Input extends z.ZodObject, Output extends z.ZodObject, Known>(
  tool: ToolDefinition<Call, Asking, Input, Output, Known>,
): Tool<Call, Asking> {
  const { ahead, entry = 'session', ...described } = tool
  // The dispatcher parses with this same `input` before it calls, and hands on what this same `ahead` gave.
  // oxlint-disable typescript/no-unsafe-type-assertion
  return {
    ...described,
    entry,
    ...(ahead === undefined ? {} : { ahead: (asking, input) => ahead(asking, input as z.output<Input>) }),
    handle: (call, input, known) => tool.handle(call, input as z.output<Input>, known as Promise<Known>),
  }
  // oxlint-enable typescript/no-unsafe-type-assertion
}
