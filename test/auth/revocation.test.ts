/** What a person ends on the Connections page is over everywhere: two replicas on one database. */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { JournalEvent } from '../../src/journal/event.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import { type Agent, createAgent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { deferred } from '../support/deferred.ts'
import {
  enter,
  type FetchLike,
  formTo,
  type ObtainedTokens,
  obtainTokens,
  type Visitor,
  visitor,
} from '../support/oauth.ts'

let here: TestApp
let there: ReturnType<TestApp['replica']>
let fetchThere: FetchLike
beforeAll(async () => {
  // Streams ask this often whether they still may go on.
  here = await createTestApp({ pace: { recheckMs: 50 } })
  there = here.replica()
  fetchThere = (url, init) => there.app.http.request(new URL(url, here.publicUrl).href, init)
})
afterAll(async () => {
  await there.close()
  await here.close()
})

let people = 0
let browser: Visitor
let tokens: ObtainedTokens
let agent: Agent
let workspaceId: string
/** A person with a browser on the replica here, and an agent with a claim that works through the one there. */
beforeEach(async () => {
  people += 1
  browser = visitor(here.fetch, here.publicUrl)
  await enter(browser, personNow())
  tokens = await connect('Claude Code')
  agent = agentWith(tokens)
  await agent.ready()
  await agent.claim('src')
  const listed = (await (await fetchThere('/api/workspaces', bearer())).json()) as { workspaces: { id: string }[] }
  workspaceId = listed.workspaces[0]?.id ?? ''
})

const personNow = () => ({ email: `p${people}@example.org`, name: `P${people}`, password: 'a long enough password' })
const connect = (clientName: string) =>
  obtainTokens(here.fetch, { publicUrl: here.publicUrl, person: personNow(), browser, clientName })
const agentWith = ({ accessToken }: ObtainedTokens) => createAgent(fetchThere, `${here.publicUrl}/api/mcp`, accessToken)
const bearer = () => ({ headers: { authorization: `Bearer ${tokens.accessToken}` } })

const refusalOf = ({ isError, error }: Record<string, unknown>) => isError === true && (error as { code: string }).code

async function events(...types: string[]): Promise<JournalEvent[]> {
  return (await here.app.journal.read(workspaceId, 0, 1_000)).filter(({ type }) => types.includes(type))
}

/** Is the token anybody, asked there? */
async function statusThere(by: Agent): Promise<number> {
  return (await by.post({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })).status
}

async function endOne(): Promise<void> {
  const page = await browser.open('/account/connections')
  await browser.submit(page, formTo(page, '/account/connections'))
}

/** An agent with a connection of its own, the newest, and a claim; the clock by which its token is believed stands still. */
async function agentInStoppedTime(): Promise<Agent> {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const late = agentWith(await connect('Late'))
  await late.ready()
  await late.claim('lib')
  return late
}

test('an ended connection is nobody on another replica within a second, and its agent has lost everything at once', async () => {
  const late = await agentInStoppedTime()
  // The newest is the first on the page.
  await endOne()
  expect(await events('claim.released', 'session.ended')).toMatchObject([
    { type: 'claim.released', actor: { kind: 'user' } },
    { type: 'session.ended', actor: { kind: 'user' }, payload: { agentId: late.agentId, reason: 'grant_revoked' } },
  ])
  vi.advanceTimersByTime(1_000)
  expect(await statusThere(late)).toBe(401)
})

test('in the second in which another replica still believes the token, nothing can be done with it', async () => {
  const late = await agentInStoppedTime()
  // Nobody tells the other replica, which would forget the token at once.
  await endedAndNothingElse()
  await here.app.auth.finishRevocations()
  vi.advanceTimersByTime(999)
  expect(await statusThere(late)).toBe(200)
  expect(refusalOf(await late.call('read_team_state'))).toBe('NOT_JOINED')
  expect(refusalOf(await late.join())).toBe('UNAUTHENTICATED')
  expect(refusalOf(await late.join({ agentId: 'another' }))).toBe('UNAUTHENTICATED')
  expect(await events('session.joined')).toHaveLength(2)
})

