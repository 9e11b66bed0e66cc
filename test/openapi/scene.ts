import type { ALL_OPERATIONS } from '../../scripts/docs/tables.ts'
import { createAgent, type Agent } from '../support/agent.ts'
import { enter, obtainTokens, visitor, type FetchLike } from '../support/oauth.ts'
import { restClient, type RestAnswer } from '../support/rest.ts'

export type Operation = (typeof ALL_OPERATIONS)[number]

/** A call that will succeed. */
export interface Call {
  /** Parameters of the path. */
  readonly ids: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Who calls, if not Ada. */
  readonly authorization?: Record<string, string>
}

/** People on an empty server, and what they need to make things. */
export interface Scene {
  /** The right to call an operation, as Ada. */
  authorizationFor(operation: Operation): Record<string, string>
  /** Tokens of Ada that may not do everything. */
  readonly reader: Record<string, string>
  readonly writer: Record<string, string>
  /** What is answered to a call. */
  send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<RestAnswer>
  /** Uses up an Idempotency-Key of whoever calls with these headers. */
  use(key: string, headers: Record<string, string>): Promise<void>
  /** A workspace in which there is one of everything. */
  readonly busy: Readonly<Record<string, string>>
  /** Makes what a call of the operation with that status needs. */
  call(operation: Operation, status: number): Promise<Call>
}

const REPO = 'git@github.com:acme/widgets.git'

