import { sql } from 'drizzle-orm'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAgent } from './support/agent.ts'
import { createTestApp, SECRET, type TestApp } from './support/app.ts'
import { formTo, newPkce, postForm, registerClient, type VisitedPage, visitor } from './support/oauth.ts'
import { inEveryWorkspace } from './support/workspaces.ts'

/**
 * Walks the product's flows with secrets that are known here, then looks for every one of them, in every guise, in all
 * that was logged and stored.
 */
const CALLBACK = 'http://127.0.0.1:19876/callback'
const canary = (what: string) => `canary-${what}-${randomBytes(12).toString('hex')}`

const ADA = { email: `${canary('mail')}@example.org`, name: 'Ada', password: canary('password') }
const WRONG_PASSWORD = canary('wrong-password')
const URL_SECRET = canary('userinfo')

/** What must be nowhere, by name; filled while the flows run. */
const secrets = new Map<string, string>([
  ['password', ADA.password],
  ['wrong password', WRONG_PASSWORD],
  ['SECRET_KEY', SECRET],
  ['password in a git remote', URL_SECRET],
])
/** The X-Request-Id of every answer. */
const requestIds: string[] = []

let t: TestApp
let fetchLogged: TestApp['fetch']
beforeAll(async () => {
  t = await createTestApp({ sweep: true })
  fetchLogged = async (url, init) => {
    const response = await t.fetch(url, init)
    requestIds.push(response.headers.get('x-request-id') ?? '')
    for (const cookie of response.headers.getSetCookie()) note('cookie', cookie.split(';')[0]?.split('=')[1])
    return response
  }
  await walkEverything()
})
afterAll(() => t.close())

let notes = 0
function note(what: string, secret: string | null | undefined): void {
  if (secret === null || secret === undefined || secret === '') return
  if ([...secrets.values()].includes(secret)) return
  notes += 1
  secrets.set(`${what} ${notes}`, secret)
}

async function walkEverything(): Promise<void> {
  const login = await signUpAndConsent()
  await refreshAndIntrospect(login)
  await speakMcp(login.accessToken)
  await misplaceTokens(login)
  await breakTheDatabase(login)
  await revokeAndSignOut(login)
}

interface Login {
  readonly browser: ReturnType<typeof visitor>
  readonly clientId: string
  readonly code: string
  readonly verifier: string
  readonly accessToken: string
  readonly refreshToken: string
}

async function signUpAndConsent(): Promise<Login> {
  const clientId = await registerClient(fetchLogged, t.publicUrl, { client_name: 'Canary', redirect_uris: [CALLBACK] })
  const { verifier, challenge } = newPkce()
  const state = canary('state')
  note('verifier', verifier)
  note('state', state)
  const resource = `${t.publicUrl}/api/mcp`
  const query = { response_type: 'code', client_id: clientId, redirect_uri: CALLBACK, code_challenge: challenge }
  const more = { code_challenge_method: 'S256', resource, scope: 'mcp:read mcp:write', state }
  const authorize = `/oauth/authorize?${new URLSearchParams({ ...query, ...more }).toString()}`

  const stranger = visitor(fetchLogged, t.publicUrl)
  const signUp = await stranger.open(`/signup?${new URLSearchParams({ next: '/' }).toString()}`)
  await stranger.submit(signUp, formTo(signUp, '/signup'), ADA)
  const again = await visitor(fetchLogged, t.publicUrl).open('/signup')
  await visitor(fetchLogged, t.publicUrl).submit(again, formTo(again, '/signup'), ADA)

  const { email, password } = ADA
  const browser = visitor(fetchLogged, t.publicUrl)
  const signIn = await browser.open(authorize)
  const refused = await browser.submit(signIn, formTo(signIn, '/login'), { email, password: WRONG_PASSWORD })
  const consent = await browser.submit(refused, formTo(refused, '/login'), { email, password })
  noteForms(consent)
  const done = await browser.submit(consent, formTo(consent, '/oauth/authorize'), {}, 'decision=allow')
  const code = new URL(done.leftTo ?? 'none:').searchParams.get('code') ?? ''
  note('code', code)
  const fields = { grant_type: 'authorization_code', client_id: clientId, redirect_uri: CALLBACK, resource }
  const badVerifier = canary('bad-verifier').padEnd(43, 'x')
  note('bad verifier', badVerifier)
  await tokenRequest({ ...fields, code: `${code.slice(0, -1)}0`, code_verifier: badVerifier })
  const tokens = await tokenRequest({ ...fields, code, code_verifier: verifier })
  return { browser, clientId, code, verifier, ...tokens }
}

