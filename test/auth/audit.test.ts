/** The account log: what happens to an account is on record, with it and never without it. */
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { createAftermath } from '../../src/auth/aftermath.ts'
import type { Database } from '../../src/db/client.ts'
import { ENTRY_TYPES, type EntryType, entry, person } from '../../src/modules/audit/entry.ts'
import { record } from '../../src/modules/audit/store.ts'
import { accountLog, accountLogs } from '../support/account-log.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { createTestDatabase } from '../support/database.ts'
import { formTo, newPkce, postForm, tokensOf, visitor } from '../support/oauth.ts'
import { restClient } from '../support/rest.ts'
import { type AuditedPerson, auditedPeople, csrfIn, HERE, press, said, typesOf } from './audited.ts'
import { authorizePath, createHarness } from './harness.ts'

const THERE = '2001:db8:85a3:8d3:1319:8a2e:370:7348'
const THERE_SHORT = '2001:db8:85a3:8d3::/64'

let t: TestApp
beforeAll(async () => {
  t = await createTestApp({ env: { TRUST_PROXY: '1' } })
})
afterAll(() => t.close())

const { from, somebody, holds } = auditedPeople(() => t)

test('signing up, in, elsewhere and out, and changing the password: each with the way and from where', async () => {
  const ada = await somebody()
  const me = { kind: 'user', userId: ada.userId }
  expect(said(await ada.news())).toEqual([
    ['log.begun', { kind: 'system' }, { userId: ada.userId }],
    ['account.created', me, { way: 'password', address: HERE }],
    ['session.began', me, { way: 'password', address: HERE }],
  ])
  const elsewhere = visitor(from(THERE), t.publicUrl)
  const { email, password } = ada.person
  await press(elsewhere, '/login', '/login', { email, password })
  expect(said(await ada.news())).toEqual([['session.began', me, { way: 'password', address: THERE_SHORT }]])
  await press(ada.browser, '/account/connections', '/account/browsers')
  expect(said(await ada.news())).toEqual([['sessions.ended', me, { count: 1, reason: 'person', address: HERE }]])
  await press(elsewhere, '/login', '/login', { email, password })
  await ada.news()
  await press(ada.browser, '/account/password', '/account/password', {
    current: password,
    next: 'another long password',
  })
  expect(said(await ada.news())).toEqual([
    ['session.ended', me, { reason: 'replaced', address: HERE }],
    ['sessions.ended', me, { count: 1, reason: 'password_changed', address: HERE }],
    ['password.changed', me, { address: HERE }],
    ['session.began', me, { way: 'password', address: HERE }],
  ])
  await press(ada.browser, '/account/password', '/account/password', {
    current: 'not that one',
    next: 'yet another long one',
  })
  expect(said(await ada.news())).toEqual([
    ['sign_in.failed', me, { way: 'current_password', address: HERE, unrecorded: 0 }],
  ])
  await press(ada.browser, '/logout', '/logout')
  expect(said(await ada.news())).toEqual([['session.ended', me, { reason: 'signed_out', address: HERE }]])
  await holds(ada)
})

test('consents, what came of them, and every way in which a grant or a token ends', async () => {
  const ada = await somebody()
  await ada.news()
  const me = { kind: 'user', userId: ada.userId }
  const stolen = await ada.connect()
  const { clientId } = stolen
  const client = { kind: 'client', clientId }
  const begun = await ada.news()
  const grantId = begun[1]?.payload['grantId']
  const redirectUri = 'http://127.0.0.1:19876/callback'
  const scopes = ['mcp:read', 'mcp:write']
  const granted = {
    clientId,
    clientName: 'Claude Code',
    redirectUri,
    scopes,
    workspaceId: null,
    grantId,
    address: HERE,
  }
  expect(said(begun)).toEqual([
    ['consent.granted', me, granted],
    ['grant.began', client, { grantId, clientId }],
  ])

  const page = await ada.browser.open(authorizePath({ client_id: clientId, code_challenge: newPkce().challenge }))
  await ada.browser.submit(page, formTo(page, '/oauth/authorize'), {}, 'decision=deny')
  expect(said(await ada.news())).toEqual([
    ['consent.denied', me, { clientId, redirectUri, scopes, address: HERE, unrecorded: 0 }],
  ])

  const oauth = (path: string, fields: Record<string, string>) =>
    postForm(t.fetch, `${t.publicUrl}/api/oauth/${path}`, { client_id: clientId, ...fields })
  const refresh = (token: string) => oauth('token', { grant_type: 'refresh_token', refresh_token: token })
  const second = await tokensOf(await refresh(stolen.refreshToken))
  await tokensOf(await refresh(second.refreshToken))
  expect(await ada.news()).toEqual([])
  expect((await refresh(stolen.refreshToken)).status).toBe(400)
  expect(said(await ada.news())).toEqual([
    ['grant.revoked', { kind: 'system' }, { grantId, clientId, because: 'refresh_token_reused' }],
  ])
  expect((await refresh(stolen.refreshToken)).status).toBe(400)
  expect(await ada.news()).toEqual([])

  const given = await ada.connect()
  const revoke = (token: string) =>
    postForm(t.fetch, `${t.publicUrl}/api/oauth/revoke`, { client_id: given.clientId, token })
  await ada.news()
  await revoke(given.accessToken)
  await revoke(given.accessToken)
  await revoke(given.refreshToken)
  const ended = await ada.news()
  expect(typesOf(ended)).toEqual(['access_token.revoked', 'grant.revoked'])
  expect(ended.map(({ actor }) => actor)).toEqual(
    Array.from({ length: 2 }, () => ({ kind: 'client', clientId: given.clientId })),
  )
  expect(ended[1]?.payload).toMatchObject({ because: 'client' })

  await ada.connect()
  await ada.news()
  await press(ada.browser, '/account/connections', '/account/connections')
  expect(said(await ada.news())).toMatchObject([['grant.revoked', me, { because: 'person' }]])
  await holds(ada)
})

