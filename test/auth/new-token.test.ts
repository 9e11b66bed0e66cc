import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../support/app.ts'
import { type Values } from '../support/browser-form.ts'
import { enter, formTo, postForm, type VisitedPage, type Visitor, visitor } from '../support/oauth.ts'
import { restClient } from '../support/rest.ts'

// The page on which a person makes a personal access token, as browsers come to it.

const NEW = '/account/tokens/new'
const MADE = '/account/tokens/made'
const SECRET = /ork_test_[a-z2-7]{32}[0-9a-z]{7}/u

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

let count = 0
let ada: Visitor
const newcomer = async (name: string): Promise<Visitor> => {
  const visit = visitor(t.fetch, t.publicUrl)
  await enter(visit, { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` })
  return visit
}
beforeEach(async () => {
  count += 1
  ada = await newcomer(`Ada${count}`)
})

const rest = (visit: Visitor) => restClient(t.fetch, { cookie: visit.cookie(), 'sec-fetch-site': 'same-origin' })
const tokensOf = async (visit: Visitor) => (await rest(visit).get('/api/tokens')).body.tokens
const withToken = (secret: string) => restClient(t.fetch, { authorization: `Bearer ${secret}` })
const secretOn = ({ body }: VisitedPage): string => SECRET.exec(body)?.[0] ?? ''
const at = ({ url }: VisitedPage) => new URL(url).pathname

async function make(visit: Visitor, values: Values = {}): Promise<VisitedPage> {
  const page = await visit.open(NEW)
  return visit.submit(page, formTo(page, NEW), { name: 'CI', ...values })
}

/** The fields of a form as they were shown, with some changed as no browser would. */
const fieldsOf = (page: VisitedPage, changed: Record<string, string> = {}): Record<string, string> => ({
  ...Object.fromEntries(
    formTo(page, NEW).controls.map(({ name, value, options }) => [
      name,
      options.find(({ selected }) => selected)?.value ?? value,
    ]),
  ),
  name: 'CI',
  ...changed,
})
const post = (cookie: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  postForm(t.fetch, t.publicUrl + NEW, fields, { cookie, ...headers })

test('a person makes a token with a name; unless they choose otherwise it reads, for 90 days', async () => {
  const made = await make(ada, { name: '  Nightly \u202e build ' })
  expect({ at: at(made), status: made.status, cache: made.headers.get('cache-control') }).toEqual({
    at: MADE,
    status: 200,
    cache: 'no-store',
  })
  const secret = secretOn(made)
  expect(made.text).toContain('Nightly build')
  expect(made.text).toContain(
    'curl -H "Authorization: Bearer $ORKESTRATE_TOKEN" "http://localhost:7300/api/workspaces"',
  )
  const [token, ...others] = await tokensOf(ada)
  expect(others).toEqual([])
  expect(token).toMatchObject({
    name: 'Nightly build',
    lastFour: secret.slice(-4),
    scopes: ['mcp:read'],
    workspaceId: null,
  })
  expect(new Date(token.expiresAt).getTime() - new Date(token.createdAt).getTime()).toBe(90 * 86_400_000)
  expect((await withToken(secret).get('/api/workspaces')).status).toBe(200)
  expect(await withToken(secret).post('/api/workspaces', { name: 'x' })).toMatchObject({ status: 403 })
})

test('what the person chooses is what the token is: rights, workspace and end', async () => {
  const one = (await rest(ada).post('/api/workspaces', { name: 'Widgets' })).body.workspace.id
  await rest(ada).post('/api/workspaces', { name: 'Gadgets' })
  const made = await make(ada, { scopes: 'write', workspace: one, expires: 'never' })
  expect(made.text).toMatch(/May read and write Opens Widgets Ends never by itself/)
  expect(made.text).toContain('--bearer-token-env-var ORKESTRATE_TOKEN')
  const [token] = await tokensOf(ada)
  expect(token).toMatchObject({ scopes: ['mcp:read', 'mcp:write'], workspaceId: one, expiresAt: null })
  expect((await withToken(secretOn(made)).get('/api/workspaces')).body.workspaces).toMatchObject([{ id: one }])
  expect((await ada.open('/account/connections')).text).toContain('Opens Widgets May read and write')
})

describe('a token is shown once', () => {
  test('a reload shows nothing and makes nothing; no other page and no log has it (S-13, RFC 6819 §5.1.4.1.3)', async () => {
    const secret = secretOn(await make(ada))
    const again = await ada.open(MADE)
    expect(again.text).toContain('A token is shown once')
    const pages = [again, await ada.open(NEW), await ada.open('/account/connections')]
    expect(pages.map(({ body }) => body).join('') + t.logLines.join('')).not.toContain(secret)
    expect(await tokensOf(ada)).toHaveLength(1)
  })

  test('a form that is sent twice, as by a double click, makes one token, and the answer that arrives shows it', async () => {
    const fields = fieldsOf(await ada.open(NEW))
    const answers = await Promise.all([post(ada.cookie(), fields), post(ada.cookie(), fields)])
    expect(answers.map(({ status, headers }) => [status, headers.get('location')])).toEqual([
      [303, MADE],
      [303, MADE],
    ])
    expect(await tokensOf(ada)).toHaveLength(1)
    for (const answer of answers) {
      const cookie = `${ada.cookie()}; ${answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''}`
      const shown = await t.fetch(MADE, { headers: { cookie } })
      expect((await tokensOf(ada))[0].lastFour).toBe(SECRET.exec(await shown.text())?.[0].slice(-4))
      expect(shown.headers.getSetCookie()[0]).toMatch(/^ork_made=; Max-Age=0/)
    }
  })

  test('the form of a token that was made a while ago says so, and makes none', async () => {
    const fields = fieldsOf(await ada.open(NEW))
    await post(ada.cookie(), fields)
    await t.database.query((orm) =>
      orm.execute(`update personal_tokens set created_at = created_at - interval '61 seconds'`),
    )
    const answer = await post(ada.cookie(), fields)
    expect(answer.headers.getSetCookie()).toEqual([])
    const text = await answer.text()
    expect(text).toContain('A token is shown once')
    expect(text).not.toMatch(SECRET)
    expect(await tokensOf(ada)).toHaveLength(1)
  })

  test('one that was revoked meanwhile is not shown', async () => {
    const answer = await post(ada.cookie(), fieldsOf(await ada.open(NEW)))
    await rest(ada).delete(`/api/tokens/${(await tokensOf(ada))[0].id}`)
    const cookie = `${ada.cookie()}; ${answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''}`
    expect(await (await t.fetch(MADE, { headers: { cookie } })).text()).not.toMatch(SECRET)
  })

  test('nor does the cookie show it to another session, even of the same person', async () => {
    const answer = await post(ada.cookie(), fieldsOf(await ada.open(NEW)))
    const [attributes = ''] = answer.headers.getSetCookie()
    expect(attributes).toMatch(/Max-Age=60; Path=\/; HttpOnly; SameSite=Strict/)
    const other = await newcomer(`Ada${count}`)
    const cookie = `${other.cookie()}; ${attributes.split(';')[0] ?? ''}`
    expect(await (await t.fetch(MADE, { headers: { cookie } })).text()).not.toMatch(SECRET)
  })
})

describe('what is wrong is told on the form, with all that was typed, and nothing is made', () => {
  test('a name without anything to see, an end that was not offered, a workspace of others', async () => {
    const eve = await newcomer(`Eve${count}`)
    const hers = (await rest(eve).post('/api/workspaces', { name: 'Hers' })).body.workspace.id
    const cases: [Record<string, string>, string][] = [
      [{ name: '\u200b' }, 'Give the token a name of 1 to 60 characters.'],
      [{ name: '' }, 'Give the token a name of 1 to 60 characters.'],
      [{ name: 'x'.repeat(61) }, 'Give the token a name of 1 to 60 characters.'],
      [{ expires: '1000000' }, 'Choose how long the token lasts.'],
      [{ expires: '' }, 'Choose how long the token lasts.'],
      [{ workspace: hers }, 'You are not in that workspace any more.'],
      [{ workspace: 'ws_none' }, 'You are not in that workspace any more.'],
    ]
    for (const [changed, told] of cases) {
      const page = await ada.open(NEW)
      const answer = await post(ada.cookie(), fieldsOf(page, { name: 'Kept', scopes: 'write', ...changed }))
      const body = await answer.text()
      expect({ changed, status: answer.status }).toEqual({ changed, status: 400 })
      expect(body).toContain(told)
      expect(body).toContain('<option value="write" selected=""')
      if (changed['name'] === undefined) expect(body).toContain('value="Kept"')
    }
    expect(await tokensOf(ada)).toEqual([])
  })

  test('more tokens than a person may have', async () => {
    await t.database.query((orm) =>
      orm.execute(`insert into personal_tokens (id, user_id, name, token_hash, prefix, last_four, scopes, created_at)
        select 'pat_${count}_' || n, u.id, 'x', '${count}_' || n, 'ork_test_', 'xxxx', '[]', clock_timestamp()
        from generate_series(1, 99) n, users u where u.email = 'ada${count}@example.org'`),
    )
    const pages = await Promise.all([make(ada), make(ada, { name: 'One too many' })])
    const refused = pages.find((page) => at(page) === NEW)
    expect(pages.filter((page) => at(page) === MADE)).toHaveLength(1)
    expect(refused?.text).toContain(
      'You have 100 tokens, and there can be no more. Revoke one on your Connections page',
    )
    expect(refused?.text).toContain('You have 100 tokens of at most 100.')
    expect(await tokensOf(ada)).toHaveLength(100)
  })

  test('a page that was open for too long, or has another session’s token in it', async () => {
    const other = fieldsOf(await (await newcomer(`Ada${count}`)).open(NEW))
    for (const token of ['', 'nonsense', other['token'] ?? '']) {
      const answer = await post(ada.cookie(), fieldsOf(await ada.open(NEW), { token, name: 'Kept' }))
      const body = await answer.text()
      expect(answer.status).toBe(400)
      expect(body).toContain('The page was open for too long. Nothing was made; send it again.')
      expect(body).toContain('value="Kept"')
    }
    expect(await tokensOf(ada)).toEqual([])
  })
})

test('only our own page of this very session makes a token (S-33, ASVS 3.5.1)', async () => {
  const fields = fieldsOf(await ada.open(NEW))
  const bob = await newcomer(`Bob${count}`)
  const cross = { 'sec-fetch-site': 'cross-site' }
  expect((await post(ada.cookie(), fields, cross)).status).toBe(403)
  expect((await post(ada.cookie(), { ...fields, csrf: '' })).status).toBe(403)
  expect((await post(ada.cookie(), { ...fields, csrf: fieldsOf(await bob.open(NEW))['csrf'] ?? '' })).status).toBe(403)
  expect((await post('', fields)).headers.get('location')).toBe(`/login?next=${encodeURIComponent(NEW)}`)
  expect((await t.fetch(MADE)).headers.get('location')).toBe(`/login?next=${encodeURIComponent(NEW)}`)
  expect([await tokensOf(ada), await tokensOf(bob)]).toEqual([[], []])
})

test('a token opens neither page, whatever it may (S-40, ASVS 7.5.2)', async () => {
  const authorization = `Bearer ${secretOn(await make(ada, { scopes: 'write' }))}`
  for (const path of [NEW, MADE]) expect((await t.fetch(path, { headers: { authorization } })).status).toBe(303)
  const fields = fieldsOf(await ada.open(NEW))
  expect((await postForm(t.fetch, t.publicUrl + NEW, fields, { authorization })).status).toBe(303)
  expect(await tokensOf(ada)).toHaveLength(1)
})
