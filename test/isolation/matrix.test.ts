import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { operations, tools } from '../../src/modules/index.ts'
import { may, PERMISSIONS, type Permission } from '../../src/modules/tenancy/roles.ts'
import { createTestApp } from '../support/app.ts'
import { attemptOf, attemptsOf, indistinct, type Attempt } from './attempts.ts'
import { known, missing, names, type Naming } from './fields.ts'
import {
  anotherTenant,
  boundToken,
  inBrowser,
  removedMember,
  revokedToken,
  viewer,
  type Stranger,
  type Told,
} from './strangers.ts'
import { createVictim, type Victim } from './victim.ts'

/**
 * Every operation and every tool, with every id of a workspace that it takes, by everybody to whom the id does not belong:
 * the answer is the one for a thing that does not exist, and nothing is written. The list is made of the operations and
 * tools themselves, so what is added is tried too.
 */

// Made before the tests are: the operations on tokens come with the app.
const t = await createTestApp()
// A join makes the agentId that it presents one's own: after it nobody could say what does not exist.
const joinLast = tools.toSorted((a, b) => Number(a.entry === 'join') - Number(b.entry === 'join'))
const attempts = [...[...operations, ...t.app.auth.operations].flatMap(attemptsOf), ...joinLast.map(attemptOf)]

let victim: Victim
const strangers = new Map<string, Stranger>()
const outsiders = [
  'another tenant',
  'another tenant in a browser',
  'a removed member',
  'a token for another workspace',
  'a revoked token',
]

beforeAll(async () => {
  victim = await createVictim(t)
  for (const stranger of [
    await anotherTenant(t, 'Mallory'),
    await inBrowser(t, 'Trudy'),
    await removedMember(t, 'Rita', victim),
    await boundToken(t, victim),
    await revokedToken(t, victim),
    await viewer(t, 'Vera', victim),
  ]) {
    strangers.set(stranger.who, stranger)
  }
})
afterAll(() => t.close())

// Between two tests a minute passes for the limits of calls: a refusal because of them would say nothing here.
const uptime = performance.now.bind(performance)
let minutes = 0
vi.spyOn(performance, 'now').mockImplementation(() => uptime() + minutes * 61_000)
beforeEach(async () => {
  minutes += 1
  await t.database.query((orm) => orm.execute('delete from rate_windows'))
})

function stranger(who: string): Stranger {
  const found = strangers.get(who)
  if (found === undefined) throw new Error(`nobody is ${who}`)
  return found
}

const codeOf = ({ body }: Told): unknown => {
  const { code, error } = (body ?? {}) as { code?: string; error?: { code: string } }
  return code ?? error?.code
}

/** The call with all that the field names set to the victim's, and all the others to one's own, or to nothing. */
async function presenting(who: Stranger, attempt: Attempt, fields: readonly Naming[], rest: 'own' | 'missing') {
  const others = rest === 'own' && who.own !== null ? who.own : missing
  const call = async (things: typeof missing) => {
    await who.sync()
    const told = await attempt.by(who, (field) => (fields.includes(field) ? things : others)[field])
    expect(told.status).not.toBe(429)
    return told
  }
  // What goes into account logs after answers: else it could come between the two.
  await t.app.auth.close()
  const presented = [...fields, ...attempt.naming].flatMap((field) => [victim.things[field], missing[field]])
  const [theirs, nothing] = [await call(victim.things), await call(missing)]
  return { theirs, told: indistinct(theirs, presented), expected: indistinct(nothing, presented) }
}

test('there is a way to fill in every field of every operation and tool, and every id is presented', () => {
  const unknown = attempts.flatMap(({ label, fields }) =>
    fields.filter((field) => !known(field)).map((field) => `${label}: ${field}`),
  )
  expect(unknown, 'say in fields.ts what they are').toEqual([])
  const looksLikeAnId = attempts
    .flatMap(({ fields }) => fields)
    .filter((field) => /(?:Id|Hash|Sha|^key|secret)s?$/u.test(field))
  expect(looksLikeAnId.filter((field) => !names(field) && field !== 'headSha')).toEqual([])
  const presented = new Set(attempts.flatMap(({ naming }) => naming))
  expect(
    Object.keys(missing).filter((field) => !presented.has(field as Naming)),
    'names that nothing takes',
  ).toEqual([])
})

