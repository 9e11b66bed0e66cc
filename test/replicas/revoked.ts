/** What ends on one replica is over on the other. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Agent, createAgent } from '../support/agent.ts'
import { enter, type FetchLike, obtainTokens, postForm, type Visitor, visitor } from '../support/oauth.ts'
import { restClient, type RestClient } from '../support/rest.ts'
import { originOf, pastTheProxy } from './past-the-proxy.ts'
import { expectNone, type Scenario } from './scenario.ts'
import type { Stage } from './stage.ts'

const ROUNDS = 4
/** Promised in docs/protocol.md: how long a replica may believe what has ended elsewhere. */
const BELIEVED_MS = 1_000
/** How long the dead token is tried. */
const PROBE_MS = 1_800
/** A stream that is still open after this never ends. */
const STREAM_MS = 30_000

export const revoked: Scenario = {
  subject: 'revoked',
  guarantee: 'a token, grant or member that ends on one replica is dead on the other within a second',
  async play(stage) {
    const owner = await newOwner(stage)
    const kinds = Object.entries(ENDINGS)
    const latest = new Map(kinds.map(([kind]) => [kind, 0]))
    const violations: string[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      // Which replica it ends on, and which is asked.
      const [here, there] = round % 2 === 0 ? [0, 1] : [1, 0]
      await Promise.all(
        kinds.map(async ([kind, ending]) => {
          const victim = await newVictim(stage, owner, `${kind}${round}`, { here, there })
          const outcome = await watchEnd(victim, () => ending.end(victim, owner))
          latest.set(kind, Math.max(latest.get(kind) ?? 0, outcome.lastOkMs))
          violations.push(...outcome.violations.map((each) => `${kind}, round ${round}: ${each}`))
          if (ending.endsAgents) violations.push(...(await traces(owner, victim, kind, there)))
        }),
      )
    }
    expectNone(violations)
    const told = [...latest].map(([kind, ms]) => `${kind} ${ms.toFixed(0)} ms`)
    return `${ROUNDS} rounds, four kinds at once; the last call that was answered was sent this long after the end: ${told.join(', ')}`
  },
}

interface Owner {
  readonly workspaceId: string
  /** REST at each replica. */
  readonly rest: readonly RestClient[]
}

interface Victim {
  readonly here: number
  readonly there: number
  readonly userId: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly clientId: string
  /** Signed in at the replica where it ends. */
  readonly browser: Visitor
  readonly fetchHere: FetchLike
  readonly publicUrl: string
  /** At work with a claim, at the other replica. */
  readonly agent: Agent
  /** Is the token still good for the workspace, at the other replica? Null: it did not get to look. */
  readonly isLet: () => Promise<boolean | null>
  /** Resolves when the event stream that was open at the other replica has ended. */
  readonly streamEnded: Promise<void>
}

/** Each way of ending, at the replica `here`. Resolves when it was answered. */
const ENDINGS: Readonly<
  Record<string, { readonly endsAgents: boolean; end(victim: Victim, owner: Owner): Promise<unknown> }>
> = {
  'access token': {
    // It ends alone: other processes of the client may still work with theirs.
    endsAgents: false,
    end: ({ fetchHere, publicUrl, accessToken, clientId }) =>
      postForm(fetchHere, `${publicUrl}/api/oauth/revoke`, { token: accessToken, client_id: clientId }).then(must(200)),
  },
  grant: {
    endsAgents: true,
    end: ({ fetchHere, publicUrl, refreshToken, clientId }) =>
      postForm(fetchHere, `${publicUrl}/api/oauth/revoke`, { token: refreshToken, client_id: clientId }).then(
        must(200),
      ),
  },
  connection: {
    endsAgents: true,
    async end({ browser }) {
      const page = await browser.open('/account/connections')
      const form = page.forms.find(({ action }) => new URL(action).pathname === '/account/connections')
      if (form === undefined) throw new Error(`no connection is listed: ${page.text.slice(0, 300)}`)
      await browser.submit(page, form)
    },
  },
  member: {
    endsAgents: true,
    async end({ here, userId }, { rest, workspaceId }) {
      const path = `/api/workspaces/${workspaceId}/members/${userId}`
      // Others are at work in the workspace meanwhile, and any event makes a preview stale.
      for (let status = 409; status === 409;) {
        const answer = await rest[here]?.confirmed('DELETE', path)
        status = answer?.status ?? 0
        if (status !== 200 && status !== 409) throw new Error(`not removed: ${status} ${JSON.stringify(answer?.body)}`)
      }
    },
  },
}

function must(status: number): (answer: Response) => void {
  return (answer) => {
    if (answer.status !== status) throw new Error(`${answer.url} answered ${answer.status}`)
  }
}

let people = 0
function newPerson(name: string) {
  people += 1
  const handle = `${name.replaceAll(' ', '-')}-${people}`
  return { email: `${handle}@example.org`, name: `${name} ${people}`, password: `a long password of ${handle}` }
}

