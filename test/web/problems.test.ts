/** Errors as people get them, and as programs do. */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newToken } from '../../src/auth/token-format.ts'
import { connect } from '../../src/db/client.ts'
import { createTestApp, type TestApp } from '../support/app.ts'

/** What Chromium sends with a navigation. */
const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8' }

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

async function get(path: string, headers: Record<string, string> = {}, app = t) {
  const answer = await app.fetch(path, { headers })
  const { status } = answer
  const of = (name: string) => answer.headers.get(name)
  return {
    status,
    type: of('content-type')?.split(';')[0],
    id: of('x-request-id') ?? '',
    of,
    body: await answer.text(),
  }
}

test('an address where nothing is answers a browser with a page, and a program with problem details', async () => {
  const page = await get('/no/such', BROWSER)
  expect(page).toMatchObject({ status: 404, type: 'text/html' })
  expect(page.body).toContain('<h1>There is no such page</h1>')
  expect(page.body).toContain(page.id)
  for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }]) {
    const problem = await get('/no/such', headers)
    expect(problem).toMatchObject({ status: 404, type: 'application/problem+json' })
    expect(JSON.parse(problem.body)).toMatchObject({ code: 'NOT_FOUND', requestId: problem.id })
  }
})

test('below /api and /.well-known it is JSON for everybody: some programs say that they take HTML', async () => {
  const java = { accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2' }
  expect(await get('/api/nothing', java)).toMatchObject({ status: 404, type: 'application/problem+json' })
  expect(await get('/api/workspaces', java)).toMatchObject({ status: 401, type: 'application/problem+json' })
  expect(await get('/.well-known/nothing', java)).toMatchObject({ status: 404, type: 'application/json' })
  // Only below: an address that begins alike is no address of programs.
  expect(await get('/apis', java)).toMatchObject({ status: 404, type: 'text/html' })
})

test('the page of an error has the headers of every page (S-35, ASVS 3.4.3)', async () => {
  const { of, body } = await get('/no/such', BROWSER)
  expect(of('content-security-policy')?.split('; ').sort()).toEqual([
    "base-uri 'none'",
    "default-src 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "img-src 'self'",
    "style-src 'self'",
  ])
  expect(of('x-frame-options')).toBe('DENY')
  expect(of('x-content-type-options')).toBe('nosniff')
  expect(of('referrer-policy')).toBe('no-referrer')
  expect(of('cache-control')).toBe('no-store')
  expect(body).not.toMatch(/<script|<style| on\w+=| style=/i)
})

test('while the database is away every page is a 503 that says so and when to try again', async () => {
  const database = connect({ url: 'postgres://nobody@127.0.0.1:9/none' })
  const away = await createTestApp({ db: { database, target: { url: '' }, drop: () => database.close() } })
  const cookie = `ork_session=${newToken('bs')}`
  for (const path of ['/', '/login', '/account/connections', '/account/connections/end', '/logout']) {
    const { status, of, body, id } = await get(path, { ...BROWSER, cookie }, away)
    expect({ path, status, retryAfter: of('retry-after') }).toEqual({ path, status: 503, retryAfter: '1' })
    expect(body).toContain('cannot reach its database')
    expect(body).toContain(id)
  }
  await away.close()
})

test('a failure of ours says nothing of what it was, and the log finds it by the request', async () => {
  const cookie = `ork_session=${newToken('bs')}`
  await t.database.query((orm) => orm.execute(sql`alter table browser_sessions rename to gone`))
  for (const path of ['/', '/account/connections']) {
    const { status, body, id } = await get(path, { ...BROWSER, cookie })
    expect({ path, status }).toEqual({ path, status: 500 })
    expect(body).toContain('<h1>Something went wrong</h1>')
    expect(body).not.toMatch(/relation|browser_sessions|select/i)
    expect(body).toContain(id)
    expect(t.logLines.filter((line) => line.includes(id) && line.includes('browser_sessions'))).toHaveLength(1)
  }
  await t.database.query((orm) => orm.execute(sql`alter table gone rename to browser_sessions`))
})
