/**
 * The mind behind every client: an agent that knows nothing of Orkestrate but what its server says. It joins, then
 * calls whatever the last answer names as `nextRequiredTool`, with arguments taken from the answers, and gives its
 * claim back when told that it is free to work. Pure: the conversation so far decides the next turn.
 */
import { z } from 'zod'
import type { GitContext } from './checkout.ts'

/** The part of a tool result, or of a refusal, that an agent has to understand. */
const Answer = z.looseObject({
  ok: z.boolean(),
  nextRequiredTool: z.string().nullish(),
  nextStep: z.string().optional(),
  stateHash: z.string().nullish(),
  session: z.looseObject({ agentId: z.string(), toolName: z.string().optional() }).optional(),
  workspace: z.looseObject({ id: z.string() }).optional(),
  claim: z.looseObject({ claimId: z.string() }).optional(),
  error: z.looseObject({ code: z.string() }).optional(),
})
export type Answer = z.infer<typeof Answer>

/** A tool result as the model was shown it. `tool` is the plain name, without the client's prefix. */
export interface ShownResult {
  readonly tool: string
  readonly text: string
}

/** The same in what the model was offered. */
export interface ShownTool {
  readonly tool: string
  readonly description: string
}

export interface Conversation {
  readonly tools: readonly ShownTool[]
  readonly results: readonly ShownResult[]
}

export interface Task {
  readonly prompt: string
  readonly gitContext: GitContext
  readonly paths: readonly string[]
  /** False: stop while still holding the claim, as an agent does whose user looks at its work first. */
  readonly isReleasing: boolean
}

export type Turn =
  | { readonly kind: 'call'; readonly tool: string; readonly arguments: Readonly<Record<string, unknown>> }
  | { readonly kind: 'text'; readonly text: string }

const CALLS_MAX = 12

/** The server's answer inside a result; clients put lines of their own around it. */
export function answerOf(result: ShownResult): Answer | undefined {
  const json = result.text.slice(result.text.indexOf('{'), result.text.lastIndexOf('}') + 1)
  try {
    return Answer.parse(JSON.parse(json))
  } catch {
    return undefined
  }
}

const text = (words: string): Turn => ({ kind: 'text', text: words })

function argumentsFor(tool: string, answers: readonly Answer[], task: Task): Record<string, unknown> {
  const latest = <Key extends keyof Answer>(key: Key): Answer[Key] | undefined =>
    answers.findLast((answer) => answer[key] !== undefined && answer[key] !== null)?.[key]
  const agentId = latest('session')?.agentId
  const who = agentId === undefined ? {} : { agentId }
  const expectedStateHash = latest('stateHash')
  switch (tool) {
    case 'join_workspace':
      return { gitContext: task.gitContext }
    case 'identify_intent':
      return { ...who, userPrompt: task.prompt }
    case 'claim_scope':
      return { ...who, expectedStateHash, paths: task.paths, reason: task.prompt }
    case 'update_my_state': {
      const { branch, headSha } = task.gitContext
      const content = { objective: task.prompt, footprint: task.paths, status: 'active', repo: { branch, headSha } }
      return { ...who, expectedStateHash, content }
    }
    case 'release_scope':
      return { ...who, claimId: latest('claim')?.claimId, reason: 'completed' }
    default:
      return who
  }
}

/** The agent's next move: one tool call, or the words that end its turn. */
export function nextTurn({ results }: Conversation, task: Task): Turn {
  const answers = results.map(answerOf)
  const call = (tool: string): Turn => {
    const seen = answers.filter((answer) => answer !== undefined)
    return { kind: 'call', tool, arguments: argumentsFor(tool, seen, task) }
  }
  const last = results.at(-1)
  if (!last) return call('join_workspace')
  const answer = answers.at(-1)
  if (!answer) return text(`I cannot read this answer of ${last.tool}: ${last.text.slice(0, 500)}`)
  if (answer.error?.code === 'SCOPE_CONFLICT') return text(`Somebody else works there: ${last.text}`)
  if (results.length >= CALLS_MAX) return text(`I give up after ${CALLS_MAX} calls: ${last.text}`)
  if (last.tool === 'release_scope' && answer.ok) return text('Done: the task is finished and the claim given back.')
  if (answer.nextRequiredTool) return call(answer.nextRequiredTool)
  return task.isReleasing ? call('release_scope') : text('Ready for review; I keep my claim meanwhile.')
}
