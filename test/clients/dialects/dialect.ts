import type { Conversation, Turn } from '../agent.ts'

export const SERVER_NAME = 'Orkestrate'

/** What one request showed the model. */
export interface Shown extends Conversation {
  /** Everything outside tool definitions and results: system prompt, instructions, messages. */
  readonly prose: string
  /** False for what clients ask on the side: titles, summaries, warm-ups. */
  readonly hasTools: boolean
}

/** How one client talks to its model: a wire protocol, and the names under which it presents MCP tools. */
export interface Dialect {
  /** The path under the base URL at which turns are generated. */
  readonly path: string
  read(body: unknown): Shown
  /** The server-sent events that make the client take this turn. */
  write(turn: Turn, body: unknown): string
}

/** One server-sent event with its data in JSON. */
export const event = (data: object, name?: string): string =>
  `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`

let count = 0

/** Ids only have to differ within one process. */
export const newId = (prefix: string): string => `${prefix}_${(count += 1)}`
