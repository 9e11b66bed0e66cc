import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { connect } from '../../src/db/client.ts'
import { FIGURES } from '../../src/kernel/metrics.ts'
import { createRegistry } from '../../src/observe/registry.ts'
import { observeRuntime } from '../../src/observe/runtime.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { createTestDatabase } from '../support/database.ts'
import { freshTeam } from '../support/team.ts'

const TOKEN = 'a-token-for-the-metrics-of-this-test'
const withToken = { headers: { authorization: `Bearer ${TOKEN}` } }

let t: TestApp

beforeAll(async () => {
  t = await createTestApp({ env: { METRICS_TOKEN: TOKEN } })
})
afterAll(() => t.close())

async function scrape(from: TestApp = t): Promise<string> {
  const answer = await from.fetch('/metrics', withToken)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return answer.text()
}

/** The value of a series; 0 where there is none. */
function value(text: string, series: string): number {
  const line = text.split('\n').find((line) => line.startsWith(`${series} `))
  return line === undefined ? 0 : Number(line.slice(series.length + 1))
}

describe('GET /metrics counts', () => {
  test('tool calls by tool and outcome, and the events that were committed, not those that were refused', async () => {
    const team = await freshTeam(t)
    await team.admit(team.bob, 'member')
    const before = await scrape()
    for (const { agent } of [team.ada, team.bob]) {
      await agent.join({ workspaceId: team.id })
      await agent.call('identify_intent', { userPrompt: 'Add a button' })
      await agent.call('read_team_state')
    }
    await team.ada.agent.claim('src')
    await team.bob.agent.claim('src/a.ts')
    const after = await scrape()
    const grown = (series: string) => value(after, series) - value(before, series)
    const calls = 'orkestrate_tool_call_duration_seconds_count'
    expect(grown(`${calls}{tool="claim_scope",outcome="ok"}`)).toBe(1)
    expect(grown(`${calls}{tool="claim_scope",outcome="SCOPE_CONFLICT"}`)).toBe(1)
    expect(grown(`${calls}{tool="join_workspace",outcome="ok"}`)).toBe(2)
    expect(grown('orkestrate_journal_events_total{event="claim.acquired"}')).toBe(1)
    expect(grown('orkestrate_journal_events_total{event="session.joined"}')).toBe(2)
    expect(grown('orkestrate_workspace_wait_seconds_count')).toBeGreaterThanOrEqual(8)
    expect(value(after, 'orkestrate_workspace_changes_waiting')).toBe(0)
  })

  test('requests by the template of their route, and everything that there is no route for as one', async () => {
    const { ada, at } = await freshTeam(t)
    await ada.rest.get(`${at}/claims`)
    for (let n = 0; n < 20; n += 1) {
      await t.fetch(`/no/such/${n}`)
      await t.fetch(`/api/no/such/${n}`, { method: `ODD${n}` })
    }
    const text = await scrape()
    const of = (route: string, method: string, status: string) =>
      value(
        text,
        `orkestrate_http_request_duration_seconds_count{route="${route}",method="${method}",status="${status}"}`,
      )
    expect(of('/api/workspaces/:workspaceId/claims', 'GET', '2xx')).toBe(1)
    expect(of('other', 'GET', '4xx')).toBe(20)
    expect(of('other', 'other', '4xx')).toBe(20)
    expect(value(text, 'orkestrate_problems_total{code="NOT_FOUND"}')).toBeGreaterThanOrEqual(40)
  })

  test('who was let in', async () => {
    const { ada } = await freshTeam(t)
    const before = await scrape()
    await ada.rest.get('/api/workspaces')
    await t.fetch('/api/workspaces', { headers: { authorization: 'Bearer nonsense' } })
    await t.fetch('/api/mcp')
    const after = await scrape()
    const grown = (resource: string, result: string) => {
      const series = `orkestrate_authentications_total{resource="${resource}",result="${result}"}`
      return value(after, series) - value(before, series)
    }
    expect([grown('rest', 'accepted'), grown('rest', 'refused'), grown('mcp', 'absent')]).toEqual([1, 1, 1])
  })

  test('event streams, until their reader leaves', async () => {
    const { accessToken } = await t.login('Streamer')
    const headers = { authorization: `Bearer ${accessToken}` }
    const created = await t.fetch('/api/workspaces', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"name":"Streams"}',
    })
    const { workspace } = (await created.json()) as { workspace: { id: string } }
    const stream = await t.fetch(`/api/workspaces/${workspace.id}/events`, {
      headers: { ...headers, accept: 'text/event-stream' },
    })
    expect(stream.status).toBe(200)
    expect(value(await scrape(), 'orkestrate_event_streams{stream="rest"}')).toBe(1)
    await stream.body?.cancel()
    const text = await scrape()
    expect(value(text, 'orkestrate_event_streams{stream="rest"}')).toBe(0)
    expect(value(text, 'orkestrate_event_streams_ended_total{stream="rest",end="reader_left"}')).toBe(1)
  })

  test('calls that were too many', async () => {
    const { ada } = await freshTeam(t)
    const before = value(await scrape(), 'orkestrate_rate_limited_total{rate="sensitive calls"}')
    const ended = async () => (await ada.rest.delete('/api/tokens/tok_none')).status
    let status = await ended()
    while (status !== 429) status = await ended()
    expect(value(await scrape(), 'orkestrate_rate_limited_total{rate="sensitive calls"}')).toBe(before + 1)
  })
})

