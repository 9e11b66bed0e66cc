import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/kernel/limits.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { operations } from '../../src/modules/index.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { enter, visitor } from '../support/oauth.ts'
import { freshTeam, type Team } from '../support/team.ts'

// What every REST interface is expected to do, whatever it is about.

let t: TestApp
let team: Team
let bearer: Record<string, string>
let cookie: string
beforeAll(async () => {
  t = await createTestApp()
  team = await freshTeam(t)
  bearer = { authorization: `Bearer ${(await t.login('Ada1')).accessToken}` }
  const browser = visitor(t.fetch, t.publicUrl)
  await enter(browser, { email: 'ada1@example.org', name: 'Ada1', password: 'a long password of Ada1' })
  cookie = browser.cookie()
})
afterAll(() => t.close())

const json = { 'content-type': 'application/json' }

const call = async (method: string, path: string, headers: Record<string, string> = {}, body?: string) => {
  const response = await t.fetch(path, { method, headers, ...(body === undefined ? {} : { body }) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text }
}

const problem = ({ status, headers, text }: Awaited<ReturnType<typeof call>>) => ({
  status,
  type: headers.get('content-type'),
  code: (JSON.parse(text) as { code: string }).code,
})

describe('what cannot be read is refused as a problem that says what is wrong', () => {
  const deep = '['.repeat(LIMITS.jsonDepth + 1) + ']'.repeat(LIMITS.jsonDepth + 1)
  const large = JSON.stringify({ name: 'x'.repeat(LIMITS.restBodyBytes) })
  test.each([
    [
      'another media type',
      'POST',
      '/api/workspaces',
      { 'content-type': 'text/plain' },
      '{}',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'a form',
      'POST',
      '/api/workspaces',
      { 'content-type': 'application/x-www-form-urlencoded' },
      'name=x',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['no media type', 'POST', '/api/workspaces', { 'content-type': '' }, '{"name":"x"}', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['a body that is too large', 'POST', '/api/workspaces', json, large, 413, 'PAYLOAD_TOO_LARGE'],
    ['broken JSON', 'POST', '/api/workspaces', json, '{"name":', 400, 'INVALID_INPUT'],
    ['JSON that is nested too deep', 'POST', '/api/workspaces', json, deep, 400, 'INVALID_INPUT'],
    ['text that is no Unicode', 'POST', '/api/workspaces', json, '{"name":"\\ud800"}', 400, 'INVALID_INPUT'],
    ['a body that is no object', 'POST', '/api/workspaces', json, '[]', 400, 'INVALID_INPUT'],
    [
      'a parameter that is given twice',
      'GET',
      '/api/workspaces?archived=true&archived=false',
      {},
      undefined,
      400,
      'INVALID_INPUT',
    ],
    [
      'a parameter that is not one of its values',
      'GET',
      '/api/workspaces?archived=maybe',
      {},
      undefined,
      400,
      'INVALID_INPUT',
    ],
    ['an id with NUL', 'GET', '/api/workspaces/%00', {}, undefined, 400, 'INVALID_INPUT'],
    [
      'an Idempotency-Key with spaces',
      'POST',
      '/api/workspaces',
      { ...json, 'idempotency-key': 'a b' },
      '{"name":"x"}',
      400,
      'INVALID_INPUT',
    ],
    ['a method that the address does not take', 'PUT', '/api/workspaces', json, '{}', 405, 'METHOD_NOT_ALLOWED'],
    ['an address below /api that there is not', 'GET', '/api/nothing', {}, undefined, 404, 'NOT_FOUND'],
    [
      'an address below a workspace that there is not',
      'GET',
      '/api/workspaces/x/nothing',
      {},
      undefined,
      404,
      'NOT_FOUND',
    ],
    ['an address with a slash too many', 'GET', '/api/workspaces/', {}, undefined, 404, 'NOT_FOUND'],
  ] as const)('%s', async (_what, method, path, headers, body, status, code) => {
    const answer = await call(method, path, { ...bearer, ...headers }, body)
    expect(problem(answer)).toEqual({ status, type: 'application/problem+json', code })
    expect(JSON.parse(answer.text)).toMatchObject({
      type: `/docs/errors#${code.toLowerCase()}`,
      requestId: answer.headers.get('x-request-id'),
      recovery: [expect.any(String)],
    })
  })

  test('without a token the answer is 401 wherever there is something, and says how to get one', async () => {
    for (const { method, path } of operations) {
      const answer = await call(method, path.replace(/:\w+/gu, 'x'), json)
      expect([method, path, problem(answer)]).toEqual([
        method,
        path,
        { status: 401, type: 'application/problem+json', code: 'UNAUTHENTICATED' },
      ])
      expect(answer.headers.get('www-authenticate')).toBe(t.app.auth.challenge(false))
    }
  })
})

describe('methods', () => {
  const paths = [...new Set(operations.map(({ path }) => path)), '/api/openapi.json']
  const taken = (path: string) => operations.filter((one) => one.path === path).map(({ method }) => method)

  test.each(paths)('%s says in Allow what it takes: to OPTIONS, and with 405 to all the others', async (path) => {
    const url = path.replace(/:\w+/gu, 'x')
    const methods = path === '/api/openapi.json' ? ['GET'] : taken(path)
    const expected = [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].toSorted()
    const options = await call('OPTIONS', url)
    expect([options.status, options.text]).toEqual([204, ''])
    const others = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].filter(
      (one) => !expected.includes(one),
    )
    for (const answer of [options, ...(await Promise.all(others.map((method) => call(method, url, json))))]) {
      expect(answer.headers.get('allow')?.split(', ').toSorted()).toEqual(expected)
    }
    for (const method of others.filter((one) => one !== 'HEAD')) {
      expect((await call(method, url, json)).status, method).toBe(405)
    }
  })

  test('HEAD answers as GET does, without the body', async () => {
    for (const path of [
      '/api/workspaces',
      team.at,
      `${team.at}/state`,
      '/api/workspaces/ws_nothing',
      '/api/openapi.json',
    ]) {
      const [get, head] = [await call('GET', path, bearer), await call('HEAD', path, bearer)]
      expect([path, head.status, head.text]).toEqual([path, get.status, ''])
      for (const name of ['content-type', 'etag', 'cache-control']) {
        expect(head.headers.get(name), name).toBe(get.headers.get(name))
      }
    }
  })
})

describe('conditions', () => {
  const reads = [
    '',
    '/policy',
    '/state',
    '/members',
    '/claims',
    '/sessions',
    '/runs',
    '/repos',
    '/invites',
    '/values',
    '/events',
  ]

  test.each(reads)('GET %s has an ETag, answers 304 to it without a body, and to another in full', async (path) => {
    const first = await call('GET', team.at + path, bearer)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[!#-~]+"$/u)
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await call('GET', team.at + path, { ...bearer, 'if-none-match': known })
      expect([known, again.status, again.text, again.headers.get('etag')]).toEqual([known, 304, '', etag])
      expect(again.headers.get('ratelimit-remaining')).toMatch(/^\d+$/u)
    }
    expect((await call('GET', team.at + path, { ...bearer, 'if-none-match': '"other"' })).status).toBe(200)
  })

  test('a change with another ETag than the thing has is 412 and changes nothing', async () => {
    const seen = await call('GET', `${team.at}/policy`, bearer)
    const refused = await call(
      'PATCH',
      `${team.at}/policy`,
      { ...bearer, ...json, 'if-match': '"other"' },
      '{"casMode":"strict"}',
    )
    expect(problem(refused)).toMatchObject({ status: 412, code: 'PRECONDITION_FAILED' })
    expect((await call('GET', `${team.at}/policy`, bearer)).text).toBe(seen.text)
  })
})

describe('limits', () => {
  const rate = (headers: Headers) =>
    ['limit', 'remaining', 'reset'].map((name) => Number(headers.get(`ratelimit-${name}`) ?? 'none'))

  test('every answer to a known caller says what is left: successes, refusals, faults of the call, streams', async () => {
    for (const answer of [
      await call('GET', '/api/workspaces', bearer),
      await call('GET', '/api/workspaces/ws_nothing', bearer),
      await call('GET', '/api/workspaces?archived=maybe', bearer),
      await call('POST', '/api/tokens', { ...bearer, ...json }, '{"name":"x"}'),
      await call('POST', '/api/workspaces', { ...bearer, 'content-type': 'text/plain' }, '{}'),
      await call('HEAD', '/api/workspaces', bearer),
    ]) {
      const [limit, remaining, reset] = rate(answer.headers)
      expect([1_000, 100]).toContain(limit)
      expect(remaining).toBeGreaterThanOrEqual(0)
      expect(reset).toBeGreaterThan(0)
    }
    const stream = await t.fetch(`${team.at}/events`, { headers: { ...bearer, accept: 'text/event-stream' } })
    expect(rate(stream.headers)[0]).toBe(1_000)
    await stream.body?.cancel()
  })

  test('the last of them is followed by 429, with the time to wait', async () => {
    const { accessToken } = await t.login('Quick')
    const quick = { authorization: `Bearer ${accessToken}` }
    const revoke = () => call('DELETE', '/api/tokens/pat_nothing', quick)
    const answers = await Promise.all(Array.from({ length: LIMITS.sensitiveCallsPerMinute + 1 }, revoke))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(1)
    const [answer] = refused
    const seconds = Number(answer?.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(60)
    expect(answer === undefined ? [] : rate(answer.headers)).toEqual([100, 0, seconds])
    expect((await call('GET', '/api/workspaces', quick)).status, 'ordinary calls go on').toBe(200)
  })

  test('without the database the answer is 503, with the time to wait', async () => {
    const { database } = t
    const read = database.read.bind(database)
    Object.assign(database, { read: () => Promise.reject(new AppError('UNAVAILABLE')) })
    const answer = await call('GET', team.at, bearer)
    Object.assign(database, { read })
    expect(problem(answer)).toEqual({ status: 503, type: 'application/problem+json', code: 'UNAVAILABLE' })
    expect(answer.headers.get('retry-after')).toBe('1')
    expect((await call('GET', team.at, bearer)).status).toBe(200)
  })
})

describe('other origins', () => {
  const evil = { origin: 'https://evil.example' }

  test('any page may read the description, and ask for it with a condition', async () => {
    const answer = await call('GET', '/api/openapi.json', evil)
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    const preflight = {
      ...evil,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'if-none-match',
    }
    const asked = await call('OPTIONS', '/api/openapi.json', preflight)
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-origin')).toBe('*')
    expect(asked.headers.get('access-control-allow-headers')).toBe('If-None-Match')
    expect(asked.headers.get('access-control-allow-credentials')).toBeNull()
  })

  test('no other answer lets one in: not with a token, not with cookies, not before the call', async () => {
    const preflight = {
      ...evil,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    }
    for (const path of [
      '/api/workspaces',
      team.at,
      `${team.at}/events`,
      `${team.at}/values`,
      '/api/tokens',
      '/api/nothing',
    ]) {
      for (const answer of [
        await call('OPTIONS', path, preflight),
        await call('GET', path, { ...evil, ...bearer }),
        await call('GET', path, { ...evil, cookie, 'sec-fetch-site': 'cross-site' }),
      ]) {
        const opened = [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))
        expect([path, opened]).toEqual([path, []])
      }
    }
  })

  test('what another site makes a browser send with its cookies is not even read', async () => {
    const from = (headers: Record<string, string>) => call('GET', '/api/workspaces', { cookie, ...headers })
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, evil]) {
      expect(problem(await from(headers))).toMatchObject({ status: 403, code: 'FORBIDDEN_ORIGIN' })
    }
    for (const headers of [
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
      { origin: t.publicUrl },
      {},
    ]) {
      expect((await from(headers)).status).toBe(200)
    }
  })
})
