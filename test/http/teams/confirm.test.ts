import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../../support/app.ts'
import { expectRefused, freshTeam, type Person, type Team } from '../../support/team.ts'

// What destroys is shown first, and done only as it was shown.

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let ada: Person
let bob: Person
let at: string
let n: number
let person: Team['person']
let admit: Team['admit']
beforeEach(async () => {
  ;({ ada, bob, at, n, person, admit } = await freshTeam(t))
})

describe('preview and confirm', () => {
  const target = () => `${at}/members/${bob.userId}`
  const token = async () => (await ada.rest.delete(target())).body.confirmToken as string
  const confirm = (confirmToken: string, who = ada, path = target()) =>
    who.rest.delete(path, { 'confirm-token': confirmToken })
  beforeEach(() => admit(bob, 'member'))

  test('a token works once', async () => {
    const confirmToken = await token()
    expect(await confirm(confirmToken)).toMatchObject({ status: 200 })
    expectRefused(await confirm(confirmToken), 404, 'NOT_FOUND')
    await admit(bob, 'member')
    expectRefused(await confirm(confirmToken), 409, 'CONFIRM_STALE')
  })

  test('any event since spoils it, and the next preview says what there is now', async () => {
    const confirmToken = await token()
    await bob.agent.ready()
    expectRefused(await confirm(confirmToken), 409, 'CONFIRM_STALE')
    expect((await ada.rest.delete(target())).body.effects).toMatchObject({ agentsEnded: 1 })
  })

  test('it is bound to person, operation and arguments, and breaks with any changed character', async () => {
    const carol = await person(`Carol${n}`)
    await admit(carol, 'member')
    const confirmToken = await token()
    expectRefused(await confirm(confirmToken, ada, `${at}/members/${carol.userId}`), 409, 'CONFIRM_INVALID')
    expectRefused(await confirm(confirmToken, bob), 409, 'CONFIRM_INVALID')
    expectRefused(await confirm(confirmToken, ada, at), 409, 'CONFIRM_INVALID')
    const flipped = confirmToken.replace(/.$/u, (last) => (last === 'A' ? 'Q' : 'A'))
    expectRefused(await confirm(flipped), 409, 'CONFIRM_INVALID')
    expect((await ada.rest.get(`${at}/members`)).body.members).toHaveLength(3)
  })

  test('after five minutes it is void', async () => {
    const confirmToken = await token()
    await t.elapse(-301)
    expect(await confirm(confirmToken)).toMatchObject({ status: 409, body: { code: 'CONFIRM_INVALID' } })
  })
})