/** Waits until that many statements of this database wait for a lock. */
async function waiting(count: number): Promise<void> {
  const waiters = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await vi.waitFor(async () => {
    expect(await here.database.query((orm) => orm.execute(waiters))).toHaveLength(count)
  }, 3_000)
}

test('a connection that ends in the middle of a join takes the new session along', async () => {
  const late = agentWith(await connect('Late'))
  const gate = deferred()
  // Reading is let through, so that only the insertion of the session waits.
  const obstacle = here.database.transaction(async (tx) => {
    await tx.execute(sql`lock table sessions in share mode`)
    await gate.promise
  })
  const joining = late.join({ agentId: 'late' })
  await waiting(1)
  // The newest connection is the first on the page.
  const ending = endOne()
  await Promise.race([waiting(2), ending])
  gate.resolve()
  await Promise.all([obstacle, joining, ending])
  expect(await events('session.ended')).toMatchObject([{ payload: { agentId: 'late' } }])
})

/** What a process leaves that dies as soon as the end of grants is committed. */
const endedAndNothingElse = () =>
  here.database.transaction((tx) =>
    tx.execute(sql`update oauth_grants set revoked_at = clock_timestamp()
      where user_id = (select user_id from accounts where email = ${personNow().email})`),
  )

test('what a process that died has left of a grant that it ended is ended by any other, once', async () => {
  await endedAndNothingElse()
  expect(await events('session.ended', 'claim.released')).toEqual([])
  await there.app.auth.finishRevocations()
  await here.app.auth.finishRevocations()
  expect(await events('session.ended', 'claim.released')).toMatchObject([
    { type: 'claim.released' },
    { type: 'session.ended', payload: { agentId: agent.agentId, reason: 'grant_revoked' } },
  ])
})

test('an open event stream on another replica ends with the connection that it was opened with', async () => {
  const { headers } = bearer()
  const response = await fetchThere(`/api/workspaces/${workspaceId}/events`, {
    headers: { ...headers, accept: 'text/event-stream' },
  })
  expect(response.status).toBe(200)
  await endOne()
  // Reads to the end: it would wait for ever if the stream did not end, perhaps before what else ended with it.
  expect(await response.text()).not.toContain('event: workspace.created')
})

test('all connections end together, however many sessions hang on each, after a page has said what that means', async () => {
  const other = agentWith(await connect('Codex'))
  await other.join()
  // More than a grant may begin; resuming can bring it there.
  const count = LIMITS.sessionsPerGrant + 2
  await here.database.write({ workspace: workspaceId }, (tx) =>
    tx.execute(sql`
      insert into sessions select (jsonb_populate_record(s, jsonb_build_object('id', 'ses_' || n, 'agent_id', 'a-' || n))).*
      from sessions s, generate_series(2, ${count}::int) n
      where workspace_id = ${workspaceId} and agent_id = ${other.agentId}`),
  )
  const list = await browser.open('/account/connections')
  expect(list.links.map(({ href }) => new URL(href).pathname)).toContain('/account/connections/end')
  const preview = await browser.open('/account/connections/end')
  expect(preview.text).toMatch(/“Codex”.*“Claude Code”/)
  expect(preview.text).toContain(`The ${count + 1} agents at work lose their sessions`)
  expect(await statusThere(agent)).toBe(200)

  const after = await browser.submit(preview, formTo(preview, '/account/connections/end'))
  expect(after.text).toContain('Nothing is connected')
  expect(await events('session.ended')).toHaveLength(count + 1)
  await vi.waitFor(async () => expect(await statusThere(agent)).toBe(401), { timeout: 5_000, interval: 20 })
  await vi.waitFor(async () => expect(await statusThere(other)).toBe(401), { timeout: 5_000 })
})

test('the page tells which agents hang on which connection', async () => {
  const none = await connect('Idle client')
  const page = await browser.open('/account/connections')
  expect(page.text).toMatch(/Idle client.*Agents now none.*Claude Code.*Agents now 1 /)
  await agentWith(none).join()
  expect((await browser.open('/account/connections')).text).toMatch(/Idle client.*Agents now 1 /)
})