describe('what GET /metrics never tells', () => {
  test('nothing of what anybody sent, nor any id: every label says one of a closed list', async () => {
    const canary = 'Canary'
    const { accessToken, clientId } = await t.login(canary, `${canary} client`)
    const agent = await t.agent(canary, `${canary} client`)
    await agent.join({ agentId: 'canary-agent' }, { remote: 'https://github.com/canary/canary.git', branch: 'canary' })
    await agent.call('identify_intent', { userPrompt: 'canary' })
    await agent.call('read_team_state')
    await agent.claim('src/canary.ts')
    await agent.call('write_values', { entries: [{ key: 'canary', value: 'canary' }] })
    await agent.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'canary', arguments: {} } })
    await agent.post({ jsonrpc: '2.0', id: 1, method: 'canary', params: {} })
    await t.fetch('/canary/canary?canary=canary', { method: 'CANARY' })
    await t.fetch('/api/workspaces/canary/events', { headers: { authorization: `Bearer ${accessToken}` } })
    const text = await scrape()
    expect(value(text, 'orkestrate_tool_call_duration_seconds_count{tool="other",outcome="unknown_tool"}')).toBe(1)
    expect(text).not.toMatch(/canary/iu)
    for (const secret of [accessToken, clientId, 'ork_', 'ws_', 'usr_', 'ses_']) expect(text).not.toContain(secret)
    const registry = createRegistry()
    const names = text.split('\n').flatMap((line) => /^# TYPE (\S+)/u.exec(line)?.[1] ?? [])
    expect(names.filter((name) => !Object.hasOwn(FIGURES, name))).toEqual([])
    expect(registry.render()).not.toBe('')
  })

  test('anything to whoever has no token', async () => {
    for (const authorization of [undefined, 'Bearer', `Bearer ${TOKEN}x`, `Basic ${TOKEN}`]) {
      const answer = await t.fetch('/metrics', authorization === undefined ? {} : { headers: { authorization } })
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toContain('Bearer')
      expect(await answer.text()).not.toContain('orkestrate_')
    }
  })
})

describe('GET /metrics without METRICS_TOKEN', () => {
  const ask = (app: TestApp, remoteAddress: string | undefined, headers: Record<string, string> = {}) =>
    app.app.http.request(
      'http://localhost:7300/metrics',
      { headers },
      remoteAddress === undefined ? {} : { incoming: { socket: { remoteAddress } } },
    )

  test('answers this machine alone, and nothing that a proxy forwarded', async () => {
    const local = await createTestApp()
    onTestFinished(() => local.close())
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) expect((await ask(local, address)).status).toBe(200)
    for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '2001:db8::1', undefined]) {
      expect((await ask(local, address)).status).toBe(404)
    }
    for (const header of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      expect((await ask(local, '127.0.0.1', { [header]: '203.0.113.9' })).status).toBe(404)
    }
    const rebound = await local.app.http.request(
      'http://evil.example/metrics',
      {},
      { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
    )
    expect(rebound.status).toBe(403)
  })

  test('answers nobody where PUBLIC_URL is for others, and says what to set', async () => {
    const open = await createTestApp({ env: { PUBLIC_URL: 'https://orkestrate.example' } })
    onTestFinished(() => open.close())
    const answer = await ask(open, '127.0.0.1')
    expect(answer.status).toBe(404)
    expect(await answer.text()).toContain('METRICS_TOKEN')
  })
})

test('GET /metrics answers while the database is away, and tells of the calls that failed', async () => {
  const db = await createTestDatabase()
  const metrics = createRegistry()
  const database = connect(db.target, { acquireTimeoutMs: 100 }, metrics)
  const app = await createTestApp({ env: { METRICS_TOKEN: TOKEN }, db: { ...db, database }, metrics })
  onTestFinished(async () => {
    await db.database.close()
    await app.close()
  })
  expect(value(await scrape(app), 'orkestrate_db_connections_max')).toBe(20)
  await database.close()
  await expect(database.query((orm) => orm.execute('select 1'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  const text = await scrape(app)
  expect(value(text, 'orkestrate_db_unavailable_total')).toBe(1)
  expect(value(text, 'orkestrate_db_calls_waiting')).toBe(0)
  expect(value(text, 'orkestrate_db_connections_in_use')).toBe(0)
})

test('the process tells of its event loop, memory and CPU time', async () => {
  const metrics = createRegistry()
  metrics.allow('version', ['1.2.3'])
  metrics.allow('node', [process.version])
  const runtime = observeRuntime(metrics, '1.2.3')
  onTestFinished(() => runtime.stop())
  await vi.waitFor(
    () => expect(value(metrics.render(), 'orkestrate_event_loop_delay_seconds_count')).toBeGreaterThan(0),
    5_000,
  )
  const text = metrics.render()
  expect(value(text, `orkestrate_build_info{version="1.2.3",node="${process.version}"}`)).toBe(1)
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_heap_size_used_bytes']) {
    expect(value(text, name)).toBeGreaterThan(0)
  }
  expect(value(text, 'process_start_time_seconds')).toBeGreaterThan(1.7e9)
})
