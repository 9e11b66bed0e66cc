import { appendFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { nextTurn, type ShownResult, type ShownTool, type Task, type Turn } from './agent.ts'
import type { Dialect, Shown } from './dialects/dialect.ts'

/** Everything that the model was shown while it worked on one task. */
export interface Transcript {
  /** The longest prose of any request: later requests repeat the earlier ones. */
  readonly prose: string
  readonly tools: readonly ShownTool[]
  readonly results: readonly ShownResult[]
  readonly finalText: string
}

/** What happens in the world while the model thinks about calling this tool. */
export type BeforeCall = (tool: string) => Promise<void>

export interface ScriptedModel {
  /** Without a trailing slash and without `/v1`. */
  readonly baseUrl: string
  /** From now on the agent works on this task. `beforeCall` is awaited before each call that the model makes. */
  assign(task: Task, beforeCall?: BeforeCall): void
  /** @throws whatever `beforeCall` did */
  transcript(): Transcript
  close(): void
}

const EMPTY: Transcript = { prose: '', tools: [], results: [], finalText: '' }

function merge(before: Transcript, shown: Shown, turn: Turn): Transcript {
  const tools = new Map([...before.tools, ...shown.tools].map((tool) => [tool.tool, tool]))
  return {
    prose: shown.prose.length > before.prose.length ? shown.prose : before.prose,
    tools: [...tools.values()],
    results: shown.results.length > before.results.length ? shown.results : before.results,
    finalText: turn.kind === 'text' ? turn.text : before.finalText,
  }
}

const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/**
 * A model provider on loopback whose answers come from the scripted agent. Requests that are not about the task (titles,
 * summaries, warm-ups: they carry no tools) get a short text. Every request is kept in `logFile`.
 */
export async function startModel(dialect: Dialect, logFile: string): Promise<ScriptedModel> {
  let task: Task | undefined
  let beforeCall: BeforeCall | undefined
  let transcript = EMPTY
  let failure: Error | undefined
  const answer = async (body: unknown): Promise<string> => {
    const shown = dialect.read(body)
    if (!task || !shown.hasTools) return dialect.write({ kind: 'text', text: 'Widgets' }, body)
    const turn = nextTurn(shown, task)
    transcript = merge(transcript, shown, turn)
    // Kept for the transcript: a client would only ask again.
    if (turn.kind === 'call') await beforeCall?.(turn.tool).catch((error: unknown) => (failure ??= toError(error)))
    return dialect.write(turn, body)
  }
  const server = createServer((request, response) => {
    void (async () => {
      const raw = await text(request)
      appendFileSync(logFile, `${JSON.stringify({ method: request.method, url: request.url, body: raw })}\n`)
      const { pathname } = new URL(request.url ?? '/', 'http://localhost')
      if (request.method !== 'POST') return sendJson(response, 200, { object: 'list', data: [], models: [] })
      if (pathname.endsWith('/count_tokens')) return sendJson(response, 200, { input_tokens: 1 })
      if (pathname !== dialect.path) return sendJson(response, 404, { error: { message: `No ${pathname} here` } })
      const events = await answer(JSON.parse(raw))
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events)
    })().catch((error: unknown) => sendJson(response, 500, { error: { type: 'api_error', message: String(error) } }))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The scripted model listens on no port')
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    assign(next, before) {
      task = next
      beforeCall = before
      transcript = EMPTY
      failure = undefined
    },
    transcript() {
      if (failure !== undefined) throw failure
      return transcript
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
