import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { members } from '../../src/modules/tenancy/schema.ts'
import { createAgent, type Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { postForm } from '../support/oauth.ts'

let t: TestApp
beforeAll(async () => {
  t = await createTestApp({ sweep: true })
})
afterAll(() => t.close())

const withToken = (accessToken: string): Agent => createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)

test('before joining every tool but join_workspace is refused, with the step to take', async () => {
  const agent = await t.agent('Newcomer')
  for (const tool of [
    'identify_intent',
    'read_team_state',
    'claim_scope',
    'update_my_state',
    'release_scope',
    'read_values',
  ]) {
    expect(await agent.call(tool)).toMatchObject({
      ok: false,
      isError: true,
      error: { code: 'NOT_JOINED' },
      nextRequiredTool: 'join_workspace',
      allowedTools: ['join_workspace'],
      stateHash: null,
    })
  }
})

test('a poll that finds nothing new writes nothing; one after five seconds stores that the agent is there', async () => {
  const agent = await t.agent('Polling')
  const joined = await agent.join()
  await agent.ready()
  const scope = { workspace: String(joined['workspace'].id) }
  const rows = async () => {
    const [row] = await t.db.database.read(scope, (orm) =>
      orm.execute<{ written: string; seenAgo: number }>(sql`select sessions.xmin || ' ' || journals.xmin as written,
        extract(epoch from clock_timestamp() - last_seen_at)::float8 as "seenAgo"
        from sessions join journals using (workspace_id) where agent_id = ${agent.agentId}`),
    )
    return row
  }
  await agent.call('read_team_state')
  const before = await rows()
  const polled = await agent.call('read_team_state', { sinceStateHash: agent.stateHash })
  expect(polled).toMatchObject({ ok: true, unchanged: true })
  await agent.call('read_values')
  expect((await rows())?.written).toBe(before?.written)

  await t.db.database.write(scope, (tx) =>
    tx.execute(sql`update sessions set last_seen_at = clock_timestamp() - interval '6 seconds'`),
  )
  await agent.call('read_team_state', { sinceStateHash: agent.stateHash })
  expect((await rows())?.seenAgo).toBeLessThan(5)
})

describe('an agentId', () => {
  test('may be left out by the only session of a sign-in, and is asked for where there are two', async () => {
    const { accessToken } = await t.login('Ada')
    const first = withToken(accessToken)
    const second = withToken(accessToken)
    await first.join()
    expect(await first.call('read_team_state', { agentId: undefined })).toMatchObject({ ok: true })
    await second.join()
    const refused = await first.call('read_team_state', { agentId: undefined })
    expect(refused['error'].code).toBe('AGENT_AMBIGUOUS')
    expect(refused['error'].candidates.map((c: { agentId: string }) => c.agentId).sort()).toEqual(
      [first.agentId, second.agentId].sort(),
    )
  })

  test('that I had before is resumed: the same session with its state and claims', async () => {
    const agent = await t.agent('Ada')
    await agent.ready()
    const { claim } = await agent.claim('resume/me')
    await agent.call('update_my_state', { content: { objective: 'Resume me' } })
    const later = await t.agent('Ada')
    const joined = await later.join({ agentId: agent.agentId })
    expect(joined).toMatchObject({
      session: { agentId: agent.agentId, resumed: true },
      lastState: { objective: 'Resume me' },
    })
    expect(joined['claims'].map((c: { claimId: string }) => c.claimId)).toEqual([claim.claimId])
    expect(await agent.call('read_team_state')).toMatchObject({
      error: { code: 'NOT_JOINED', agentId: agent.agentId, reason: 'resumed_elsewhere' },
      nextRequiredTool: 'join_workspace',
    })
  })

  test('of somebody else is taken, in join; and does not exist, in every other call', async () => {
    const ada = await t.agent('Ada')
    const joined = await ada.join()
    const mallory = await t.agent('Mallory')
    await mallory.join({}, { remote: 'https://github.com/mallory/other' })
    expect(await mallory.call('read_team_state', { agentId: ada.agentId })).toMatchObject({
      error: { code: 'NOT_JOINED' },
    })
    expect(await mallory.join({ workspaceId: joined['workspace'].id })).toMatchObject({
      error: { code: 'WORKSPACE_NOT_FOUND' },
    })
    expect(await mallory.join({ workspaceId: 'ws_nothing' })).toMatchObject({ error: { code: 'WORKSPACE_NOT_FOUND' } })
  })

  test('of a teammate is taken', async () => {
    const ada = await t.agent('Ada')
    const joined = await ada.join()
    const eve = await t.agent('Eve')
    await addMember('eve@example.org', joined['workspace'].id, 'member')
    expect(await eve.join({ workspaceId: joined['workspace'].id, agentId: ada.agentId })).toMatchObject({
      error: { code: 'AGENT_TAKEN' },
    })
  })
})

describe('a repository', () => {
  test('is one whatever its address is written like', async () => {
    const first = await t.agent('Rita')
    const joined = await first.join({}, { remote: 'git@gitlab.com:team/Thing.git' })
    const second = await t.agent('Rita')
    const again = await second.join({}, { remote: 'https://someone:secret@gitlab.com/team/thing' })
    expect(again['workspace'].id).toBe(joined['workspace'].id)
    expect(again['repo'].id).toBe(joined['repo'].id)
  })

  test('that is not bound to the workspace is refused with those that are', async () => {
    const agent = await t.agent('Rita')
    const refused = await agent.join({}, { remote: 'https://gitlab.com/team/unrelated' })
    expect(refused).toMatchObject({ error: { code: 'REPO_MISMATCH', boundRepos: [{ repo: 'gitlab.com/team/thing' }] } })
  })

  test('without a remote is known by its first commit, which is asked for', async () => {
    const agent = await t.agent('Lone')
    const refused = await agent.join({}, { remote: '' })
    expect(refused).toMatchObject({ error: { code: 'INVALID_INPUT', issues: [{ path: 'gitContext.rootSha' }] } })
    const rootSha = 'abcdef0123456789abcdef0123456789abcdef01'
    const joined = await agent.join({}, { remote: '', rootSha })
    const other = await t.agent('Lone')
    expect((await other.join({}, { remote: '/srv/git/local', rootSha }))['workspace'].id).toBe(joined['workspace'].id)
  })
})

