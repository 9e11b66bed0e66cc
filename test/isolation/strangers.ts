import { createAgent } from '../support/agent.ts'
import type { TestApp } from '../support/app.ts'
import { enter, visitor, type FetchLike } from '../support/oauth.ts'
import { restClient } from '../support/rest.ts'
import { missing, type Things } from './fields.ts'
import type { Victim } from './victim.ts'

/** Somebody who tries what is not theirs, and all that they were told. */
export interface Stranger {
  readonly who: string
  readonly fetch: FetchLike
  readonly headers: Readonly<Record<string, string>>
  /** What is their own, so that they can do a thing right but for one id; null: they have nothing. */
  readonly own: Things | null
  /** Their agent reads the team state: what a refusal before may have made due. */
  readonly sync: () => Promise<unknown>
  /** Everything that they sent, and got, headers too. */
  readonly sent: string[]
  readonly got: string[]
  /** Canaries that they may know: their own name, say. */
  readonly familiar: readonly string[]
}

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Streams are left alone: they do not end. */
const isStream = (response: Response) => (response.headers.get('content-type') ?? '').startsWith('text/event-stream')

/** Writes down what went over the wire. */
function recorder(t: TestApp): Pick<Stranger, 'fetch' | 'sent' | 'got'> {
  const sent: string[] = []
  const got: string[] = []
  const fetch: FetchLike = async (url, init = {}) => {
    sent.push(decodeURIComponent(url), typeof init.body === 'string' ? init.body : '')
    const logged = t.logLines.length
    const response = await t.fetch(url, init)
    got.push(JSON.stringify([...response.headers]), ...t.logLines.slice(logged))
    if (isStream(response) && init.method !== 'POST') return response
    const text = await response.text()
    got.push(text)
    const { status, headers } = response
    return new Response(status === 304 ? null : text, { status, headers })
  }
  return { fetch, sent, got }
}

const nothing = async () => undefined
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Joins a workspace of its own, on the same machine's paths, and holds a claim there. */
async function settle(t: TestApp, name: string): Promise<Pick<Stranger, 'headers' | 'own' | 'sync'>> {
  const remote = 'https://git.example/acme/elsewhere'
  const { accessToken } = await t.login(name)
  const headers = bearer(accessToken)
  const rest = restClient(t.fetch, headers)
  const { id: workspaceId, repos } = (await rest.post('/api/workspaces', { name: 'Elsewhere', repoUrl: remote })).body
    .workspace
  const agent = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
  await agent.join({ workspaceId }, { remote })
  await agent.call('identify_intent', { userPrompt: 'x', forceIntent: 'implement' })
  await agent.call('read_team_state')
  const { claim } = await agent.claim('src/own')
  await agent.call('write_values', { entries: [{ key: 'own', value: 1 }] })
  const [me] = (await rest.get(`/api/workspaces/${workspaceId}/members`)).body.members
  const [session] = (await rest.get(`/api/workspaces/${workspaceId}/sessions`)).body.sessions
  const own = {
    ...missing,
    workspaceId,
    userId: me.userId,
    repoId: repos[0].id,
    sessionId: session.id,
    claimId: claim.claimId,
    key: 'own',
    keys: ['own'],
    prefix: 'own',
    agentId: agent.agentId,
    targetAgentId: agent.agentId,
    expectedStateHash: agent.stateHash,
    sinceStateHash: agent.stateHash,
    paths: ['src/own'],
    path: 'src/own',
    remote,
  }
  return { headers, own, sync: () => agent.call('read_team_state') }
}

/** Somebody with a workspace of their own, who was never in the other one. */
export async function anotherTenant(t: TestApp, name: string): Promise<Stranger> {
  return { who: 'another tenant', ...recorder(t), ...(await settle(t, name)), familiar: [] }
}

/** The same in a browser, which may do what no token may. */
export async function inBrowser(t: TestApp, name: string): Promise<Stranger> {
  const settled = await settle(t, name)
  const visit = visitor(t.fetch, t.publicUrl)
  await enter(visit, { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` })
  const headers = { cookie: visit.cookie(), 'sec-fetch-site': 'same-origin' }
  return { who: 'another tenant in a browser', ...recorder(t), ...settled, headers, familiar: [] }
}

/** Was an admin of it, with an agent at work, and is not any more. */
export async function removedMember(t: TestApp, name: string, victim: Victim): Promise<Stranger> {
  const { accessToken } = await t.login(name)
  const headers = bearer(accessToken)
  await victim.admit(restClient(t.fetch, headers), 'admin')
  const agent = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
  const { workspaceId, remote } = victim.things
  await agent.join({ workspaceId }, { remote })
  const { members } = (await victim.owner.get(`/api/workspaces/${victim.workspaceId}/members`)).body
  const { userId } = members.find((member: { name: string }) => member.name === name)
  await victim.owner.confirmed('DELETE', `/api/workspaces/${victim.workspaceId}/members/${userId}`)
  return { who: 'a removed member', ...recorder(t), ...(await settle(t, name)), familiar: [] }
}

/** The owner’s own token, which opens another workspace of theirs and nothing else. */
export async function boundToken(t: TestApp, victim: Victim): Promise<Stranger> {
  const { browser } = victim
  const remote = 'https://git.example/acme/elsewhere'
  const made = await browser.post('/api/workspaces', { name: 'Elsewhere', repoUrl: remote })
  const { id: workspaceId } = made.body.workspace
  const { token } = (await browser.post('/api/tokens', { name: 'bound', workspaceId })).body
  const headers = bearer(token.secret)
  await browser.post('/api/workspaces', { action: 'switch', workspaceId: victim.workspaceId })
  const own = { ...missing, workspaceId, userId: victim.things.userId, remote, agentId: 'my-own' }
  const agent = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, token.secret)
  const sync = () => agent.join({ workspaceId, agentId: own.agentId }, { remote })
  const familiar = [victim.canaries.get('person') ?? '']
  return { who: 'a token for another workspace', ...recorder(t), headers, own, sync, familiar }
}

/** The owner’s own token, which was revoked. */
export async function revokedToken(t: TestApp, { browser }: Victim): Promise<Stranger> {
  const { token } = (await browser.post('/api/tokens', { name: 'revoked' })).body
  await browser.delete(`/api/tokens/${token.id}`)
  return {
    who: 'a revoked token',
    ...recorder(t),
    headers: bearer(token.secret),
    own: null,
    sync: nothing,
    familiar: [],
  }
}

/** Is in the workspace, and may look. */
export async function viewer(t: TestApp, name: string, victim: Victim): Promise<Stranger> {
  const { accessToken } = await t.login(name)
  const headers = bearer(accessToken)
  await victim.admit(restClient(t.fetch, headers), 'viewer')
  const agent = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
  await agent.join({ workspaceId: victim.workspaceId }, { remote: victim.things.remote })
  const own = { ...victim.things, agentId: agent.agentId, expectedStateHash: agent.stateHash }
  return { who: 'a viewer', ...recorder(t), headers, own, sync: nothing, familiar: [] }
}