describe.each(outsiders)('%s', (who) => {
  const able = (attempt: Attempt) => attempt.kind === 'operation' || who !== 'another tenant in a browser'

  test.each(attempts.filter(able).map((attempt) => [attempt.label, attempt] as const))(
    'finds in %s what is not there',
    async (_label, attempt) => {
      const me = stranger(who)
      const before = await victim.written()
      const all = await presenting(me, attempt, attempt.naming, 'missing')
      expect(all.told).toEqual(all.expected)
      if (attempt.naming.includes('workspaceId'))
        expect([all.theirs.status, codeOf(all.theirs)]).toEqual(refusalOf(me, attempt))
      for (const field of attempt.naming.length > 1 ? foreign(me, attempt) : []) {
        const one = await presenting(me, attempt, [field], 'own')
        expect(one.told, field).toEqual(one.expected)
      }
      expect(await victim.written()).toEqual(before)
    },
  )
})

/** The fields whose thing is not theirs too: the owner's token has the owner's userId. */
const foreign = (me: Stranger, { naming }: Attempt) =>
  naming.filter((field) => me.own?.[field] !== victim.things[field])

/** What a workspace that does not exist is answered with. */
function refusalOf(me: Stranger, { kind, browserOnly }: Attempt): [number, string] {
  if (me.own === null) return [401, 'UNAUTHENTICATED']
  if (kind === 'tool') return [200, 'WORKSPACE_NOT_FOUND']
  return browserOnly && 'authorization' in me.headers ? [403, 'FORBIDDEN_TOKEN'] : [404, 'WORKSPACE_NOT_FOUND']
}

describe('a viewer', () => {
  const needsMore = (attempt: Attempt) =>
    attempt.permission !== null && !may('viewer', attempt.permission as Permission)

  test('is what some things need more than', () => {
    expect(attempts.filter(needsMore).length).toBeGreaterThan(15)
    expect(
      new Set(attempts.flatMap(({ permission }) => permission ?? []).filter((one) => !Object.hasOwn(PERMISSIONS, one))),
    ).toEqual(new Set())
  })

  test.each(attempts.filter(needsMore).map((attempt) => [attempt.label, attempt] as const))(
    'may not %s, whether there is such a thing or not, and writes nothing',
    async (_label, attempt) => {
      const me = stranger('a viewer')
      const before = await victim.written()
      const things = { ...victim.things, agentId: me.own?.agentId }
      const told = await attempt.by(me, (field) => things[field])
      expect([told.status, codeOf(told)]).toEqual([attempt.kind === 'tool' ? 200 : 403, 'FORBIDDEN_ROLE'])
      const named = (field: Naming) => (field === 'workspaceId' || field === 'agentId' ? things : missing)[field]
      const presented = attempt.naming.flatMap((field) => [things[field], missing[field]])
      expect(indistinct(told, presented)).toEqual(indistinct(await attempt.by(me, named), presented))
      if (attempt.kind === 'operation') expect(await victim.written()).toEqual(before)
    },
  )
})