async function tokenRequest(fields: Record<string, string>): Promise<{ accessToken: string; refreshToken: string }> {
  const answer = await postForm(fetchLogged, `${t.publicUrl}/api/oauth/token`, fields)
  const body = (await answer.json()) as { access_token?: string; refresh_token?: string }
  note('access token', body.access_token)
  note('refresh token', body.refresh_token)
  return { accessToken: body.access_token ?? '', refreshToken: body.refresh_token ?? '' }
}

async function refreshAndIntrospect({ clientId, accessToken, refreshToken }: Login): Promise<void> {
  const refresh = { grant_type: 'refresh_token', client_id: clientId }
  await tokenRequest({ ...refresh, refresh_token: refreshToken })
  await tokenRequest({ ...refresh, refresh_token: refreshToken })
  const headers = { authorization: `Bearer ${accessToken}` }
  await postForm(fetchLogged, `${t.publicUrl}/api/oauth/introspect`, { token: refreshToken }, headers)
}

async function speakMcp(accessToken: string): Promise<void> {
  const agent = createAgent(fetchLogged, `${t.publicUrl}/api/mcp`, accessToken)
  await agent.join({}, { remote: `https://ada:${URL_SECRET}@github.com/acme/widgets.git` })
  await agent.call('identify_intent', { userPrompt: 'Add a button' })
  await agent.call('read_team_state')
  await agent.claim('src', '../outside')
  await agent.claim('src')
  await agent.post('{"jsonrpc"')
  await agent.post({ jsonrpc: '2.0', id: 1, method: 'no/such', params: { token: accessToken } })
}

/** Where people and programs put tokens that do not belong there. */
async function misplaceTokens({ accessToken, refreshToken, browser }: Login): Promise<void> {
  const get = (path: string, headers: Record<string, string> = {}) => fetchLogged(path, { headers })
  const base64 = Buffer.from(accessToken).toString('base64url')
  for (const path of [
    `/${accessToken}`,
    `/api/workspaces/${accessToken}/events`,
    `/api/workspaces/x/${base64}`,
    `/api/${encodeURIComponent(`a ${refreshToken}`)}`,
    `/api/${accessToken
      .split('')
      .map((c) => `%${c.charCodeAt(0).toString(16)}`)
      .join('')}`,
    `/api/${accessToken
      .split('')
      .map((c) => `%25${c.charCodeAt(0).toString(16)}`)
      .join('')}`,
    `/healthz?access_token=${accessToken}`,
    `/api/mcp?token=${refreshToken}`,
    `/oauth/authorize?code=${accessToken}`,
  ]) {
    await get(path)
  }
  for (const authorization of [`Bearer ${refreshToken}`, `Basic ${base64}`, accessToken, `Bearer ${accessToken}x`]) {
    await get('/api/workspaces', { authorization })
  }
  await get('/api/workspaces', { authorization: `Bearer ${accessToken}`, cookie: browser.cookie() })
  await fetchLogged('/api/workspaces', {
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
    body: `{"name": "${accessToken}`,
  })
}

/** Failures of the database, whose errors quote statements and their values. */
async function breakTheDatabase(login: Login): Promise<void> {
  const { accessToken, refreshToken, clientId } = login
  const tables = ['users', 'accounts', 'browser_sessions', 'oauth_codes', 'oauth_refresh_tokens', 'sessions', 'events']
  for (const table of tables) {
    await t.database.query((orm) => orm.execute(sql.raw(`alter table ${table} rename to gone`)))
    try {
      const { email, password } = ADA
      await fillIn('/login', { email, password })
      await fillIn('/signup', { ...ADA, email: `other-${email}` })
      noteForms(await login.browser.open('/account/connections'))
      await tokenRequest({ grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken })
      await tokenRequest({ grant_type: 'authorization_code', client_id: clientId, code: login.code })
      await fetchLogged('/api/workspaces', { headers: { authorization: `Bearer ${accessToken}` } })
      const agent = createAgent(fetchLogged, `${t.publicUrl}/api/mcp`, accessToken)
      await agent.join({}, { remote: `https://ada:${URL_SECRET}@github.com/acme/widgets.git` }).catch(() => undefined)
    } finally {
      await t.database.query((orm) => orm.execute(sql.raw(`alter table gone rename to ${table}`)))
    }
  }
}

