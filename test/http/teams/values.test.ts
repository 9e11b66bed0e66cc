import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../../support/app.ts'
import { expectRefused, freshTeam, type Person } from '../../support/team.ts'

// The key-value store over REST.

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let ada: Person
let at: string
beforeEach(async () => {
  ;({ ada, at } = await freshTeam(t))
})

describe('values', () => {
  test('are written over the version that was seen, or only where there is none', async () => {
    const key = `${at}/values/${encodeURIComponent('ports/über?')}`
    const made = await ada.rest.put(key, { web: 7300 }, { 'if-none-match': '*' })
    expect(made).toMatchObject({ status: 201, body: { value: { key: 'ports/über?', value: { web: 7300 } } } })
    const etag = made.headers.get('etag') ?? ''
    expectRefused(await ada.rest.put(key, 1, { 'if-none-match': '*' }), 412, 'PRECONDITION_FAILED')
    const read = await ada.rest.get(key)
    expect(read.headers.get('etag')).toBe(etag)
    expect((await ada.rest.get(key, { 'if-none-match': etag })).status).toBe(304)
    expect(await ada.rest.put(key, 'x', { 'if-match': etag })).toMatchObject({ status: 200 })
    expectRefused(await ada.rest.put(key, 'y', { 'if-match': etag }), 412, 'PRECONDITION_FAILED')
    expectRefused(await ada.rest.delete(key, { 'if-match': etag }), 412, 'PRECONDITION_FAILED')
    expect(await ada.rest.delete(key)).toMatchObject({ status: 200 })
    expectRefused(await ada.rest.get(key), 404, 'NOT_FOUND')
    expectRefused(await ada.rest.delete(key), 404, 'NOT_FOUND')
  })

  test('are one store with what agents write, and take any JSON but null', async () => {
    await ada.agent.join()
    for (const [n, value] of [0, false, '', [], {}, 'text'].entries()) {
      expect(await ada.rest.put(`${at}/values/k${n}`, value)).toMatchObject({ status: 201 })
    }
    const { values } = await ada.agent.call('read_values', { prefix: 'k' })
    expect(values.map((one: { value: unknown }) => one.value)).toEqual([0, false, '', [], {}, 'text'])
    expectRefused(await ada.rest.put(`${at}/values/k`, null), 400, 'INVALID_INPUT')
    expectRefused(await ada.rest.put(`${at}/values/k`, 'x'.repeat(70_000)), 400, 'INVALID_INPUT')
  })

  test('are deleted in bulk after a preview', async () => {
    for (const key of ['a1', 'a2', 'b1']) await ada.rest.put(`${at}/values/${key}`, 1)
    const preview = await ada.rest.delete(`${at}/values?prefix=a`)
    expect(preview.body.effects).toEqual({ deletes: 2, keys: ['a1', 'a2'], prefix: 'a' })
    const done = await ada.rest.delete(`${at}/values?prefix=a`, { 'confirm-token': preview.body.confirmToken })
    expect(done.body).toEqual({ deleted: { count: 2, prefix: 'a' } })
    expect((await ada.rest.get(`${at}/values`)).body.values).toMatchObject([{ key: 'b1' }])
  })
})
