import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { z } from 'zod'
import type { Timeline } from './timeline.ts'

/** The story went another way than it is told. */
export class StoryBroken extends Error {}

/** A scripted agent: the official MCP client with a token of its own, whose every call is in the timeline. */
export interface Agent {
  readonly name: string
  /**
   * Calls a tool, shows call and answer, and returns the answer's checked fields.
   *
   * @param step.shown the call as the timeline shows it, without the tool's name
   * @param step.expects what the story says the answer must be
   * @param step.tells the answer as the timeline shows it
   * @throws StoryBroken when the answer is another one
   */
  call<T extends z.ZodType>(tool: string, input: object, step: Step<T>): Promise<z.output<T>>
  /** Calls without a word. */
  ask(tool: string, input: object): Promise<unknown>
  close(): Promise<void>
}

export interface Step<T extends z.ZodType> {
  readonly shown: string
  readonly expects: T
  readonly tells: (answer: z.output<T>) => string
}

const Envelope = z.looseObject({ ok: z.boolean(), stateHash: z.string().nullable() })

const WRITES = new Set(['claim_scope', 'update_my_state'])

export async function connectAgent(
  name: string,
  mcpUrl: string,
  accessToken: string,
  timeline: Timeline,
): Promise<Agent> {
  const client = new Client(
    { name: `demo-${name}`, version: '1.0.0' },
    { versionNegotiation: { mode: 'auto' }, capabilities: {} },
  )
  const requestInit = { headers: { authorization: `Bearer ${accessToken}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit }))
  let stateHash: string | null = null

  async function ask(tool: string, input: object): Promise<z.output<typeof Envelope>> {
    const base = WRITES.has(tool) ? { expectedStateHash: stateHash } : {}
    const result = await client.callTool({ name: tool, arguments: { agentId: name, ...base, ...input } })
    const answer = Envelope.parse(result.structuredContent)
    stateHash = answer.stateHash ?? stateHash
    return answer
  }

  return {
    name,
    ask,
    async call(tool, input, { shown, expects, tells }) {
      timeline.called(name, `${tool} ${shown}`.trimEnd())
      const answer = await ask(tool, input)
      const checked = expects.safeParse(answer)
      if (!checked.success) {
        timeline.answered(false, 'not what the story says')
        throw new StoryBroken(
          `${name}'s ${tool} was answered otherwise: ${z.prettifyError(checked.error)}\n${JSON.stringify(answer, null, 2)}`,
        )
      }
      timeline.answered(answer.ok, tells(checked.data))
      return checked.data
    },
    close: () => client.close(),
  }
}
