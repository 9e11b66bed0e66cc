import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../support/app.ts'

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read_team_state', arguments: {} } }

// Reference: RFC 9110 section 15.6.4. A 200 whose body says "not now" looks like an answer to everything in between.
test('a database that goes away in the middle of a call is a 503 with Retry-After, for clients of both generations', async () => {
  const ada = await t.agent('Ada')
  await ada.ready()
  await t.database.close()
  const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'read_team_state' }
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const answers = [await ada.post(CALL), await ada.post({ ...CALL, params: { ...CALL.params, _meta: meta } }, modern)]
  for (const answer of answers) {
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'UNAVAILABLE' })
  }
})
