import { expect, onTestFinished, test } from 'vitest'
import { createTestApp } from '../support/app.ts'
import { modernPost } from '../support/modern.ts'

const MODERN = '2026-07-28'
const meta = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'outage', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

test.each([
  ['2025-06-18', {}, {}],
  ['2025-11-25', {}, {}],
  [MODERN, { _meta: meta }, { 'mcp-method': 'tools/call', 'mcp-name': 'read_team_state' }],
])(
  'an outage of the database is told to clients of %s by HTTP: 503 with Retry-After',
  async (version, envelope, headers) => {
    const t = await createTestApp()
    onTestFinished(() => t.close())
    const { accessToken } = await t.login('Ada')
    const call = () =>
      t.fetch('/api/mcp', {
        method: 'POST',
        headers: {
          authorization: `Bearer ${accessToken}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': version,
          ...headers,
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'read_team_state', arguments: {}, ...envelope },
        }),
      })
    const before = await call()
    expect(before.status).toBe(200)
    expect(await before.text()).toContain('NOT_JOINED')
    // The token was proven a moment ago and is remembered, so the call gets as far as the tool.
    await t.database.close()
    const response = await call()
    expect(response.status).toBe(503)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await response.json()).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
  },
)

test('an outage is 503 also for reading resources and for listening to them', async () => {
  const t = await createTestApp()
  onTestFinished(() => t.close())
  const { accessToken } = await t.login('Ada')
  const uri = 'orkestrate://workspaces/ws_x/state'
  const calls: [string, Record<string, unknown>][] = [
    ['resources/list', {}],
    ['resources/read', { uri }],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } }],
  ]
  for (const [method, params] of calls) {
    expect((await modernPost(t.fetch, accessToken, method, params)).status, method).toBe(200)
  }
  await t.database.close()
  for (const [method, params] of calls) {
    expect((await modernPost(t.fetch, accessToken, method, params)).status, method).toBe(503)
  }
})
