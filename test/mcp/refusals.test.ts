import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LIMITS } from '../../src/kernel/limits.ts'
import { createAgent, type Agent, type ToolAnswer } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { inEveryWorkspace } from '../support/workspaces.ts'

// Every refusal that a tool can answer with, provoked over HTTP and kept word for word: what an agent reads is product,
// and a change of it is a visible diff.

let t: TestApp
let ada: Agent
let bob: Agent

beforeAll(async () => {
  t = await createTestApp()
  ada = await t.agent('Ada', 'Claude Code')
  bob = await t.agent('Ada', 'Codex')
  await ada.join({ agentId: 'ada' })
  await bob.join({ agentId: 'bob' })
})
afterAll(() => t.close())

const declare = (agent: Agent, forceIntent: string) => agent.call('identify_intent', { userPrompt: 'x', forceIntent })

async function ready(agent: Agent): Promise<string> {
  await declare(agent, 'implement')
  await agent.call('read_team_state')
  return agent.stateHash
}

/** Each provokes the refusal that it is named after. */
const PROVOCATIONS: Record<string, () => Promise<ToolAnswer>> = {
  NOT_JOINED: async () => (await t.agent('Newcomer')).call('read_team_state'),
  INVALID_INPUT: () => ada.call('identify_intent', { userPrompt: 5, chain: ['fly'] }),
  AGENT_AMBIGUOUS: async () => {
    const { accessToken } = await t.login('Twin')
    const [one, two] = [0, 1].map(() => createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken))
    await one?.join({ agentId: 'one' }, { remote: 'https://example.org/twin' })
    await two?.join({ agentId: 'two' }, { remote: 'https://example.org/twin' })
    return (one ?? ada).call('read_team_state', { agentId: undefined })
  },
  AGENT_TAKEN: async () => {
    const eve = await t.agent('Eve')
    await inEveryWorkspace(t.database, (tx) =>
      tx.execute(sql`insert into members (workspace_id, user_id, role, joined_at)
        select m.workspace_id, u.id, 'member', clock_timestamp() from users u, members m
        join users a on a.id = m.user_id where u.email = 'eve@example.org' and a.email = 'ada@example.org'`),
    )
    return eve.join({ agentId: 'ada' })
  },
  WORKSPACE_NOT_FOUND: () => ada.join({ workspaceId: 'ws_nothing' }),
  REPO_MISMATCH: () => ada.join({}, { remote: 'https://example.org/elsewhere' }),
  WORKSPACE_AMBIGUOUS: async () => {
    const many = await t.agent('Many')
    const remote = 'https://example.org/many'
    await many.join({ agentId: 'many' }, { remote })
    const [person] = await t.database.query((orm) =>
      orm.execute<{ id: string }>(sql`select id from users where email = 'many@example.org'`),
    )
    await t.database.write({ workspace: 'ws_second', user: person?.id ?? '' }, (tx) =>
      tx.execute(sql`with own as (select r.*, m.user_id from members m join repos r on r.workspace_id = m.workspace_id),
        ws as (insert into workspaces (id, name, created_by, created_at) select 'ws_second', 'second', user_id, bound_at from own),
        mem as (insert into members (workspace_id, user_id, role, joined_at) select 'ws_second', user_id, 'owner', bound_at from own)
        insert into repos (workspace_id, id, canonical_remote, root_sha, bound_at)
          select 'ws_second', 'rep_second', canonical_remote, root_sha, bound_at from own`),
    )
    await t.database.query((orm) =>
      orm.execute(sql`update users set active_workspace_id = null where email = 'many@example.org'`),
    )
    return many.join({}, { remote })
  },
  WORKFLOW_REQUIRED: () => ada.claim('a'),
  WORKFLOW_STEP_VIOLATION: async () => {
    await declare(ada, 'implement')
    return ada.claim('a')
  },
  INTENT_DISALLOWS_WRITE: async () => {
    await declare(ada, 'review')
    await ada.call('read_team_state')
    return ada.claim('a')
  },
  STATE_HASH_UNKNOWN: async () => {
    await ready(ada)
    return ada.call('claim_scope', { paths: ['a'], expectedStateHash: '1-0000000000000000' })
  },
  STATE_CHANGED: async () => {
    const stale = await ready(ada)
    await ready(bob)
    const { claim } = await bob.claim('changed')
    await bob.call('release_scope', { claimId: claim.claimId })
    return ada.call('claim_scope', { paths: ['changed/deep'], expectedStateHash: stale })
  },
  WORKFLOW_RESYNC_REQUIRED: () =>
    ada.call('claim_scope', { paths: ['changed'], expectedStateHash: '3-0000000000000000' }),
  PATH_INVALID: async () => {
    await ready(ada)
    return ada.claim('/etc/passwd', 'a/../b', 'fine')
  },
  SCOPE_CONFLICT: async () => {
    await ready(bob)
    await bob.claim('src/auth')
    await bob.call('update_my_state', { content: { objective: 'Rework the login', footprint: ['src/auth'] } })
    await ready(ada)
    return ada.claim('src/auth/login.ts', 'src/billing')
  },
  CLAIM_NOT_FOUND: () => ada.call('release_scope', { claimId: 'clm_nothing' }),
  CLAIM_EXPIRED: async () => {
    await ready(ada)
    const { claim } = await ada.claim('lapsing')
    await t.elapse(1000)
    return ada.call('release_scope', { claimId: claim.claimId })
  },
  FOOTPRINT_OUTSIDE_CLAIM: async () => {
    await ready(ada)
    await ada.claim('mine')
    return ada.call('update_my_state', { content: { objective: 'o', footprint: ['mine/x', 'not-mine'] } })
  },
  CLAIM_LIMIT: async () => {
    for (let n = 0; n < LIMITS.claimsPerSession; n += 1) await ada.claim(`many/${n}`)
    return ada.claim('many/more')
  },
  SESSION_LIMIT: async () => {
    const { accessToken } = await t.login('Crowd')
    const crowd = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
    const remote = { remote: 'https://example.org/crowd' }
    for (let n = 0; n < LIMITS.sessionsPerGrant; n += 1) await crowd.join({}, remote)
    return crowd.join({}, remote)
  },
  VERSION_CONFLICT: async () => {
    await ada.call('write_values', { entries: [{ key: 'port', value: 1 }] })
    return ada.call('write_values', { entries: [{ key: 'port', value: 2, expectedVersion: 1 }] })
  },
  VALUES_LIMIT: async () => {
    const large = 'x'.repeat(60_000)
    for (let n = 0; n < 15; n += 1) {
      const entries = Array.from({ length: 10 }, (_, index) => ({ key: `large/${n}/${index}`, value: large }))
      const answer = await ada.call('write_values', { entries })
      if (!answer.ok) return answer
    }
    throw new Error('the bound was not met')
  },
  FORBIDDEN_SCOPE: async () => {
    const { accessToken } = await t.login('Reader', 'Codex', 'mcp:read')
    const reader = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
    await reader.join({ agentId: 'reader' }, { remote: 'https://example.org/reader' })
    return reader.call('write_values', { entries: [{ key: 'k', value: 1 }] })
  },
  FORBIDDEN_ROLE: async () => {
    await inEveryWorkspace(t.database, (tx) =>
      tx.execute(sql`update members set role = 'viewer' where role = 'member'`),
    )
    const eve = await t.agent('Eve')
    const { workspace } = await ada.join({ agentId: 'ada' })
    await eve.join({ workspaceId: workspace.id, agentId: 'eve' })
    return eve.call('write_values', { entries: [{ key: 'k', value: 1 }] })
  },
  UNAUTHENTICATED: async () => {
    const ended = await t.agent('Ended')
    // Its token is known from here on, and still believed when its grant is over.
    await ended.call('read_values')
    const newest = sql`select id from oauth_grants order by created_at desc limit 1`
    await t.database.query((orm) =>
      orm.execute(sql`update oauth_grants set revoked_at = clock_timestamp() where id = (${newest})`),
    )
    return ended.join()
  },
  RATE_LIMITED: async () => {
    const flood = await t.agent('Flood')
    for (;;) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => flood.call('read_values')))
      const refused = answers.find((answer) => answer['error'].code === 'RATE_LIMITED')
      if (refused !== undefined) return refused
    }
  },
  INTERNAL: async () => {
    await t.database.query((orm) => orm.execute(sql`alter table "values" rename to gone`))
    const answer = await ada.call('read_values')
    await t.database.query((orm) => orm.execute(sql`alter table gone rename to "values"`))
    return answer
  },
}

test.each(Object.keys(PROVOCATIONS))(
  '%s says what happened and what to do, in the same words as before',
  async (code) => {
    const answer = await PROVOCATIONS[code]?.()
    expect(answer).toMatchObject({ ok: false, isError: true, error: { code } })
    expect(answer?.['recovery'].length).toBeGreaterThan(0)
    const { text, isError: _isError, ...shown } = answer ?? { text: '' }
    expect(JSON.parse(text)).toEqual(shown)
    await expect(steady(text)).toMatchFileSnapshot(`__snapshots__/refusals/${code}.json`)
  },
)

/** What differs from run to run, as what it is. */
function steady(text: string): string {
  return text
    .replaceAll(/\b(usr|ws|rep|ses|run|clm|req)_[a-z2-7]{26}\b/gu, '$1_…')
    .replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/gu, '"<time>"')
    .replaceAll(/"\d+-[0-9a-f]{16}"/gu, '"<stateHash>"')
    .replaceAll(/"(seq|fence|version|expectedVersion|retryAfterMs|\w+Omitted)": \d+/gu, '"$1": 0')
}
