import { fc, test } from '@fast-check/vitest'
import { isSpecType } from '@modelcontextprotocol/server'
import { afterAll, expect } from 'vitest'
import { oddRequests } from '../support/odd-requests.ts'
import { createTwoPaths } from '../support/two-paths.ts'

// Requests that are calls, almost calls, or nothing of the kind. The endpoint and the SDK must say the same to all of them,
// and dispatch the same; what is answered without the SDK must be what the SDK's own schema calls a call.

const paths = createTwoPaths(async (_principal, name, input) => ({
  ok: true,
  echo: { name, input },
  phase: 'ready',
  nextRequiredTool: null,
  nextStep: 'Go on.',
  stateHash: null,
  alerts: [],
}))
afterAll(() => paths.close())

const seen = { plain: 0, other: 0 }

test.prop([oddRequests], { numRuns: 1_000 })(
  'whatever is odd about a request, both ways answer and dispatch alike',
  async ({ method, headers, message }) => {
    const said = Object.entries(headers).filter(([, value]) => value !== '')
    const request = new Request('http://localhost/api/mcp', { method, headers: said })
    const body: unknown = JSON.parse(message)
    // A batch never gets here (src/http/mcp-route.ts).
    fc.pre(!Array.isArray(body))
    const { plain, own, sdk } = await paths.send(request, body)
    expect(own).toEqual(sdk)
    if (plain) expect(isSpecType.CallToolRequest(body)).toBe(true)
    seen[plain ? 'plain' : 'other'] += 1
  },
)

// Some 150 of 1,000 are; 80 would be six standard deviations from that.
test('many of them were plain calls, and many were not', () => {
  expect(seen.plain).toBeGreaterThan(80)
  expect(seen.other).toBeGreaterThan(80)
})
