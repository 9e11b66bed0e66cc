import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../../support/app.ts'
import { expectRefused, freshTeam, type Person, type Team } from '../../support/team.ts'

// What lets people into a workspace.

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let ada: Person
let bob: Person
let at: string
let id: string
let n: number
let person: Team['person']
let invite: Team['invite']
let accept: Team['accept']
let admit: Team['admit']
let types: Team['types']
beforeEach(async () => {
  ;({ ada, bob, at, id, n, person, invite, accept, admit, types } = await freshTeam(t))
})

describe('invitations', () => {
  test('let whoever holds the link in, with the role, as often as they say', async () => {
    const { secret } = await invite('viewer')
    expect(await accept(bob, secret)).toMatchObject({ status: 200, body: { workspace: { id, role: 'viewer' } } })
    expect((await bob.rest.get('/api/workspaces')).body.workspaces).toMatchObject([{ id, active: true }])
    expectRefused(await accept(bob, secret), 410, 'INVITE_INVALID')
    expect(await types()).toEqual(expect.arrayContaining(['invite.made', 'invite.accepted', 'member.added']))
  })

  test('of 8 people who accept one with two uses at the same time, exactly two come in', async () => {
    const { secret } = await invite('member', { maxUses: 2 })
    const people = await Promise.all(Array.from({ length: 8 }, (_, n) => person(`Racer${n}x${n}`)))
    const answers = await Promise.all(people.map((who) => accept(who, secret)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
    for (const answer of answers.filter(({ status }) => status !== 200)) expectRefused(answer, 410, 'INVITE_INVALID')
    expect((await ada.rest.get(`${at}/members`)).body.members).toHaveLength(3)
  })

  test('for an address let that person in and nobody else', async () => {
    const { secret } = await invite('member', { email: `BOB${n}@example.org` })
    expectRefused(await accept(await person(`Eve${n}`), secret), 410, 'INVITE_INVALID')
    expect(await accept(bob, secret)).toMatchObject({ status: 200 })
  })

  test('that were taken back, have expired, or never were get one and the same answer', async () => {
    const back = await invite()
    await ada.rest.delete(`${at}/invites/${back.inviteId}`)
    const old = await invite()
    await t.database.write({ workspace: id }, (tx) =>
      tx.execute(`update invites set expires_at = created_at where id = '${old.inviteId}'`),
    )
    const answers = await Promise.all([back.secret, old.secret, 'ork_inv_nothing'].map((secret) => accept(bob, secret)))
    const told = answers.map(({ status, body: { requestId: _requestId, ...body } }) => ({ status, body }))
    expectRefused(answers[0], 410, 'INVITE_INVALID')
    expect(told[1]).toEqual(told[0])
    expect(told[2]).toEqual(told[0])
  })

  test('give nothing that whoever made them could not give any more', async () => {
    await admit(bob, 'admin')
    const made = await bob.rest.post(`${at}/invites`, { role: 'member' })
    await ada.rest.patch(`${at}/members/${bob.userId}`, { role: 'member' })
    const late = await accept(await person(`Eve${n}`), made.body.link.split('/').at(-1))
    expect(late).toMatchObject({ status: 410, body: { code: 'INVITE_INVALID' } })
  })

  test('to a role as high as one’s own are made by owners alone', async () => {
    await admit(bob, 'admin')
    expectRefused(await bob.rest.post(`${at}/invites`, { role: 'admin' }), 403, 'FORBIDDEN_ROLE')
    expect(await bob.rest.post(`${at}/invites`, { role: 'member' })).toMatchObject({ status: 201 })
    expect(await ada.rest.post(`${at}/invites`, { role: 'owner' })).toMatchObject({ status: 201 })
  })

  test('show their link once, and nobody finds it again', async () => {
    const { secret } = await invite()
    const listed = JSON.stringify((await ada.rest.get(`${at}/invites`)).body)
    const events = JSON.stringify((await ada.rest.get(`${at}/events`)).body)
    expect(listed + events).not.toContain(secret)
    expect(t.logLines.join('\n')).not.toContain(secret)
  })
})
