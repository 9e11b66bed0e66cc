import type { FetchLike } from './oauth.ts'

/** What a tool answered, as the model sees it. */
export interface ToolAnswer {
  readonly ok: boolean
  readonly isError: boolean
  readonly text: string
  // Tests look into answers freely; what they find is checked by what they expect of it.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [field: string]: any
}

export interface Agent {
  /** Calls a tool; keeps the newest stateHash, and fills in `expectedStateHash` and `agentId` where they are left out. */
  call(tool: string, input?: Record<string, unknown>): Promise<ToolAnswer>
  /** The raw HTTP answer to a JSON-RPC message. */
  post(message: unknown, headers?: Record<string, string>): Promise<Response>
  join(overrides?: Record<string, unknown>, git?: Record<string, unknown>): Promise<ToolAnswer>
  /** join → identify_intent → read_team_state: ready to claim. */
  ready(prompt?: string): Promise<ToolAnswer>
  claim(...paths: string[]): Promise<ToolAnswer>
  readonly agentId: string
  stateHash: string
}

export const GIT = {
  remote: 'git@github.com:acme/widgets.git',
  repoRoot: '/home/ada/widgets',
  branch: 'main',
  headSha: '0123456789abcdef0123456789abcdef01234567',
  dirty: false,
  collectedAt: '2026-11-21T10:00:00Z',
}

const NEEDS_HASH = new Set(['claim_scope', 'update_my_state'])

/** An agent that speaks plain MCP over HTTP with a token, the way clients of 2025 do. */
export function createAgent(fetchLike: FetchLike, url: string, accessToken: string): Agent {
  let id = 0
  const state = { agentId: '', stateHash: '' }

  async function post(message: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetchLike(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${accessToken}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        ...headers,
      },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    })
  }

  async function call(tool: string, input: Record<string, unknown> = {}): Promise<ToolAnswer> {
    const defaults = {
      ...(NEEDS_HASH.has(tool) ? { expectedStateHash: state.stateHash } : {}),
      ...(state.agentId !== '' && tool !== 'join_workspace' ? { agentId: state.agentId } : {}),
    }
    id += 1
    const params = { name: tool, arguments: { ...defaults, ...input } }
    const response = await post({ jsonrpc: '2.0', id, method: 'tools/call', params })
    const message = await rpcMessage(response)
    if (message.error !== undefined) throw new Error(`${response.status} ${JSON.stringify(message.error)}`)
    const { structuredContent, isError, content } = message.result
    if (typeof structuredContent.stateHash === 'string') state.stateHash = structuredContent.stateHash
    return { ...structuredContent, isError: isError === true, text: content[0].text }
  }

  return {
    call,
    post,
    async join(overrides = {}, git = {}) {
      const answer = await call('join_workspace', { gitContext: { ...GIT, ...git }, ...overrides })
      if (answer.ok) state.agentId = answer['session'].agentId
      return answer
    },
    async ready(prompt = 'Add a status field to the widget') {
      const joined = await this.join()
      if (!joined.ok) return joined
      await call('identify_intent', { userPrompt: prompt, forceIntent: 'implement' })
      return call('read_team_state')
    },
    claim: (...paths) => call('claim_scope', { paths }),
    get agentId() {
      return state.agentId
    },
    get stateHash() {
      return state.stateHash
    },
    set stateHash(value) {
      state.stateHash = value
    },
  }
}

/** The JSON-RPC message of a response, whether it came as JSON or as the one event of a stream. */
// oxlint-disable-next-line typescript/no-explicit-any -- see ToolAnswer
export async function rpcMessage(response: Response): Promise<any> {
  const text = await response.text()
  if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) return JSON.parse(text)
  const data = text.split('\n').find((line) => line.startsWith('data: '))
  return JSON.parse(data?.slice('data: '.length) ?? 'null')
}