export async function setScene(origin: string): Promise<Scene> {
  const fetchLike: FetchLike = (url, init) => fetch(new URL(url, origin), init)
  const login = async (name: string) => {
    const person = { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` }
    const { accessToken } = await obtainTokens(fetchLike, { publicUrl: origin, person })
    const authorization = { authorization: `Bearer ${accessToken}` }
    return { person, accessToken, authorization, rest: restClient(fetchLike, authorization) }
  }
  const [ada, bob] = [await login('Ada'), await login('Bob')]
  const signedIn = visitor(fetchLike, origin)
  await enter(signedIn, ada.person)
  const browser = { cookie: signedIn.cookie(), 'sec-fetch-site': 'same-origin' }
  const inBrowser = restClient(fetchLike, browser)
  const token = async (...scopes: string[]) => {
    const { body } = await inBrowser.post('/api/tokens', { name: scopes.join(' '), scopes })
    return { id: String(body.token.id), authorization: { authorization: `Bearer ${body.token.secret}` } }
  }
  const [reader, writer] = [await token('mcp:read'), await token('mcp:write')]

  const make = {
    workspace: async (more = {}) =>
      String((await ada.rest.post('/api/workspaces', { name: 'Widgets', ...more })).body.workspace.id),
    invite: async (workspaceId: string, role = 'member') => {
      const { body } = await ada.rest.post(`/api/workspaces/${workspaceId}/invites`, { role })
      return { inviteId: String(body.invite.id), secret: String(body.link.split('/').at(-1)) }
    },
    async bob(workspaceId: string, role = 'member') {
      const { secret } = await make.invite(workspaceId, role)
      await bob.rest.post('/api/invites/accept', { secret })
      const { members } = (await ada.rest.get(`/api/workspaces/${workspaceId}/members`)).body
      return String(members.find(({ name }: { name: string }) => name === 'Bob').userId)
    },
    async agent(workspaceId: string): Promise<{ agent: Agent; sessionId: string; claimId: string }> {
      const agent = createAgent(fetchLike, `${origin}/api/mcp`, ada.accessToken)
      await agent.join({ workspaceId })
      await agent.call('identify_intent', { userPrompt: 'Add a button', forceIntent: 'implement' })
      await agent.call('read_team_state')
      const { claim } = await agent.claim('src/a')
      const { sessions } = (await ada.rest.get(`/api/workspaces/${workspaceId}/sessions`)).body
      return { agent, sessionId: sessions[0].id, claimId: claim.claimId }
    },
    value: (workspaceId: string, key: string) =>
      ada.rest.put(`/api/workspaces/${workspaceId}/values/${encodeURIComponent(key)}`, { color: 'teal' }),
    async connection() {
      await login('Ada')
      const { connections } = (await inBrowser.get('/api/connections')).body
      return String(connections[0].id)
    },
  }

  async function furnished(): Promise<Record<string, string>> {
    const workspaceId = await make.workspace({ repoUrl: REPO })
    const userId = await make.bob(workspaceId)
    const { inviteId } = await make.invite(workspaceId)
    const { sessionId, claimId } = await make.agent(workspaceId)
    await make.value(workspaceId, 'theme')
    const { repos } = (await ada.rest.get(`/api/workspaces/${workspaceId}/repos`)).body
    return { workspaceId, userId, inviteId, sessionId, claimId, repoId: repos[0].id, key: 'theme' }
  }
  const busy = await furnished()

  /** What each operation needs that is more than a workspace of its own; every one that changes something is here. */
  const calls: Readonly<Record<string, (status: number) => Promise<Call>>> = {
    workspaceAction: async (status) =>
      status === 201
        ? { ids: {}, body: { name: 'Gadgets' } }
        : { ids: {}, body: { action: 'switch', workspaceId: busy['workspaceId'] } },
    updateWorkspace: async () => ({ ids: { workspaceId: await make.workspace() }, body: { archived: true } }),
    deleteWorkspace: async () => ({ ids: { workspaceId: await make.workspace() } }),
    changePolicy: async () => ({ ids: { workspaceId: await make.workspace() }, body: { casMode: 'strict' } }),
    async changeMember() {
      const workspaceId = await make.workspace()
      return { ids: { workspaceId, userId: await make.bob(workspaceId) }, body: { role: 'admin' } }
    },
    async removeMember() {
      const workspaceId = await make.workspace()
      return { ids: { workspaceId, userId: await make.bob(workspaceId) } }
    },
    async transferOwnership() {
      const workspaceId = await make.workspace()
      return { ids: { workspaceId }, body: { userId: await make.bob(workspaceId, 'admin') } }
    },
    createInvite: async () => ({ ids: { workspaceId: await make.workspace() }, body: { role: 'member' } }),
    async revokeInvite() {
      const workspaceId = await make.workspace()
      return { ids: { workspaceId, inviteId: (await make.invite(workspaceId)).inviteId } }
    },
    async acceptInvite() {
      const { secret } = await make.invite(await make.workspace())
      return { ids: {}, body: { secret }, authorization: bob.authorization }
    },
    async bindRepository(status) {
      const workspaceId = await make.workspace()
      const body = { repoUrl: 'https://git.example/acme/docs.git' }
      if (status === 200) await ada.rest.post(`/api/workspaces/${workspaceId}/repos`, body)
      return { ids: { workspaceId }, body }
    },
    async unbindRepository() {
      const workspaceId = await make.workspace({ repoUrl: REPO })
      const { repos } = (await ada.rest.get(`/api/workspaces/${workspaceId}/repos`)).body
      return { ids: { workspaceId, repoId: repos[0].id } }
    },
    endSession: async () => ({ ids: await furnished(), body: { reason: 'it hangs' } }),
    forceReleaseClaim: async () => ({ ids: await furnished(), body: { reason: 'needed' } }),
    async putValue(status) {
      const workspaceId = await make.workspace()
      if (status === 200) await make.value(workspaceId, 'theme')
      return { ids: { workspaceId, key: 'theme' }, body: { color: 'red' } }
    },
    async deleteValue() {
      const workspaceId = await make.workspace()
      await make.value(workspaceId, 'theme')
      return { ids: { workspaceId, key: 'theme' } }
    },
    async deleteValues() {
      const workspaceId = await make.workspace()
      await make.value(workspaceId, 'drafts/1')
      return { ids: { workspaceId }, query: { prefix: 'drafts/' } }
    },
    createToken: async () => ({ ids: {}, body: { name: 'CI' } }),
    revokeToken: async () => ({ ids: { tokenId: (await token('mcp:read')).id } }),
    endConnection: async () => ({ ids: { connectionId: await make.connection() } }),
    async endEverything() {
      // Carl's, who is nobody else here.
      const carl = await login('Carl')
      const his = visitor(fetchLike, origin)
      await enter(his, carl.person)
      const authorization = { cookie: his.cookie(), 'sec-fetch-site': 'same-origin' }
      return { ids: {}, query: { keepThisBrowser: 'true' }, authorization }
    },
  }

  return {
    authorizationFor: ({ callers }) => (callers === 'browser' ? browser : ada.authorization),
    reader: reader.authorization,
    writer: writer.authorization,
    busy,
    async send(method, path, headers, body) {
      const response = await fetchLike(path, { method, headers, ...(body === undefined ? {} : { body }) })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.includes('json') === true && !text.includes('\n{')
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : null }
    },
    async use(key, headers) {
      const answer = await restClient(fetchLike, headers).post(
        '/api/workspaces',
        { name: 'Other' },
        { 'idempotency-key': key },
      )
      if (answer.status !== 201) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
    },
    async call(operation, status) {
      const call = calls[operation.name]
      if (operation.method === 'GET') return { ids: busy }
      if (call === undefined) throw new Error(`nothing is known of ${operation.name}`)
      return call(status)
    },
  }
}