/** Submits a form from a browser of its own, where the page can be had at all. */
async function fillIn(path: string, values: Record<string, string>): Promise<void> {
  const browser = visitor(fetchLogged, t.publicUrl)
  const page = await browser.open(path)
  if (page.status === 200) await browser.submit(page, formTo(page, path), values)
}

async function revokeAndSignOut({ accessToken, clientId, browser }: Login): Promise<void> {
  await postForm(fetchLogged, `${t.publicUrl}/api/oauth/revoke`, { token: accessToken, client_id: clientId })
  const page = await browser.open('/logout')
  noteForms(page)
  await browser.submit(page, formTo(page, '/logout'))
}

/** What the forms of a page carry unseen: CSRF tokens and sealed requests. Addresses and ids of grants are no secrets. */
function noteForms(page: VisitedPage): void {
  for (const { type, value } of page.forms.flatMap((form) => form.controls)) {
    if (type === 'hidden' && !/^(\/|gr_)/.test(value)) note('hidden form value', value)
  }
}

/** A secret as it stands, and as it would look encoded. Base64 shifts with what is before it: three ways, inner part. */
function guises(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const shifted = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    return text.slice(4, text.length - 4)
  })
  const plain = [secret, encodeURIComponent(secret), new URLSearchParams({ s: secret }).toString().slice(2)]
  const base64 = shifted.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')])
  return [...new Set([...plain, bytes.toString('hex'), JSON.stringify(secret).slice(1, -1), ...base64])]
}

function found(where: string): string[] {
  return [...secrets].flatMap(([name, secret]) => (guises(secret).some((guise) => where.includes(guise)) ? [name] : []))
}

test('the flows have handled every kind of secret, and failed in every way, so that the search can find something', () => {
  const kinds = new Set([...secrets.keys()].map((name) => name.replace(/ \d+$/, '')))
  for (const kind of ['cookie', 'verifier', 'hidden form value', 'code', 'access token', 'refresh token']) {
    expect(kinds).toContain(kind)
  }
  const failures = t.logLines.filter((line) => line.includes('"level":50'))
  expect(failures.length).toBeGreaterThan(10)
  expect(failures.filter((line) => !/relation .*does not exist/.test(line))).toEqual([])
  expect(found(`x${Buffer.from(`xx${ADA.password}`).toString('base64')}`)).toEqual(['password'])
})

test('no secret is in any log line, in clear or encoded', () => {
  expect(found(t.logLines.join(''))).toEqual([])
})

test('no value of a failed statement is in any log line', () => {
  const telling = [ADA.email, '$argon2', 'params:', '"params"']
  expect(telling.filter((text) => t.logLines.some((line) => line.includes(text)))).toEqual([])
})

test('no secret is stored in clear in any table', async () => {
  const tables = await t.database.query((orm) =>
    orm.execute<{ name: string }>(sql`
      select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema')`),
  )
  expect(tables.length).toBeGreaterThan(10)
  const dump: string[] = []
  for (const { name } of tables) {
    const rows = await inEveryWorkspace(t.database, (tx) =>
      tx.execute<{ row: string }>(sql.raw(`select t::text as row from ${name} t`)),
    )
    dump.push(...rows.map(({ row }) => row))
  }
  expect(dump.join('\n')).toContain(ADA.email)
  expect(dump.join('\n')).toContain('workspace.created')
  expect(found(dump.join('\n'))).toEqual([])
})

test('every request has one line, with the id that its answer carries, and so have the failures that it met', () => {
  const lines = t.logLines.map((line) => JSON.parse(line) as { level: number; msg: string; requestId?: string })
  const logged = lines.flatMap(({ msg, requestId }) => (msg === 'request' ? [requestId] : []))
  const failures = lines.flatMap(({ level, requestId }) => (level >= 40 ? [requestId] : []))
  expect(requestIds).not.toContain('')
  expect(logged).toEqual(requestIds)
  expect(new Set(logged).size).toBe(requestIds.length)
  expect(failures.filter((id) => id === undefined || !requestIds.includes(id))).toEqual([])
})