test('personal tokens: made, used to revoke each other, and all ended at once with the grants', async () => {
  const ada = await somebody()
  const me = { kind: 'user', userId: ada.userId }
  const bound = { expiresInDays: null, scopes: ['mcp:read'] }
  const ci = (await ada.rest.post('/api/tokens', { name: 'CI', ...bound })).body.token
  const other = (await ada.rest.post('/api/tokens', { name: 'Other' }, { 'idempotency-key': 'k' })).body.token
  expect((await ada.rest.post('/api/tokens', { name: 'Other' }, { 'idempotency-key': 'k' })).body.token).toEqual(other)
  const made = (await ada.news()).slice(3)
  expect(said(made)).toMatchObject([
    ['token.created', me, { tokenId: ci.id, name: 'CI', scopes: ['mcp:read'], workspaceId: null, expiresAt: null }],
    ['token.created', me, { tokenId: other.id, name: 'Other', expiresAt: other.expiresAt }],
  ])
  const withOther = restClient(t.fetch, { authorization: `Bearer ${other.secret}` })
  const withCi = restClient(t.fetch, { authorization: `Bearer ${ci.secret}` })
  expect((await withCi.delete(`/api/tokens/${other.id}`)).body.code).toBe('FORBIDDEN_SCOPE')
  expect((await withOther.post('/api/tokens', { name: 'x' })).body.code).toBe('FORBIDDEN_TOKEN')
  expect((await withOther.delete(`/api/tokens/${ci.id}`)).status).toBe(200)
  expect((await withOther.delete(`/api/tokens/${ci.id}`)).status).toBe(404)
  const byOther = { kind: 'token', userId: ada.userId, grantId: other.id }
  const refused = { workspaceId: null, unrecorded: 0 }
  const news = said(await ada.news())
  expect(news).toHaveLength(3)
  expect(news).toEqual(
    expect.arrayContaining([
      ['token.revoked', byOther, { tokenId: ci.id, name: 'CI' }],
      [
        'access.refused',
        { ...byOther, grantId: ci.id },
        { code: 'FORBIDDEN_SCOPE', operation: 'revokeToken', ...refused },
      ],
      ['access.refused', byOther, { code: 'FORBIDDEN_TOKEN', operation: 'createToken', ...refused }],
    ]),
  )
  await ada.connect()
  await ada.news()
  await press(ada.browser, '/account/connections/end', '/account/connections/end')
  expect(said(await ada.news())).toMatchObject([
    ['grant.revoked', me, { because: 'person' }],
    ['token.revoked', me, { tokenId: other.id }],
    ['access.ended', me, { grants: 1, tokens: 1, address: HERE }],
  ])
  await holds(ada)
})

