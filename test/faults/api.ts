import { rpcMessage, type ToolAnswer } from '../support/agent.ts'
import type { FetchLike } from '../support/oauth.ts'

/** What became of a call: its answer, nobody knows, or it certainly never came to be decided. */
export type Outcome = { readonly answer: ToolAnswer } | 'unknown' | 'not sent'

/** One agent's way to the server: plain JSON-RPC over a real port. */
export interface Api {
  /**
   * `unknown` for everything that leaves open whether it happened: no answer, a 5xx, an internal error.
   *
   * @throws Error for what is no answer at all to a correct call, such as a 401: the run has failed.
   */
  call(tool: string, input: Record<string, unknown>): Promise<Outcome>
}

/** The server bounds a call by 8 s; past this the connection is taken for dead. */
const TIMEOUT_MS = 15_000

/** @param at where to call, and as whom; asked anew for each call, since servers move and tokens are refreshed */
export function createApi(
  at: () => { origin: string; accessToken: string },
  fetchLike: FetchLike = (url, init) => fetch(url, init),
): Api {
  let id = 0
  return {
    async call(tool, input) {
      const { origin, accessToken } = at()
      id += 1
      const sentId = id
      const answer = await Promise.resolve(
        fetchLike(`${origin}/api/mcp`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${accessToken}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'mcp-protocol-version': '2025-11-25',
          },
          body: JSON.stringify({
            jsonrpc: '2.0',
            id: sentId,
            method: 'tools/call',
            params: { name: tool, arguments: input },
          }),
          signal: AbortSignal.timeout(TIMEOUT_MS),
        }),
      )
        .then(async (response) => ({ status: response.status, message: await rpcMessage(response) }))
        // Refused, reset, cut in the middle of an answer, timed out.
        .catch((error: unknown) => (wasRefused(error) ? 'not sent' : 'unknown'))
      if (answer === 'not sent' || answer === 'unknown') return answer
      if (answer.status >= 500) return 'unknown'
      const result = answer.message?.result
      if (answer.status !== 200 || result === undefined) {
        throw new Error(`${tool}: ${answer.status} ${JSON.stringify(answer.message)}`)
      }
      // Each call goes alone: an answer to another one would be somebody else's.
      if (answer.message.id !== sentId)
        throw new Error(`${tool}: call ${sentId} got the answer to ${answer.message.id}`)
      const { structuredContent, isError, content } = result
      if (structuredContent.error?.code === 'INTERNAL') return 'unknown'
      // All agents of the run share one sign-in, and so its allowance.
      if (structuredContent.error?.code === 'RATE_LIMITED') return 'not sent'
      return { answer: { ...structuredContent, isError: isError === true, text: content[0].text } }
    },
  }
}

/** Nobody listened at any of the addresses: there was no connection to send on. */
function wasRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  const causes: unknown[] = cause instanceof AggregateError ? cause.errors : [cause]
  return causes.every((each) => each instanceof Error && 'code' in each && each.code === 'ECONNREFUSED')
}
