import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UnknownToolError, type Answer, type Dispatch } from '../../src/kernel/dispatch.ts'
import { AppError, ERRORS, type ErrorCode } from '../../src/kernel/errors.ts'
import { tools } from '../../src/modules/index.ts'
import { createAgent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { createTwoPaths, messageOf, toolCall, VERSIONS, type TwoPaths } from '../support/two-paths.ts'

// A plain tools/call is answered without the SDK (src/mcp/plain-call.ts). Nobody may be able to tell.

const SITUATION = { phase: 'ready', nextRequiredTool: null, stateHash: '12-0123456789abcdef', alerts: [] }

/** Payloads with all that JSON can carry: text that must be escaped, in SSE too, and numbers and keys of every kind. */
const PAYLOADS: object[] = [
  {},
  { text: 'line\nline\r\n\u2028\u2029 "quoted" \\ </script> \u0007 ä 𝒳 \ud800' },
  { 9: 'nine', 1: [1.5, -0, 1e21, null, true, { deep: [{ deeper: [] }] }], gone: undefined, at: new Date(0) },
]

const IDS = [0, 7, -1, Number.MAX_SAFE_INTEGER, '', 'an id', 'ü"\n']

async function expectAlike(paths: TwoPaths, call: ReturnType<typeof toolCall>): Promise<Record<string, unknown>> {
  const { plain, own, sdk } = await paths.send(call.request, call.body)
  expect(plain).toBe(true)
  expect(own).toEqual(sdk)
  expect(own.dispatched).toHaveLength(1)
  return messageOf(own)
}

describe.each(VERSIONS)('to clients of %s the two paths answer with the same bytes', (version) => {
  const every = async (dispatch: Dispatch, check: (message: Record<string, unknown>) => void) => {
    const paths = createTwoPaths(dispatch)
    for (const [n, { name }] of tools.entries()) {
      const id = IDS[n % IDS.length] ?? 0
      const message = await expectAlike(paths, toolCall(version, name, { some: ['input'] }, id))
      expect(message).toMatchObject({ jsonrpc: '2.0', id })
      check(message)
    }
    await paths.close()
  }

  test.each([0, 1, 2])('every tool, when it succeeds (payload %i)', async (n) => {
    const answer: Answer = { ok: true, ...PAYLOADS[n], ...SITUATION, nextStep: 'Go on.' }
    await every(
      async () => answer,
      (message) => expect(message).toHaveProperty('result.structuredContent.ok', true),
    )
  })

  test('every tool, when it refuses', async () => {
    const error = { code: 'SCOPE_CONFLICT', message: 'Taken.', retryable: true, conflicts: [{ path: 'a' }] }
    const answer: Answer = { ok: false, error, recovery: ['Wait.'], ...SITUATION, allowedTools: ['read_values'] }
    await every(
      async () => answer,
      (message) => expect(message).toHaveProperty('result.isError', true),
    )
  })

  test('whatever goes wrong instead of an answer', async () => {
    const failures = [
      new UnknownToolError('claim_scopes', ['claim_scope']),
      new UnknownToolError('nothing like it', ['claim_scope']),
      new Error('a bug'),
      ...(Object.keys(ERRORS) as ErrorCode[])
        .filter((code) => code !== 'UNAVAILABLE')
        .map((code) => new AppError(code, undefined, { details: { fact: 1 } })),
    ]
    for (const failure of failures) {
      const paths = createTwoPaths(() => Promise.reject(failure))
      expect(await expectAlike(paths, toolCall(version, 'claim_scope', {}))).toHaveProperty('error.code')
      await paths.close()
    }
  })

  test('an outage is thrown to HTTP by both', async () => {
    const paths = createTwoPaths(() => Promise.reject(new AppError('UNAVAILABLE')))
    const { request, body } = toolCall(version, 'claim_scope', {})
    const { plain, own, sdk } = await paths.send(request, body)
    expect(plain).toBe(true)
    expect(own).toMatchObject({ status: 503, bytes: expect.stringContaining('thrown: UNAVAILABLE') as string })
    expect(own).toEqual(sdk)
    await paths.close()
  })
})

describe('the product’s own tools, doing their work', () => {
  let t: TestApp
  beforeAll(async () => {
    t = await createTestApp()
  })
  afterAll(() => t.close())

  test.each(VERSIONS)('answer clients of %s alike, each of them in success and in refusal', async (version) => {
    const { accessToken } = await t.login(`Ada-${version}`)
    const principal = await t.app.auth.authenticate(`Bearer ${accessToken}`, 'mcp')
    if (principal === null) throw new Error('the token is not known')
    const paths = createTwoPaths(t.app.dispatch)
    const seen = { true: new Set<string>(), false: new Set<string>() }
    const agent = createAgent(
      async (_url, init) => {
        const { id, params } = JSON.parse(typeof init?.body === 'string' ? init.body : '')
        const call = toolCall(version, params.name, params.arguments, id)
        const { plain, own, sdk } = await paths.send(call.request, call.body, principal)
        expect(plain).toBe(true)
        expect(own).toEqual({ ...sdk, dispatched: own.dispatched })
        expect(own.dispatched).toEqual(sdk.dispatched)
        return new Response(Buffer.from(own.bytes, 'base64'), { status: own.status, headers: own.headers.map(pair) })
      },
      'http://localhost/api/mcp',
      accessToken,
    )
    const call = async (tool: string, input?: Record<string, unknown>) => {
      const answer = await agent.call(tool, input)
      seen[answer.ok ? 'true' : 'false'].add(tool)
      return answer
    }
    await call('read_team_state')
    await call('join_workspace', { gitContext: { remote: 5 } })
    expect((await agent.join({}, { remote: `https://example.org/${version}` })).ok).toBe(true)
    seen.true.add('join_workspace')
    await call('claim_scope', { paths: ['src'] })
    await call('identify_intent', { userPrompt: 5 })
    await call('identify_intent', { userPrompt: 'x', forceIntent: 'implement' })
    await call('read_team_state')
    const { claim } = await call('claim_scope', { paths: ['src'], note: 'line\nline "x" ü' })
    await call('update_my_state', { content: { objective: 'o', footprint: ['elsewhere'] } })
    await call('update_my_state', { content: { objective: 'ü "o"', footprint: ['src/a.ts'] } })
    await call('write_values', { entries: [{ key: 'k', value: { deep: ['\u2028', 1.5, null] } }] })
    await call('write_values', { entries: [{ key: 'k', value: 1, expectedVersion: 1 }] })
    await call('read_values', { keys: ['k'] })
    await call('read_values', { keys: 5 })
    await call('release_scope', { claimId: claim.claimId })
    await call('release_claim', { claimId: 'clm_nothing' })
    await call('release_scope', { claimId: 'clm_nothing' })
    for (const { name } of tools) {
      expect(seen.true, 'succeeded').toContain(name)
      expect(seen.false, 'refused').toContain(name)
    }
    const unknown = toolCall(version, 'claim_scopes', {})
    const { plain, own, sdk } = await paths.send(unknown.request, unknown.body, principal)
    expect(plain).toBe(true)
    expect(own).toEqual(sdk)
    expect(messageOf(own)).toMatchObject({ error: { code: -32602, data: { nearest: 'claim_scope' } } })
    await paths.close()
  })
})

function pair([name, value]: readonly [string, string]): [string, string] {
  return [name, value]
}