test('roles: in the logs of whoever it happens to and of whoever does it, and what is refused in that of whoever asked', async () => {
  const [ada, bob] = [await somebody(), await somebody()]
  await Promise.all([ada.news(), bob.news()])
  const [byAda, byBob] = [ada, bob].map(({ userId }) => ({ kind: 'user', userId }))
  const workspaceId: string = (await ada.rest.post('/api/workspaces', { name: 'widgets' })).body.workspace.id
  const at = `/api/workspaces/${workspaceId}`
  const invited = async (role: string) => (await ada.rest.post(`${at}/invites`, { role })).body.link.split('/').at(-1)
  await bob.rest.post('/api/invites/accept', { secret: await invited('viewer') })
  const ofBob = { workspaceId, userId: bob.userId }
  expect(said(await ada.news())).toEqual([
    ['membership.began', byAda, { workspaceId, userId: ada.userId, role: 'owner', how: 'founded' }],
  ])
  expect(said(await bob.news())).toEqual([['membership.began', byBob, { ...ofBob, role: 'viewer', how: 'invited' }]])

  const raise = (who: AuditedPerson, userId: string, role: string) =>
    who.rest.patch(`${at}/members/${userId}`, { role })
  expect((await raise(bob, bob.userId, 'owner')).body.code).toBe('FORBIDDEN_ROLE')
  expect(said(await bob.news())).toEqual([
    ['access.refused', byBob, { code: 'FORBIDDEN_ROLE', operation: 'changeMember', workspaceId, unrecorded: 0 }],
  ])
  expect((await raise(ada, ada.userId, 'admin')).body.code).toBe('LAST_OWNER')
  expect((await raise(ada, bob.userId, 'viewer')).status).toBe(200)
  expect([await ada.news(), await bob.news()]).toEqual([[], []])

  await raise(ada, bob.userId, 'admin')
  const promoted = [['role.changed', byAda, { ...ofBob, from: 'viewer', to: 'admin' }]]
  expect([said(await ada.news()), said(await bob.news())]).toEqual([promoted, promoted])

  await ada.rest.post(`${at}/ownership`, { userId: bob.userId })
  const stepped = ['role.changed', byAda, { workspaceId, userId: ada.userId, from: 'owner', to: 'admin' }]
  const crowned = ['role.changed', byAda, { ...ofBob, from: 'admin', to: 'owner' }]
  expect([said(await ada.news()), said(await bob.news())]).toEqual([[crowned, stepped], [crowned]])

  expect((await bob.rest.delete(`${at}/members/${ada.userId}`)).body.preview).toBe(true)
  expect([await ada.news(), await bob.news()]).toEqual([[], []])
  await bob.rest.confirmed('DELETE', `${at}/members/${ada.userId}`)
  const removed = { workspaceId, userId: ada.userId, role: 'admin', reason: 'removed' }
  expect(said(await ada.news())).toEqual([['membership.ended', byBob, removed]])
  expect(said(await bob.news())).toEqual([['membership.ended', byBob, removed]])

  const back = (await bob.rest.post(`${at}/invites`, {})).body.link.split('/').at(-1)
  await ada.rest.post('/api/invites/accept', { secret: back })
  await Promise.all([ada.news(), bob.news()])
  const { lastSeq, lastHash } = (await bob.rest.confirmed('DELETE', at)).body.deleted
  const gone = { workspaceId, reason: 'workspace_deleted' }
  expect(said(await ada.news())).toEqual([['membership.ended', byBob, { ...gone, userId: ada.userId, role: 'member' }]])
  expect(said(await bob.news())).toEqual([
    ['workspace.deleted', byBob, { workspaceId, lastSeq, lastHash }],
    ['membership.ended', byBob, { ...gone, userId: bob.userId, role: 'owner' }],
  ])
  await Promise.all([holds(ada), holds(bob)])
})

test('what is rolled back is not on record, and leaves no hole', async () => {
  const ada = await somebody()
  await ada.news()
  const one = entry(ada.userId, 'password.changed', { address: HERE }, person(ada.userId))
  const failing = t.database.transaction(async (tx) => {
    await record(tx, [one])
    throw new Error('not after all')
  })
  await expect(failing).rejects.toThrow('not after all')
  expect(await ada.news()).toEqual([])
  await t.database.transaction((tx) => record(tx, [one]))
  expect(typesOf(await ada.news())).toEqual(['password.changed'])
  await holds(ada)
})

test('many at once, over several logs and in every order: none is lost, no hole, no deadlock, and every chain verifies', async () => {
  const all = [await somebody(), await somebody(), await somebody()]
  await Promise.all(all.map((who) => who.news()))
  const ids = all.map(({ userId }) => userId)
  let attempts = 0
  const rounds = Array.from({ length: 18 }, (_, round) => {
    const order = round % 2 === 0 ? ids : ids.toReversed()
    const whose = round % 3 === 0 ? order.slice(0, 1) : round % 3 === 1 ? order.slice(0, 2) : order
    return t.database.transaction((tx) => {
      attempts += 1
      const address = String(round)
      return record(
        tx,
        whose.map((userId) => entry(userId, 'password.changed', { address }, person(userId))),
      )
    })
  })
  const signIns = Array.from({ length: 3 }, async () => {
    const { email, password } = all[0]?.person ?? { email: '', password: '' }
    await press(visitor(from(THERE), t.publicUrl), '/login', '/login', { email, password })
  })
  await Promise.all([...rounds, ...signIns])
  const news = await Promise.all(all.map((who) => who.news()))
  const counts = new Map<string, number>()
  for (const { type } of news.flat()) counts.set(type, (counts.get(type) ?? 0) + 1)
  expect(Object.fromEntries(counts)).toEqual({ 'password.changed': 36, 'session.began': 3 })
  for (const who of all) {
    await holds(who)
    const log = await accountLog(t.database, who.userId)
    expect(log.map(({ at }) => at)).toEqual(log.map(({ at }) => at).toSorted())
  }
  // A deadlock would have been tried again.
  expect(attempts).toBe(rounds.length)
})

