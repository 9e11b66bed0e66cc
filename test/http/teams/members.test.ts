import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../../support/app.ts'
import { expectRefused, freshTeam, type Person, type Team } from '../../support/team.ts'

// Who is in a workspace and what they may, counted with the next call.

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
let admit: Team['admit']
let types: Team['types']
beforeEach(async () => {
  ;({ ada, bob, at, id, n, person, admit, types } = await freshTeam(t))
})

describe('a member who is removed', () => {
  test('is out with the next call: agents, claims, REST; what they held is free, on record', async () => {
    await admit(bob, 'member')
    await bob.agent.ready()
    await bob.agent.claim('src/a')
    await ada.agent.ready()
    const preview = await ada.rest.delete(`${at}/members/${bob.userId}`)
    expect(preview.body).toMatchObject({
      preview: true,
      effects: {
        member: { userId: bob.userId, role: 'member' },
        agentsEnded: 1,
        claimsReleased: 1,
        agents: [{ agentId: bob.agent.agentId, releasedPaths: ['src/a'] }],
      },
    })
    expect(await bob.agent.call('read_team_state'), 'a preview changes nothing').toMatchObject({ ok: true })
    // Bob's call renewed nothing that is on record, so the token still holds.
    const removed = await ada.rest.delete(`${at}/members/${bob.userId}`, {
      'confirm-token': preview.body.confirmToken,
    })
    expect(removed).toMatchObject({ status: 200, body: { removed: { userId: bob.userId, reason: 'removed' } } })

    expect(await bob.agent.call('read_team_state')).toMatchObject({ error: { code: 'NOT_JOINED' } })
    expect(await bob.agent.join({ workspaceId: id })).toMatchObject({ error: { code: 'WORKSPACE_NOT_FOUND' } })
    expectRefused(await bob.rest.get(at), 404, 'WORKSPACE_NOT_FOUND')
    expect((await bob.rest.get('/api/workspaces')).body.workspaces).toEqual([])
    await ada.agent.call('read_team_state')
    expect(await ada.agent.claim('src/a')).toMatchObject({ ok: true })
    expect(await types()).toEqual(expect.arrayContaining(['claim.released', 'session.ended', 'member.removed']))
  })

  test('leaves by themselves in the same way; the last owner can not', async () => {
    await admit(bob, 'viewer')
    expect(await bob.rest.confirmed('DELETE', `${at}/members/${bob.userId}`)).toMatchObject({
      status: 200,
      body: { removed: { reason: 'left' } },
    })
    expectRefused(await ada.rest.delete(`${at}/members/${ada.userId}`), 409, 'LAST_OWNER')
    expectRefused(await ada.rest.patch(`${at}/members/${ada.userId}`, { role: 'admin' }), 409, 'LAST_OWNER')
  })

  test('is never somebody’s equal or better, unless an owner says so', async () => {
    const carol = await person(`Carol${n}`)
    await admit(bob, 'admin')
    await admit(carol, 'admin')
    expectRefused(await bob.rest.delete(`${at}/members/${carol.userId}`), 403, 'FORBIDDEN_ROLE')
    expectRefused(await bob.rest.delete(`${at}/members/${ada.userId}`), 403, 'FORBIDDEN_ROLE')
    expectRefused(await bob.rest.patch(`${at}/members/${carol.userId}`, { role: 'viewer' }), 403, 'FORBIDDEN_ROLE')
    expect(await ada.rest.patch(`${at}/members/${carol.userId}`, { role: 'viewer' })).toMatchObject({ status: 200 })
  })
})

test('a role that changes counts with the next call', async () => {
  await admit(bob, 'member')
  await bob.agent.ready()
  await ada.rest.patch(`${at}/members/${bob.userId}`, { role: 'viewer' })
  expect(await bob.agent.claim('src/a')).toMatchObject({ error: { code: 'FORBIDDEN_ROLE' } })
  expect(await bob.agent.call('read_team_state')).toMatchObject({ ok: true })
})

test('ownership is handed on: the other is owner, and the one before an admin', async () => {
  await admit(bob, 'member')
  const { status, body } = await ada.rest.post(`${at}/ownership`, { userId: bob.userId })
  expect(status).toBe(200)
  const roles = Object.fromEntries(body.members.map((m: { userId: string; role: string }) => [m.userId, m.role]))
  expect(roles).toEqual({ [ada.userId]: 'admin', [bob.userId]: 'owner' })
  expectRefused(await ada.rest.post(`${at}/ownership`, { userId: ada.userId }), 403, 'FORBIDDEN_ROLE')
})