test('two first joins of one person end in one workspace', async () => {
  const { accessToken } = await t.login('Twin')
  const joins = await Promise.all([withToken(accessToken).join(), withToken(accessToken).join()])
  expect(new Set(joins.map((joined) => joined['workspace'].id)).size).toBe(1)
})

describe('rights', () => {
  test('a viewer joins and reads; writing is refused by role and changes nothing', async () => {
    const ada = await t.agent('Ada')
    const { workspace } = await ada.join()
    const vic = await t.agent('Vic')
    await addMember('vic@example.org', workspace.id, 'viewer')
    expect(await vic.join({ workspaceId: workspace.id })).toMatchObject({ ok: true, workspace: { role: 'viewer' } })
    await vic.call('identify_intent', { userPrompt: 'x', forceIntent: 'implement' })
    expect(await vic.call('read_team_state')).toMatchObject({ ok: true })
    expect(await vic.claim('a')).toMatchObject({ error: { code: 'FORBIDDEN_ROLE' } })
    expect(await vic.call('write_values', { entries: [{ key: 'k', value: 1 }] })).toMatchObject({
      error: { code: 'FORBIDDEN_ROLE' },
    })
  })

  test('a token without the scope is told so in a tool result, never by a 403', async () => {
    const agent = withToken((await t.login('Scopeless', 'Claude Code', 'mcp:read')).accessToken)
    await agent.ready()
    expect(await agent.claim('a')).toMatchObject({
      isError: true,
      error: { code: 'FORBIDDEN_SCOPE', requiredScope: 'mcp:write' },
      phase: 'synced',
    })
    expect(await agent.call('read_team_state')).toMatchObject({ ok: true })
  })

  test('a removed member’s agents are out with their next call', async () => {
    const ada = await t.agent('Ada')
    const { workspace } = await ada.join()
    const gone = await t.agent('Gone')
    await addMember('gone@example.org', workspace.id, 'member')
    await gone.join({ workspaceId: workspace.id })
    await t.database.write({ workspace: workspace.id }, (tx) =>
      tx.execute(sql`delete from members where user_id = (select id from users where email = 'gone@example.org')`),
    )
    expect(await gone.call('read_team_state')).toMatchObject({ error: { code: 'NOT_JOINED' } })
  })
})

describe('ending', () => {
  test('an idle session ends with its run and claims, each with an event, without anybody calling', async () => {
    const agent = await t.agent('Idle')
    await agent.ready()
    const { workspace } = await agent.join({ agentId: agent.agentId })
    await agent.call('claim_scope', { paths: ['idle'], ttlSeconds: 3600 })
    await t.elapse(1801)
    const types = await eventually(async () => {
      const list = await eventTypes(workspace.id)
      return list.includes('session.ended') ? list : null
    })
    expect(types.slice(-3)).toEqual(['claim.released', 'run.finished', 'session.ended'].toSorted(byOrderIn(types)))
    expect(await agent.call('read_team_state', { agentId: undefined })).toMatchObject({
      error: { code: 'NOT_JOINED', agentId: agent.agentId, reason: 'idle' },
    })
    expect(await agent.join({ agentId: agent.agentId })).toMatchObject({ session: { resumed: true }, claims: [] })
  })

  test('a revoked token takes its sessions and claims along', async () => {
    const tokens = await t.login('Revoked', 'Codex')
    const agent = withToken(tokens.accessToken)
    await agent.ready()
    const { workspace } = await agent.join({ agentId: agent.agentId })
    await agent.claim('revoked')
    await postForm(t.fetch, '/api/oauth/revoke', { token: tokens.refreshToken, client_id: tokens.clientId })
    expect((await agent.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).status).toBe(401)
    const types = await eventTypes(workspace.id)
    expect(types).toContain('claim.released')
    expect(types.at(-1)).toBe('session.ended')
  })
})

function byOrderIn(list: readonly string[]) {
  return (a: string, b: string) => list.lastIndexOf(a) - list.lastIndexOf(b)
}

async function addMember(email: string, workspaceId: string, role: 'member' | 'viewer'): Promise<void> {
  await t.database.write({ workspace: workspaceId }, async (tx) => {
    const rows = await tx.execute<{ id: string }>(sql`select id from users where email = ${email}`)
    await tx
      .insert(members)
      .values({ workspaceId, userId: rows[0]?.id ?? '', role, joinedAt: new Date() })
      .onConflictDoNothing()
    expect(await tx.select().from(members).where(eq(members.workspaceId, workspaceId))).not.toHaveLength(0)
  })
}

async function eventTypes(workspaceId: string): Promise<string[]> {
  return (await t.app.journal.read(workspaceId, 0, 1000)).map((event) => event.type)
}

async function eventually<T>(probe: () => Promise<T | null>): Promise<T> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    const found = await probe()
    if (found !== null) return found
    await new Promise((resolve) => {
      setTimeout(resolve, 25)
    })
  }
  throw new Error('it did not happen within 10 s')
}
