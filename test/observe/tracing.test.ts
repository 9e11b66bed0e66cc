import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startTracing } from '../../src/observe/tracing.ts'
import { createTestApp } from '../support/app.ts'
import { portOf } from '../support/server-process.ts'

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly attributes: { key: string; value: { stringValue?: string; intValue?: number } }[]
}

/** A collector that keeps what it is sent, by OTLP over HTTP with JSON. */
async function openCollector() {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.once('end', () => {
      if (request.url === '/v1/traces') bodies.push(body)
      response.setHeader('Content-Type', 'application/json').end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${portOf(server)}/`, bodies }
}

const spansOf = (bodies: readonly string[]): Span[] =>
  bodies.flatMap((body) =>
    (JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans.flatMap(
      ({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans),
    ),
  )

test('a call is one trace, the caller’s own: request, tool, database; nothing that somebody wrote is in it', async () => {
  const { url, bodies } = await openCollector()
  const log = {
    debug: vi.fn<() => void>(),
    info: vi.fn<() => void>(),
    warn: vi.fn<() => void>(),
    error: vi.fn<() => void>(),
  }
  const t = await createTestApp()
  onTestFinished(() => t.close())
  const { accessToken } = await t.login('Canary', 'Canary client')
  const tracing = await startTracing({ endpoint: url, version: '1.2.3', log })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const answer = await t.fetch('/api/mcp?canary', {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      baggage: 'canary=canary',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'claim_scope',
        arguments: { paths: ['src/canary.ts'], reason: 'canary', expectedStateHash: '0-0' },
      },
    }),
  })
  expect(answer.status).toBe(200)
  expect(t.logLines.some((line) => line.includes(traceId))).toBe(true)
  await tracing.stop()

  const spans = spansOf(bodies).filter((span) => span.traceId === traceId)
  const request = spans.find(({ name }) => name === 'POST /api/mcp')
  const tool = spans.find(({ name }) => name === 'tool claim_scope')
  expect(request?.parentSpanId).toBe('b7ad6b7169203331')
  expect(tool?.parentSpanId).toBe(request?.spanId)
  expect(spans.some(({ name, parentSpanId }) => name.startsWith('database ') && parentSpanId === tool?.spanId)).toBe(
    true,
  )
  expect(tool?.attributes).toContainEqual({ key: 'orkestrate.outcome', value: { stringValue: 'NOT_JOINED' } })
  const sent = bodies.join('')
  expect(sent).toContain('"orkestrate"')
  expect(sent).not.toMatch(/canary/iu)
  expect(sent).not.toContain(accessToken)
})
