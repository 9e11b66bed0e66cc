/** Logs as NDJSON: whole or broken off, never shorter than they are. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createExports } from '../../src/http/exports.ts'
import { ACCOUNT_LOG, type ChainedEntry, JOURNAL, verifyChain } from '../../src/journal/chain.ts'
import { SYSTEM } from '../../src/journal/event.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import { runFinished } from '../../src/modules/workflow/events.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { deferred } from '../support/deferred.ts'
import { enter, visitor } from '../support/oauth.ts'
import { restClient, type RestClient } from '../support/rest.ts'

let t: TestApp
let ada: RestClient
let token: string
let workspaceId: string
let at: string
beforeAll(async () => {
  t = await createTestApp()
  token = (await t.login('Ada')).accessToken
  ada = restClient(t.fetch, bearer(token))
  workspaceId = (await ada.post('/api/workspaces', { name: 'widgets' })).body.workspace.id
  at = `/api/workspaces/${workspaceId}/events`
  await t.app.journal.change({ workspace: workspaceId }, async (ws) => {
    for (let n = 0; n < 1_200; n += 1) {
      ws.append(runFinished, { runId: `run_${n}`, sessionId: 'ses_1', intentId: 'plan', reason: 'done' }, SYSTEM)
    }
  })
})
afterAll(() => t.close())

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })
const exported = async (path: string, headers: Record<string, string> = {}) => {
  const response = await t.fetch(path, { headers: { ...bearer(token), ...headers } })
  const text = await response.text()
  const lines = text.split('\n').slice(0, -1)
  return { response, text, entries: lines.map((line) => JSON.parse(line) as ChainedEntry) }
}
const userIdOf = async (secret: string) => (await t.app.auth.authenticate(`Bearer ${secret}`, 'rest'))?.userId ?? ''

test('a journal of more than a page comes whole, one event a line, and verifies', async () => {
  const { response, entries } = await exported(`${at}?format=ndjson`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="events.ndjson"')
  expect(entries).toHaveLength(1_202)
  expect(await verifyChain(entries, { kind: JOURNAL, id: workspaceId })).toMatchObject({ ok: true, events: 1_202 })
  const page = (await ada.get(`${at}?after=1100&limit=500`)).body
  expect(entries.slice(1_100)).toEqual(page.events)
  const byAccept = await exported(`${at}?after=1190&limit=2`, { accept: 'application/x-ndjson' })
  expect(byAccept.entries).toEqual(page.events.slice(90))
  expect((await exported(`${at}?after=5000`, { accept: 'application/x-ndjson' })).text).toBe('')
})

test('what is refused is refused before the first line, as everywhere', async () => {
  const stranger = restClient(t.fetch, bearer((await t.login('Bob')).accessToken))
  const { status, body, headers } = await stranger.get(`${at}?format=ndjson`)
  expect([status, body.code, headers.get('content-type')]).toEqual([
    404,
    'WORKSPACE_NOT_FOUND',
    'application/problem+json',
  ])
  const wrong = await ada.get(`${at}?format=csv`)
  expect([wrong.status, wrong.body.issues]).toEqual([400, [{ path: 'format', message: 'must be json or ndjson' }]])
  expect((await ada.get(`${at}?format=json`, { accept: 'application/x-ndjson' })).body.events).toHaveLength(100)
})

test('who may not read any more gets no further part, and no end that looks like one', async () => {
  const carl = restClient(t.fetch, bearer((await t.login('Carl')).accessToken))
  const { body } = await ada.post(`/api/workspaces/${workspaceId}/invites`, {})
  await carl.post('/api/invites/accept', { secret: body.link.split('/').at(-1) })
  const { members } = (await ada.get(`/api/workspaces/${workspaceId}/members`)).body
  const { userId } = members.find(({ name }: { name: string }) => name === 'Carl')
  const response = await t.fetch(`${at}?format=ndjson`, { headers: bearer((await t.login('Carl')).accessToken) })
  const reader = response.body?.getReader()
  expect((await reader?.read())?.done).toBe(false)
  await ada.confirmed('DELETE', `/api/workspaces/${workspaceId}/members/${userId}`)
  await expect(reader?.read()).rejects.toThrow('no such workspace')
})

test('an account log: one’s own alone, in pages and whole; not with a token for one workspace', async () => {
  const userId = await userIdOf(token)
  const { entries, response } = await exported('/api/audit?format=ndjson')
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="audit.ndjson"')
  expect(await verifyChain(entries, { kind: ACCOUNT_LOG, id: userId })).toMatchObject({
    ok: true,
    events: entries.length,
  })
  const first = (await ada.get('/api/audit?limit=2')).body
  expect(first).toEqual({ entries: entries.slice(0, 2), nextAfter: 2, hasMore: true })
  const rest = (await ada.get('/api/audit?after=2')).body
  expect(rest).toMatchObject({ entries: entries.slice(2), hasMore: false })

  const browser = visitor(t.fetch, t.publicUrl)
  await enter(browser, { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' })
  const inBrowser = restClient(t.fetch, { cookie: browser.cookie(), 'sec-fetch-site': 'same-origin' })
  expect((await inBrowser.get('/api/audit?after=2')).body.entries.slice(0, -1)).toEqual(rest.entries)
  const made = await inBrowser.post('/api/tokens', { name: 'CI', workspaceId })
  const bound = restClient(t.fetch, bearer(made.body.token.secret))
  for (const format of ['json', 'ndjson']) {
    expect((await bound.get(`/api/audit?format=${format}`)).body.code).toBe('FORBIDDEN_TOKEN')
  }
  const page = await browser.open('/account/log')
  expect(page.text).toContain('Made a personal access token “CI”')
  expect(page.text).toContain('Allowed a client “Claude Code”')
  expect(page.text).toMatch(/Created a workspace as owner · ws_\w+ · by a program of yours/u)
  const older = await browser.open('/account/log?before=2')
  expect(older.text).toContain('This log began')
  expect(older.text).not.toContain('Account created')
  const nobody = await visitor(t.fetch, t.publicUrl).open('/account/log')
  expect(new URL(nobody.url).pathname).toBe('/login')
})

async function* parts(...made: (object[] | Error)[]) {
  for (const part of made) {
    if (part instanceof Error) throw part
    yield part
  }
}

test('a part that cannot be read breaks the answer, or is the answer where it is the first', async () => {
  const exports = createExports({ pace: { stallMs: 60_000 } })
  const broken = await exports.open('usr', 'x', parts([{ n: 1 }], new Error('away')))
  await expect(broken.text()).rejects.toThrow('away')
  await expect(exports.open('usr', 'x', parts(new AppError('NOT_FOUND')))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await (await exports.open('usr', 'x', parts([{ n: 1 }, { n: 2 }], [{ n: 3 }]))).text()).toBe(
    '{"n":1}\n{"n":2}\n{"n":3}\n',
  )
})

test('a person reads a few at a time; one that is let go, or that takes nothing, gives its place back', async () => {
  const patient = createExports({ pace: { stallMs: 60_000 } })
  const open = () => patient.open('usr', 'x', parts([{ n: 1 }], [{ n: 2 }]))
  const all = await Promise.all(Array.from({ length: LIMITS.exportsPerUser }, open))
  await expect(open()).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  expect((await patient.open('other', 'x', parts([{}]))).status).toBe(200)
  await all[0]?.body?.cancel()
  expect(await (await open()).text()).toBe('{"n":1}\n{"n":2}\n')
  expect((await open()).status).toBe(200)

  const gone = deferred()
  const hurried = createExports({ pace: { stallMs: 20 } })
  const endless = async function* () {
    try {
      for (;;) yield [{ n: 1 }]
    } finally {
      gone.resolve()
    }
  }
  const stalled = await hurried.open('usr', 'x', endless())
  await gone.promise
  await expect(stalled.text()).rejects.toThrow('took nothing for too long')
})