describe('what one person’s call brought forth is nobody else’s', () => {
  test('a confirmToken', async () => {
    const at = `/api/workspaces/${victim.workspaceId}`
    const { confirmToken } = (await victim.owner.delete(at)).body
    const before = await victim.written()
    for (const who of outsiders.filter((one) => one !== 'a revoked token')) {
      const { fetch, headers, own } = stranger(who)
      const call = async (path: string, token: string) => {
        const response = await fetch(path, { method: 'DELETE', headers: { ...headers, 'confirm-token': token } })
        return indistinct({ status: response.status, headers: response.headers, body: await response.json() }, [])
      }
      expect(await call(at, confirmToken)).toEqual(await call('/api/workspaces/ws_nothing', confirmToken))
      const mine = `/api/workspaces/${String(own?.workspaceId)}`
      expect(await call(mine, confirmToken)).toMatchObject({ status: 409, body: { code: 'CONFIRM_INVALID' } })
    }
    expect(await victim.written()).toEqual(before)
  })

  test('the answer to an Idempotency-Key', async () => {
    const key = { 'idempotency-key': 'the-same-for-all' }
    const body = { name: 'Made twice' }
    const first = await victim.owner.post('/api/workspaces', body, key)
    expect(first.status).toBe(201)
    const { fetch, headers } = stranger('another tenant')
    const response = await fetch('/api/workspaces', {
      method: 'POST',
      headers: { ...headers, ...key, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(response.status).toBe(201)
    expect(await response.text()).not.toContain(first.body.workspace.id)
  })
})

/** Ids that are none, in every form that has ever confused a router, a parser or a database. */
const GARBAGE = [
  '..',
  '%00',
  '%2e%2e%2f',
  "' or 1=1--",
  'ws_\u202e',
  '🙂',
  'a'.repeat(65),
  '*',
  'null',
  '-1',
  'true',
  '__proto__',
  '\u0000',
]

describe('garbage for an id', () => {
  test.each(attempts.filter(({ naming }) => naming.length > 0).map((attempt) => [attempt.label, attempt] as const))(
    'is refused by %s without a fault of ours',
    async (_label, attempt) => {
      const me = stranger('another tenant')
      const before = await victim.written()
      for (const garbage of GARBAGE) {
        const told = await attempt.by(me, (field) => (Array.isArray(missing[field]) ? [garbage] : garbage))
        expect([garbage, told.status]).toEqual([
          garbage,
          expect.toSatisfy((status: number) => status < 500 && status !== 429),
        ])
        if (attempt.naming.includes('workspaceId'))
          expect([garbage, told.status, codeOf(told)]).toEqual([
            garbage,
            expect.anything(),
            expect.stringMatching(
              /^(INVALID_INPUT|WORKSPACE_NOT_FOUND|NOT_FOUND|FORBIDDEN_TOKEN|METHOD_NOT_ALLOWED|PATH_INVALID)$/u,
            ),
          ])
      }
      expect(await victim.written()).toEqual(before)
    },
  )
})

describe('canaries', () => {
  /** What strangers may get beside the matrix: their own streams, and what anybody may read. */
  const PUBLIC = [
    '/',
    '/docs',
    '/docs/errors',
    '/api/openapi.json',
    '/metrics',
    '/healthz',
    '/readyz',
    '/version',
    '/api/nothing',
  ]

  test('are in what the members of the workspace see: the search can find something', async () => {
    const at = `/api/workspaces/${victim.workspaceId}`
    const paths = [
      '',
      '/state',
      '/events?limit=1000',
      '/values',
      '/members',
      '/claims',
      '/sessions',
      '/repos',
      '/invites',
    ].map((path) => at + path)
    const seen = JSON.stringify(
      await Promise.all(
        [...paths, '/api/tokens', '/api/connections'].map(async (path) => (await victim.browser.get(path)).body),
      ),
    )
    const unseen = [...victim.canaries].filter(([, canary]) => !seen.includes(canary)).map(([where]) => where)
    expect(unseen.toSorted()).toEqual(NOT_SHOWN)
    const written = new Set([
      ...victim.canaries.keys(),
      ...Object.keys(missing),
      'cursor',
      'collectedAt',
      'confirmToken',
    ])
    const texts = new Set(attempts.flatMap((attempt) => attempt.texts))
    expect(
      [...texts].filter((field) => !written.has(field)),
      'write a canary into these, in victim.ts',
    ).toEqual([])
  })

  test.each(outsiders)(
    'are in nothing that %s ever got: answers, errors, headers, events, the log of their calls',
    async (who) => {
      const me = stranger(who)
      for (const path of PUBLIC) await me.fetch(path, { headers: me.headers })
      if (me.own !== null) me.got.push(await streamed(me))
      // What they said themselves is no news to them.
      const sent = me.sent.join('\n')
      const got = me.got.join('\n')
      const leaks = [...victim.canaries].filter(
        ([, canary]) => got.includes(canary) && !sent.includes(canary) && !me.familiar.includes(canary),
      )
      expect(leaks).toEqual([])
      expect(me.got.length).toBeGreaterThan(50)
    },
  )
})

/** Stored nowhere, or shown to the agent alone that wrote it, or to the person who signed in. */
const NOT_SHOWN = ['aheadBehind', 'completed', 'repoRoot', 'scopeHints', 'userPrompt']

/** The first events of one's own workspace as a stream, while the other one changes. */
async function streamed({ fetch, headers, own }: Stranger): Promise<string> {
  const path = `/api/workspaces/${String(own?.workspaceId)}/events`
  const response = await fetch(path, { headers: { ...headers, accept: 'text/event-stream' } })
  await victim.owner.put(
    `/api/workspaces/${victim.workspaceId}/values/${encodeURIComponent(String(victim.things.key))}`,
    'again',
  )
  const reader = response.body?.getReader()
  const first = await reader?.read()
  await reader?.cancel()
  return new TextDecoder().decode(first?.value)
}
