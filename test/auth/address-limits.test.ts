import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { adjustLimits } from '../../src/kernel/limits.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { CALLBACK } from './harness.ts'

// What anybody may ask of us without having shown who they are is counted by address, on all replicas together.

let t: TestApp
let other: ReturnType<TestApp['replica']>
beforeAll(async () => {
  const LIMITS = 'addressRequestsPerMinute=40,registrationsPerHour=5,signUpsPerHour=4,signInsPer15Min=6'
  adjustLimits(loadConfig({ LIMITS }).limits)
  // As long as a busy machine may take.
  t = await createTestApp({ env: { TRUST_PROXY: '1' }, pace: { countMs: 20_000 } })
  other = t.replica()
})
afterAll(async () => {
  await other.close()
  await t.close()
})

let count = 0
let address: string
beforeEach(() => {
  count += 1
  address = `203.0.113.${count}`
})

type Replica = TestApp['app']
interface Sent {
  readonly path: string
  readonly json?: object
  readonly form?: Record<string, string>
  readonly from?: string
}

const send = async (replica: Replica, { path, json, form, from = address }: Sent) => {
  const headers = { 'x-forwarded-for': from, accept: 'text/html' }
  const sent = json === undefined ? new URLSearchParams(form) : JSON.stringify(json)
  const posted = json === undefined && form === undefined ? {} : { method: 'POST', body: sent }
  return replica.http.request(t.publicUrl + path, { headers, ...posted })
}
/** The statuses of so many, one after the other, by turns at both replicas. */
async function inTurns(times: number, sent: Sent): Promise<number[]> {
  const statuses: number[] = []
  for (let n = 0; n < times; n += 1) statuses.push((await send(n % 2 === 0 ? t.app : other.app, sent)).status)
  return statuses
}
/** How many there are of each: which replica has the last of a share is not said. */
const counts = (statuses: readonly number[]) =>
  Object.fromEntries([...new Set(statuses)].map((status) => [status, statuses.filter((one) => one === status).length]))
const repeated = (status: number, times: number) => Array<number>(times).fill(status)

const registration: Sent = { path: '/api/oauth/register', json: { redirect_uris: [CALLBACK] } }

describe('what one replica let through counts on the other', () => {
  test('registrations of clients', async () => {
    expect(counts(await inTurns(10, registration))).toEqual({ 201: 5, 429: 5 })
    const refused = await send(other.app, registration)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_500)
    expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' })
    expect((await send(t.app, { ...registration, from: '198.51.100.1' })).status).toBe(201)
  })

  test('sign-ups, whatever becomes of them', async () => {
    const form = { email: 'nobody', name: 'N', password: 'short' }
    expect(counts(await inTurns(8, { path: '/signup', form }))).toEqual({ 400: 4, 429: 4 })
    const refused = await send(other.app, { path: '/signup', form })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_500)
    expect(await refused.text()).toContain('Too many attempts. Try again in 60 minutes.')
  })

  test('sign-ins, with whatever account', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 12; n += 1) {
      const form = { email: `nobody${n}@example.org`, password: 'a password that is none' }
      statuses.push((await send(n % 2 === 0 ? t.app : other.app, { path: '/login', form })).status)
    }
    expect(counts(statuses)).toEqual({ 400: 6, 429: 6 })
  })

  test('requests to pages and to OAuth’s endpoints, all together', async () => {
    const form = { grant_type: 'refresh_token', client_id: 'cl_none', refresh_token: 'ork_rt_none' }
    const ways: Sent[] = [
      { path: '/login' },
      { path: '/oauth/authorize?client_id=cl_none' },
      { path: '/api/oauth/token', form },
      { path: '/api/oauth/revoke', form: { client_id: 'cl_none', token: 'x' } },
      { path: '/api/oauth/introspect', form: { token: 'x' } },
      { path: '/invite/ork_inv_none' },
      { path: '/' },
      { path: '/no/such/page' },
    ]
    const statuses: number[][] = []
    for (const way of ways) statuses.push(await inTurns(4, way))
    expect(statuses).toEqual([200, 400, 401, 401, 401, 303, 200, 404].map((status) => repeated(status, 4)))
    expect(counts(await inTurns(20, { path: '/login' }))).toEqual({ 200: 8, 429: 12 })
    for (const way of ways) {
      const refused = await send(other.app, way)
      expect({ path: way.path, status: refused.status }).toEqual({ path: way.path, status: 429 })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      const text = await refused.text()
      if (way.path.startsWith('/api/oauth/'))
        expect(JSON.parse(text)).toMatchObject({ error: 'temporarily_unavailable' })
      else expect(text).toMatch(/Too much at once.*Too many requests from this address\. Try again in \d+ s/s)
    }
    // Neither costs anything, and clients and load balancers must not lose them.
    for (const path of ['/.well-known/oauth-authorization-server', '/healthz', '/readyz', '/assets/style.css']) {
      expect((await send(t.app, { path })).status).toBe(200)
    }
    expect((await send(t.app, { path: '/login', from: '198.51.100.2' })).status).toBe(200)
  })
})

test('an IPv6 network counts as one address on both replicas', async () => {
  const statuses: number[] = []
  for (let n = 0; n < 10; n += 1) {
    const from = `2001:db8:1:2::${n + 1}`
    statuses.push((await send(n % 2 === 0 ? t.app : other.app, { ...registration, from })).status)
  }
  expect(counts(statuses)).toEqual({ 201: 5, 429: 5 })
  expect((await send(t.app, { ...registration, from: '2001:db8:1:3::1' })).status).toBe(201)
})

describe('a limiter that cannot count lets everybody through, and each replica counts by itself', () => {
  const statusesOfEach = () =>
    Promise.all(
      [t.replica({ countMs: 20 }), t.replica({ countMs: 20 })].map(async (replica) => {
        const statuses: number[] = []
        for (let n = 0; n < 7; n += 1) statuses.push((await send(replica.app, registration)).status)
        await replica.close()
        return statuses
      }),
    )
  const own = [...repeated(201, 5), ...repeated(429, 2)]

  test('while somebody holds its table', async () => {
    await t.database.transaction(async (tx) => {
      await tx.execute('lock table rate_windows in access exclusive mode')
      expect(await statusesOfEach()).toEqual([own, own])
    })
  })

  test('when its table is gone', async () => {
    await t.database.query((orm) => orm.execute('alter table rate_windows rename to elsewhere'))
    expect(await statusesOfEach()).toEqual([own, own])
    await t.database.query((orm) => orm.execute('alter table elsewhere rename to rate_windows'))
  })
})
