import { afterAll, beforeAll, expect, test } from 'vitest'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { OfficeOperation } from '../../src/modules/office.ts'
import { operations } from '../../src/modules/index.ts'
import { createTestApp, type TestApp } from '../support/app.ts'

// The document that programs are made from. That it tells the truth is for `npm run test:openapi`.

interface Described {
  readonly operationId: string
  readonly parameters: readonly { name: string; in: string; required: boolean }[]
  readonly responses: Readonly<Record<string, { description?: string }>>
  readonly requestBody?: { required: boolean }
}

let t: TestApp
let all: readonly OfficeOperation[]
let document: { openapi: string; paths: Record<string, Record<string, Described>> }
beforeAll(async () => {
  t = await createTestApp()
  all = [...operations, ...t.app.auth.operations]
  document = (await (await t.fetch('/api/openapi.json')).json()) as typeof document
})
afterAll(() => t.close())

const described = ({ path, method }: OfficeOperation): Described | undefined =>
  document.paths[path.replace(/:(\w+)/gu, '{$1}')]?.[method.toLowerCase()]

/** Every member of the document and of what is in it. */
function members(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [[name, inner] as [string, unknown], ...members(inner)])
}

test('is valid OpenAPI 3.0.3, with every reference leading somewhere', async () => {
  expect(document.openapi).toBe('3.0.3')
  expect(await new Validator().validate(document)).toMatchObject({ valid: true })
  const broken = structuredClone(document)
  Object.assign(broken.paths, { '/api/x': { get: { responses: {} } } })
  expect(await new Validator().validate(broken), 'the validator finds faults').toMatchObject({ valid: false })
})

test('uses nothing that only newer versions have', () => {
  const newer = members(document).filter(
    ([name, value]) =>
      ['$schema', 'const', 'prefixItems', '$defs', 'webhooks'].includes(name) ||
      (name === 'type' && Array.isArray(value)),
  )
  expect(newer).toEqual([])
})

test('has every operation, with its parameters, what it answers, and what it may refuse', () => {
  expect(members(document.paths).filter(([name]) => name === 'operationId')).toHaveLength(all.length)
  for (const operation of all) {
    const { name, params, query, body, statuses, exported } = operation
    const is = described(operation)
    expect(is?.operationId).toBe(name)
    const told = (place: string) => is?.parameters.filter((one) => one.in === place).map((one) => one.name)
    expect(told('path'), name).toEqual(Object.keys(params.shape))
    expect(told('query'), name).toEqual([...Object.keys(query.shape), ...(exported === undefined ? [] : ['format'])])
    const answers = Object.keys(is?.responses ?? {})
    expect(answers, name).toEqual(
      expect.arrayContaining([...statuses.map(String), '401', '403', '429', '503', 'default']),
    )
    expect(answers.includes('415'), name).toBe(body !== null)
  }
})

test('a call that may need a preview can be answered with one', () => {
  for (const operation of all.filter(({ confirmed }) => confirmed)) {
    expect(operation.statuses, operation.name).toContain(200)
    expect(JSON.stringify(described(operation)?.responses['200'])).toContain('#/components/schemas/Preview')
  }
})

test('a body is required exactly where there is no call without one', async () => {
  for (const operation of all.filter(({ body }) => body !== null)) {
    const accepted = operation.body?.safeParse(operation.name === 'putValue' ? undefined : {}).success
    expect(described(operation)?.requestBody?.required, operation.name).toBe(!accepted)
  }
  const { accessToken } = await t.login('Ada')
  const headers = { authorization: `Bearer ${accessToken}` }
  const made = await t.fetch('/api/workspaces', {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{"name":"x"}',
  })
  const { workspace } = (await made.json()) as { workspace: { id: string } }
  const empty = await t.fetch(`/api/workspaces/${workspace.id}/values/k`, { method: 'PUT', headers })
  expect([empty.status, await empty.json()]).toMatchObject([400, { code: 'INVALID_INPUT' }])
})

test('says If-Match where it works, and it is refused where it does not', async () => {
  for (const operation of all.filter(({ access }) => access === 'write')) {
    const named = described(operation)?.parameters.some(({ name }) => name === 'If-Match')
    expect(named, operation.name).toBe(operation.versioned)
  }
  const { accessToken } = await t.login('Ada')
  const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json', 'if-match': '"seen"' }
  const refused = await t.fetch('/api/workspaces', { method: 'POST', headers, body: '{"name":"x"}' })
  expect([refused.status, await refused.json()]).toMatchObject([412, { code: 'PRECONDITION_FAILED' }])
})