async function newOwner(stage: Stage): Promise<Owner> {
  const { publicUrl } = stage
  const { accessToken } = await obtainTokens(
    pastTheProxy(stage, () => 0),
    { publicUrl, person: newPerson('Owner') },
  )
  const authorization = { authorization: `Bearer ${accessToken}` }
  const rest = stage.replicas.map((_, index) =>
    restClient(
      pastTheProxy(stage, () => index),
      authorization,
    ),
  )
  const made = await rest[0]?.post('/api/workspaces', { name: 'Endings', repoUrl: 'git@github.com:acme/widgets.git' })
  return { workspaceId: made?.body.workspace.id, rest }
}

/** A member with a token, an agent that holds a claim, and an event stream. */
async function newVictim(
  stage: Stage,
  { rest, workspaceId }: Owner,
  name: string,
  { here, there }: { here: number; there: number },
): Promise<Victim> {
  const { publicUrl } = stage
  const [fetchHere, fetchThere] = [pastTheProxy(stage, () => here), pastTheProxy(stage, () => there)]
  const person = newPerson(name)
  const browser = visitor(fetchHere, publicUrl)
  await enter(browser, person)
  const tokens = await obtainTokens(fetchHere, { publicUrl, person, browser })
  const authorization = { authorization: `Bearer ${tokens.accessToken}` }
  const own = restClient(fetchThere, authorization)
  const invited = await rest[here]?.post(`/api/workspaces/${workspaceId}/invites`, { role: 'member' })
  const accepted = await own.post('/api/invites/accept', { secret: invited?.body.link.split('/').at(-1) })
  if (accepted.status !== 200) throw new Error(`not let in: ${accepted.status} ${JSON.stringify(accepted.body)}`)
  const members: { userId: string; name: string }[] = (await own.get(`/api/workspaces/${workspaceId}/members`)).body
    .members
  const agent = createAgent(fetchThere, `${publicUrl}/api/mcp`, tokens.accessToken)
  await agent.join({ workspaceId })
  await agent.call('identify_intent', { userPrompt: 'Work', forceIntent: 'implement' })
  await agent.call('read_team_state')
  const claimed = await agent.claim(`of/${agent.agentId}`)
  if (!claimed.ok) throw new Error(`${name} has no claim: ${claimed.text}`)
  const stream = await fetchThere(`${publicUrl}/api/workspaces/${workspaceId}/events`, {
    headers: { ...authorization, accept: 'text/event-stream' },
  })
  return {
    here,
    there,
    ...tokens,
    userId: members.find((member) => member.name === person.name)?.userId ?? '',
    browser,
    fetchHere,
    publicUrl,
    agent,
    async isLet() {
      // Not patiently: what counts is when the answered call was sent.
      const answer = await fetch(`${originOf(stage.replicas, there)}/api/workspaces/${workspaceId}`, {
        headers: authorization,
      })
      await answer.arrayBuffer()
      return answer.status === 503 ? null : answer.status === 200
    },
    streamEnded: stream.text().then(
      () => undefined,
      () => undefined,
    ),
  }
}

/** Asks at the other replica, all the while, whether the victim is still let in. */
async function watchEnd(
  { isLet, streamEnded }: Victim,
  end: () => Promise<unknown>,
): Promise<{ lastOkMs: number; violations: string[] }> {
  const violations: string[] = []
  if ((await isLet()) === false) violations.push('was not let in before the end')
  let endedAt = Infinity
  let lastOkAt = -Infinity
  const probing = (async () => {
    let wasRefused = false
    while (performance.now() < endedAt + PROBE_MS) {
      const sentAt = performance.now()
      const isOk = await isLet()
      if (isOk === true) lastOkAt = sentAt
      if (isOk === true && wasRefused) violations.push('was let in again after it had been refused')
      wasRefused ||= isOk === false
    }
    if (!wasRefused) violations.push('was never refused')
  })()
  await end()
  endedAt = performance.now()
  await probing
  const lastOkMs = Math.max(0, lastOkAt - endedAt)
  if (lastOkMs > BELIEVED_MS) violations.push(`was let in ${lastOkMs.toFixed(0)} ms after the end`)
  const isStreamOver = await Promise.race([streamEnded.then(() => true), delay(STREAM_MS, false, { ref: false })])
  if (!isStreamOver) violations.push('its event stream is still open')
  return { lastOkMs, violations }
}

/** What is left of the agent where others look: nothing, and its paths are free. */
async function traces({ rest, workspaceId }: Owner, { agent }: Victim, kind: string, there: number): Promise<string[]> {
  const [sessions, claims] = await Promise.all(
    ['sessions', 'claims'].map(async (what) =>
      JSON.stringify((await rest[there]?.get(`/api/workspaces/${workspaceId}/${what}`))?.body),
    ),
  )
  return [
    ...(claims?.includes(`of/${agent.agentId}`) === true
      ? [`${kind}: the claim of ${agent.agentId} is still live`]
      : []),
    ...(sessions?.includes(`"${agent.agentId}"`) === true ? [`${kind}: ${agent.agentId} still has a session`] : []),
  ]
}
