import { afterAll, beforeAll, expect, test } from 'vitest'
import { LIMITS } from '../../src/kernel/limits.ts'
import { createTestApp, type TestApp } from '../support/app.ts'

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

test('over the limit a tool call is a tool result with the time to wait, everything else is 429 with Retry-After', async () => {
  const flood = await t.agent('Flood')
  await flood.join()
  const ping = async () => (await flood.post({ jsonrpc: '2.0', id: 1, method: 'ping' })).status
  // Until the first one is refused.
  for (let sent = 0, refused = false; !refused && sent < LIMITS.callsPerMinute * 2; sent += 100) {
    refused = (await Promise.all(Array.from({ length: 100 }, ping))).includes(429)
  }
  const answers = await Promise.all(Array.from({ length: 40 }, () => flood.call('read_team_state')))
  const answer = answers.find(({ ok }) => !ok)
  expect(answer).toMatchObject({
    isError: true,
    error: { code: 'RATE_LIMITED', retryable: true },
    nextRequiredTool: null,
  })
  expect(answer?.['error'].retryAfterMs).toBeGreaterThan(0)
  const list = () => flood.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const refused = (await Promise.all(Array.from({ length: 40 }, list))).find(({ status }) => status === 429)
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await (await t.agent('Calm')).join()).toMatchObject({ ok: true })
})