test('failed sign-ins are on record for who has that address, bounded, and for nobody else', async () => {
  const ada = await somebody()
  await ada.news()
  const aftermath = createAftermath(t.database, { debug: fail, info: fail, warn: fail, error: fail })
  for (let count = 0; count < 13; count += 1) {
    aftermath.signInFailed(ada.person.email, HERE)
    aftermath.signInFailed('nobody@example.org', HERE)
  }
  await aftermath.settle()
  const failed = ['sign_in.failed', { kind: 'anybody' }, { way: 'password', address: HERE, unrecorded: 0 }]
  expect(said(await ada.news())).toEqual(Array.from({ length: 10 }, () => failed))
  await t.database.transaction((tx) =>
    record(tx, [entry(ada.userId, 'password.changed', { address: HERE }, person(ada.userId))]),
  )
  expect(typesOf(await ada.news())).toEqual(['password.changed'])
  await holds(ada)
})

const fail = (facts: object, message: string) => {
  throw new Error(`${message}: ${JSON.stringify(facts)}`)
}

test('what a failed sign-in does before its answer is the same whether or not there is such an account', async () => {
  const db = await createTestDatabase()
  onTestFinished(() => db.drop())
  const calls: string[] = []
  const counted = (name: keyof Database) => (work: never) => {
    calls.push(name)
    return (db.database[name] as (work: never) => never)(work)
  }
  const database: Database = { ...db.database, query: counted('query'), transaction: counted('transaction') }
  const harness = createHarness(database)
  await harness.signedIn()
  // What comes after the answer waits until it is asked for, however long that answer takes.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const attempt = async (email: string) => {
    calls.length = 0
    const answer = await postForm(harness.fetch, `${harness.publicUrl}/login`, { email, password: 'a wrong password' })
    const body = (await answer.text()).replaceAll(email, 'the address')
    return { status: answer.status, body, headers: [...answer.headers], calls: [...calls] }
  }
  const [known, unknown] = [await attempt('ada@example.org'), await attempt('who@example.org')]
  expect(known).toEqual(unknown)
  expect(known.status).toBe(400)
  expect(known.calls.length).toBeGreaterThan(2)
  vi.useRealTimers()
  await harness.auth.close()
  const logs = [...(await accountLogs(db.database)).values()]
  expect(logs.flat().filter(({ type }) => type === 'sign_in.failed')).toHaveLength(1)
})

test('no secret, and no address of somebody else, is in any entry', async () => {
  const [ada, bob] = [await somebody(), await somebody()]
  const tokens = await ada.connect()
  const token = (await ada.rest.post('/api/tokens', { name: 'CI' })).body.token.secret
  const workspaceId: string = (await ada.rest.post('/api/workspaces', { name: 'w' })).body.workspace.id
  const at = `/api/workspaces/${workspaceId}`
  const secret = (await ada.rest.post(`${at}/invites`, { email: bob.person.email })).body.link.split('/').at(-1)
  await bob.rest.post('/api/invites/accept', { secret })
  await ada.rest.patch(`${at}/members/${bob.userId}`, { role: 'admin' })
  await postForm(t.fetch, `${t.publicUrl}/login`, { email: ada.person.email, password: 'a wrong password' })
  await t.app.auth.close()
  const logs = await accountLogs(t.database)
  const [everything, ofAda] = [JSON.stringify([...logs.values()]), JSON.stringify(logs.get(ada.userId))]
  const secrets = [
    tokens.accessToken,
    tokens.refreshToken,
    token,
    secret,
    ada.person.password,
    'a wrong password',
    ada.browser.cookie().split('=')[1] ?? '',
    await csrfIn(ada.browser, '/logout'),
  ]
  expect(secrets.filter((one) => one.length < 10 || everything.includes(one))).toEqual([])
  expect(everything).not.toContain('@example.org')
  expect(ofAda).toContain('token.created')
})

test('every type of entry is written by something that these tests do, or those of upstreams', async () => {
  const seen = new Set([...(await accountLogs(t.database)).values()].flat().map(({ type }) => type))
  const elsewhere: EntryType[] = ['identity.added', 'identity.removed']
  expect(Object.keys(ENTRY_TYPES).filter((type) => !seen.has(type))).toEqual(elsewhere)
})
