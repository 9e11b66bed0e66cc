import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../../support/app.ts'
import { expectRefused, freshTeam, type Person, type Team } from '../../support/team.ts'

// One effect for calls that are made again.

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let ada: Person
let bob: Person
let at: string
let admit: Team['admit']
beforeEach(async () => {
  ;({ ada, bob, at, admit } = await freshTeam(t))
})

describe('a call that is made again with its Idempotency-Key', () => {
  test('has one effect and the same answer, also when both come at once', async () => {
    const make = () => ada.rest.post(`${at}/invites`, { role: 'viewer' }, { 'idempotency-key': 'once' })
    const answers = await Promise.all([make(), make(), make()])
    expect(new Set(answers.map(({ body }) => body.link)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(2)
    expect((await ada.rest.get(`${at}/invites`)).body.invites).toHaveLength(1)
  })

  test('is refused for anything else under the same key, and forgotten after a day', async () => {
    const key = { 'idempotency-key': 'k' }
    await ada.rest.put(`${at}/values/x`, 1, key)
    expectRefused(await ada.rest.put(`${at}/values/x`, 2, key), 422, 'IDEMPOTENCY_MISMATCH')
    expectRefused(await ada.rest.put(`${at}/values/y`, 1, key), 422, 'IDEMPOTENCY_MISMATCH')
    await t.database.query((orm) =>
      orm.execute(`update repeatable_calls set created_at = created_at - interval '25 hours'`),
    )
    expect(await ada.rest.put(`${at}/values/x`, 2, key)).toMatchObject({ status: 200 })
  })

  test('keeps what it answered sealed, and knows nobody else’s key', async () => {
    const key = { 'idempotency-key': 'secret' }
    const { body } = await ada.rest.post(`${at}/invites`, { role: 'viewer' }, key)
    const rows = await t.database.query((orm) => orm.execute(`select * from repeatable_calls`))
    expect(JSON.stringify(rows)).not.toContain(body.link.split('/').at(-1))
    await admit(bob, 'admin')
    expect(await bob.rest.post(`${at}/invites`, { role: 'viewer' }, key)).toMatchObject({ status: 201 })
  })
})
