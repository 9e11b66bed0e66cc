import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../../support/app.ts'
import { expectRefused, freshTeam, type Person, type Team } from '../../support/team.ts'

// A workspace from its making to its end.

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let ada: Person
let bob: Person
let at: string
let id: string
let admit: Team['admit']
let types: Team['types']
beforeEach(async () => {
  ;({ ada, bob, at, id, admit, types } = await freshTeam(t))
})

describe('archiving and deleting', () => {
  test('an archived workspace is gone for everybody until its owner brings it back, whole', async () => {
    await admit(bob, 'member')
    await bob.agent.ready()
    await bob.agent.call('write_values', { entries: [{ key: 'k', value: 1 }] })
    const archived = await ada.rest.confirmed('PATCH', at, { archived: true })
    expect(archived).toMatchObject({ status: 200, body: { workspace: { archived: true } } })
    expect(await bob.agent.call('read_team_state')).toMatchObject({ error: { code: 'NOT_JOINED' } })
    expectRefused(await bob.rest.get(`${at}/state`), 404, 'WORKSPACE_NOT_FOUND')
    expect((await ada.rest.get('/api/workspaces')).body.workspaces).toEqual([])
    expect((await ada.rest.get('/api/workspaces?archived=true')).body.workspaces).toMatchObject([{ archived: true }])
    expect(await ada.rest.patch(at, { archived: false })).toMatchObject({ status: 200 })
    expect(await bob.rest.get(`${at}/values/k`)).toMatchObject({ status: 200, body: { value: { value: 1 } } })
  })

  test('a deleted workspace is gone for good: every table, the journal too', async () => {
    await ada.agent.ready()
    await ada.agent.claim('src/a')
    await ada.agent.call('write_values', { entries: [{ key: 'k', value: 'canary' }] })
    const preview = await ada.rest.post('/api/workspaces', { action: 'delete', workspaceId: id })
    expect(preview.body.effects).toMatchObject({
      deleted: { members: 1, repositories: 1, agents: 1, liveClaims: 1, values: 1 },
    })
    const { confirmToken } = preview.body
    const deleted = await ada.rest.post('/api/workspaces', { action: 'delete', workspaceId: id, confirmToken })
    expect(deleted).toMatchObject({ status: 200, body: { deleted: { workspaceId: id } } })
    expectRefused(await ada.rest.get(at), 404, 'WORKSPACE_NOT_FOUND')
    expect(await ada.agent.call('read_team_state')).toMatchObject({ error: { code: 'NOT_JOINED' } })
    for (const table of [
      'members',
      'repos',
      'sessions',
      'claims',
      'claim_paths',
      'runs',
      'values',
      'events',
      'invites',
    ]) {
      const rows = await t.database.read({ workspace: id }, (orm) =>
        orm.execute(`select 1 from ${table} where workspace_id = '${id}'`),
      )
      expect([table, rows.length]).toEqual([table, 0])
    }
  })

  test('is for owners', async () => {
    await admit(bob, 'admin')
    expectRefused(await bob.rest.delete(at), 403, 'FORBIDDEN_ROLE')
    expectRefused(await bob.rest.patch(at, { archived: true }), 403, 'FORBIDDEN_ROLE')
    expect(await bob.rest.patch(at, { name: 'Gadgets' })).toMatchObject({ status: 200 })
  })
})

describe('policy', () => {
  test('counts from the next call on, within its bounds, and only over the version that was seen', async () => {
    const seen = await ada.rest.get(`${at}/policy`)
    const etag = seen.headers.get('etag') ?? ''
    const changed = await ada.rest.patch(
      `${at}/policy`,
      { claimTtlSeconds: { default: 60 }, casMode: 'strict' },
      { 'if-match': etag },
    )
    expect(changed).toMatchObject({ status: 200, body: { policy: { claimTtlSeconds: { default: 60, min: 30 } } } })
    expectRefused(
      await ada.rest.patch(`${at}/policy`, { casMode: 'scoped' }, { 'if-match': etag }),
      412,
      'PRECONDITION_FAILED',
    )
    expectRefused(await ada.rest.patch(`${at}/policy`, { claimTtlSeconds: { min: 100 } }), 400, 'INVALID_INPUT')
    await ada.agent.ready()
    expect((await ada.agent.claim('src/a'))['claim'].ttlSeconds).toBe(60)
    expect(await types()).toContain('policy.changed')
  })
})

describe('repositories', () => {
  test('several belong to a workspace, each once, however its address is written', async () => {
    const more = await ada.rest.post(`${at}/repos`, { repoUrl: 'https://gitlab.com/acme/tools.git' })
    expect(more).toMatchObject({ status: 201, body: { repo: { canonicalRemote: 'gitlab.com/acme/tools' } } })
    const again = await ada.rest.post(`${at}/repos`, { repoUrl: 'git@gitlab.com:acme/tools' })
    expect(again).toMatchObject({ status: 200, body: { repo: { id: more.body.repo.id } } })
    expect(await ada.agent.join({}, { remote: 'ssh://git@gitlab.com/acme/tools' })).toMatchObject({ ok: true })
    expectRefused(await ada.rest.post(`${at}/repos`, { repoUrl: '/srv/local' }), 400, 'INVALID_INPUT')
  })

  test('one that is unbound lets nobody join, and whoever works on it ends', async () => {
    const joined = await ada.agent.join()
    const unbound = await ada.rest.confirmed('DELETE', `${at}/repos/${joined['repo'].id}`)
    expect(unbound).toMatchObject({ status: 200 })
    expect(await ada.agent.call('read_team_state')).toMatchObject({ error: { code: 'NOT_JOINED' } })
    expect(await types()).toContain('repo.unbound')
  })
})

describe('what the original service took', () => {
  test('creates without an action, and switches, renames, binds and archives by one', async () => {
    const first = (await ada.rest.get('/api/workspaces')).body.workspaces[0]
    const made = await ada.rest.post('/api/workspaces', { name: 'Second' })
    expect(made).toMatchObject({ status: 201, body: { workspace: { name: 'Second', active: true, role: 'owner' } } })
    const act = (action: string, more: object = {}) =>
      ada.rest.post('/api/workspaces', { action, workspaceId: first.id, ...more })
    expect(await act('switch')).toMatchObject({ status: 200, body: { workspace: { id: first.id, active: true } } })
    expect(await act('rename', { name: 'First' })).toMatchObject({
      status: 200,
      body: { workspace: { name: 'First' } },
    })
    expect(await act('bind-repo', { repoUrl: 'https://github.com/acme/more' })).toMatchObject({ status: 201 })
    const preview = await act('archive')
    expect(preview.body).toMatchObject({ preview: true })
    expect(await act('archive', { confirmToken: preview.body.confirmToken })).toMatchObject({ status: 200 })
    expect(await act('restore')).toMatchObject({ status: 200, body: { workspace: { archived: false } } })
    expectRefused(
      await ada.rest.post('/api/workspaces', { action: 'explode', workspaceId: first.id }),
      400,
      'INVALID_INPUT',
    )
  })
})
