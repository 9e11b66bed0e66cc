import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type ServerType } from '@hono/node-server'
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GIT } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'

// The official clients over a real socket: version 2 in both protocol generations, version 1 in the older one.

let t: TestApp
let server: ServerType
let url: URL
beforeAll(async () => {
  t = await createTestApp()
  server = createAdaptorServer({ fetch: t.app.http.fetch })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/mcp`)
})
afterAll(async () => {
  server.close()
  await t.close()
})

interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>
  getInstructions(): string | undefined
  close(): Promise<void>
}

interface Result {
  structuredContent: Record<string, unknown>
  isError?: boolean
}

const info = { name: 'sdk-test', version: '1.0.0' }

async function headers(): Promise<{ requestInit: { headers: Record<string, string> } }> {
  const { accessToken } = await t.login('Ada', 'SDK')
  return { requestInit: { headers: { Authorization: `Bearer ${accessToken}` } } }
}

const clients: Record<string, () => Promise<AnyClient>> = {
  'SDK 2, protocol 2026-07-28': async () => {
    const client = new ClientV2(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
    await client.connect(new TransportV2(url, await headers()))
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28')
    return client
  },
  'SDK 2, as it comes': async () => {
    const client = new ClientV2(info)
    await client.connect(new TransportV2(url, await headers()))
    return client
  },
  'SDK 1': async () => {
    const client = new ClientV1(info)
    await client.connect(new TransportV1(url, await headers()))
    return client
  },
}

describe.each(Object.entries(clients))('%s', (name, open) => {
  test('learns the protocol, lists the tools, and makes a whole turn with answers that fit their schemas', async () => {
    const client = await open()
    expect(client.getInstructions()).toContain('join_workspace')
    expect((await client.listTools()).tools).toHaveLength(8)

    // Both clients check structuredContent against outputSchema and throw where it does not fit.
    const call = async (tool: string, input: Record<string, unknown>) => {
      const { structuredContent, isError } = (await client.callTool({ name: tool, arguments: input })) as Result
      const answer: Record<string, unknown> = { ...structuredContent, isError }
      return answer
    }
    const path = `sdk/${name.replaceAll(/\W/g, '-')}`
    const joined = await call('join_workspace', { gitContext: GIT })
    const { agentId } = joined['session'] as { agentId: string }
    await call('identify_intent', { userPrompt: 'Fix the build', forceIntent: 'implement', agentId })
    const read = await call('read_team_state', { agentId })
    const claimed = await call('claim_scope', { paths: [path], expectedStateHash: read['stateHash'], agentId })
    expect(claimed).toMatchObject({ ok: true, claim: { paths: [path] } })
    const content = { objective: 'Fix the build', footprint: [path] }
    const updated = await call('update_my_state', { content, expectedStateHash: claimed['stateHash'], agentId })
    expect(updated).toMatchObject({ ok: true, nextRequiredTool: null })
    await call('write_values', { entries: [{ key: path, value: [1, { two: null }] }], agentId })
    expect(await call('read_values', { prefix: path, agentId })).toMatchObject({
      values: [{ value: [1, { two: null }] }],
    })
    const { claimId } = claimed['claim'] as { claimId: string }
    expect(await call('release_scope', { claimId, agentId })).toMatchObject({ ok: true, remainingClaims: 0 })
    expect(await call('claim_scope', { paths: ['../x'], expectedStateHash: 'x', agentId })).toMatchObject({
      ok: false,
      isError: true,
    })
    await client.close()
  })
})
