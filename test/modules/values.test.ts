import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'

let t: TestApp
let ada: Agent
let bob: Agent
beforeAll(async () => {
  t = await createTestApp()
  ada = await t.agent('Ada')
  bob = await t.agent('Ada', 'Codex')
  await ada.join()
  await bob.join()
})
afterAll(() => t.close())

test('what one agent writes the other reads, with version, time and author', async () => {
  const written = await ada.call('write_values', { entries: [{ key: 'api/port', value: { port: 8080 } }] })
  const read = await bob.call('read_values', { keys: ['api/port', 'missing'] })
  expect(read['values']).toEqual([
    {
      key: 'api/port',
      value: { port: 8080 },
      version: written['values'][0].version,
      updatedAt: written['values'][0].updatedAt,
      updatedBy: ada.agentId,
    },
  ])
})

test('a version that has moved on refuses the whole batch, with what is there', async () => {
  const { values } = await ada.call('write_values', { entries: [{ key: 'shared', value: 1 }] })
  await bob.call('write_values', { entries: [{ key: 'shared', value: 2, expectedVersion: values[0].version }] })
  const refused = await ada.call('write_values', {
    entries: [
      { key: 'untouched', value: true },
      { key: 'shared', value: 3, expectedVersion: values[0].version },
    ],
  })
  expect(refused).toMatchObject({
    error: { code: 'VERSION_CONFLICT', conflicts: [{ key: 'shared', current: { value: 2, updatedBy: bob.agentId } }] },
  })
  expect((await ada.call('read_values', { keys: ['untouched'] }))['values']).toEqual([])
})

test('expectedVersion 0 creates once: of two that race one wins', async () => {
  const entry = (value: string) => ({ entries: [{ key: 'lock', value, expectedVersion: 0 }] })
  const answers = await Promise.all([ada.call('write_values', entry('ada')), bob.call('write_values', entry('bob'))])
  expect(answers.filter((answer) => answer.ok)).toHaveLength(1)
})

test('null deletes, and a version never comes back', async () => {
  const first = await ada.call('write_values', { entries: [{ key: 'gone', value: 1 }] })
  await ada.call('write_values', { entries: [{ key: 'gone', value: null }] })
  expect((await ada.call('read_values', { keys: ['gone'] }))['values']).toEqual([])
  const again = await ada.call('write_values', { entries: [{ key: 'gone', value: 1, expectedVersion: 0 }] })
  expect(again['values'][0].version).toBeGreaterThan(first['values'][0].version)
})

test('many values come in pages that each fit an answer, every value once', async () => {
  const keys = Array.from({ length: 40 }, (_, index) => `page/${String(index).padStart(3, '0')}`)
  await ada.call('write_values', { entries: keys.map((key) => ({ key, value: 'x'.repeat(500) })) })
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await ada.call('read_values', { prefix: 'page/', ...(cursor === undefined ? {} : { cursor }) })
    expect(page.text.length).toBeLessThan(9_000)
    seen.push(...page['values'].map((value: { key: string }) => value.key))
    cursor = page['nextCursor']
  } while (cursor !== undefined)
  expect(seen).toEqual(keys)
})

test('bounds are told: a key twice, a value over 64 KiB, text that cannot be stored', async () => {
  const twice = await ada.call('write_values', {
    entries: [
      { key: 'k', value: 1 },
      { key: 'k', value: 2 },
    ],
  })
  expect(twice).toMatchObject({ error: { code: 'INVALID_INPUT', issues: [{ path: 'entries.1.key' }] } })
  const large = await ada.call('write_values', { entries: [{ key: 'k', value: 'x'.repeat(70_000) }] })
  expect(large).toMatchObject({ error: { code: 'INVALID_INPUT', issues: [{ path: 'entries.0.value' }] } })
  const nul = await ada.call('write_values', { entries: [{ key: 'k', value: 'a\u0000b' }] })
  expect(nul).toMatchObject({ error: { code: 'INVALID_INPUT' } })
  expect((await ada.call('read_values', { keys: ['k'] }))['values']).toEqual([])
})

test('keys that JavaScript knows by name are keys like any other', async () => {
  await ada.call('write_values', { entries: [{ key: '__proto__', value: { constructor: 1 } }] })
  expect((await bob.call('read_values', { keys: ['__proto__'] }))['values']).toMatchObject([
    { value: { constructor: 1 } },
  ])
})
