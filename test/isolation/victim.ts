import { sql } from 'drizzle-orm'
import { randomBytes } from 'node:crypto'
import { createAgent, type Agent } from '../support/agent.ts'
import type { TestApp } from '../support/app.ts'
import { enter, visitor } from '../support/oauth.ts'
import { restClient, type RestClient } from '../support/rest.ts'
import type { Things } from './fields.ts'

/** A workspace that is full of strings which nobody outside may ever see, and all that has an id in it. */
export interface Victim {
  readonly workspaceId: string
  readonly owner: RestClient
  readonly agent: Agent
  /** What every naming field names in it. */
  readonly things: Things
  /** By what they are written in. */
  readonly canaries: ReadonlyMap<string, string>
  /** Where its journal ends, and every row that it has in any table. */
  readonly written: () => Promise<object>
  /** Its owner in a browser. */
  readonly browser: RestClient
  readonly admit: (who: RestClient, role: string) => Promise<void>
}

/** Makes it, through the same tools and operations that everybody uses. */
export async function createVictim(t: TestApp): Promise<Victim> {
  const canaries = new Map<string, string>()
  const canary = (where: string, form = (random: string) => `canary-${where}-${random}`): string => {
    const made = form(randomBytes(8).toString('hex')).replaceAll(' ', '-')
    canaries.set(where, made)
    return made
  }
  const email = `${canary('person').toLowerCase()}@example.org`
  const name = canaries.get('person') ?? ''
  const { accessToken } = await t.login(name, canary('client_name'))
  const visit = visitor(t.fetch, t.publicUrl)
  await enter(visit, { email, name, password: `a long password of ${name}` })
  const browser = restClient(t.fetch, { cookie: visit.cookie(), 'sec-fetch-site': 'same-origin' })
  const owner = restClient(t.fetch, { authorization: `Bearer ${accessToken}` })

  const remote = `https://git.example/acme/${canary('repoUrl')}`
  const made = await owner.post('/api/workspaces', { name: canary('name'), repoUrl: remote })
  const { id: workspaceId, repos } = made.body.workspace
  const at = `/api/workspaces/${workspaceId}`
  const rootSha = canary('rootSha', (random) => random + random + random.slice(0, 8))
  await owner.post(`${at}/repos`, { rootSha })

  const agent = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
  const { claimId, sessionId, path } = await work(agent, remote, canary)
  const key = canary('key', (random) => `canary/${random}`)
  await agent.call('write_values', { entries: [{ key, value: { [canary('member of a value')]: canary('value') } }] })
  const invite = await owner.post(`${at}/invites`, { email: `${canary('email')}@example.org` })
  const back = await owner.post(`${at}/invites`, { role: 'viewer' })
  await owner.delete(`${at}/invites/${back.body.invite.id}`)
  const token = await browser.post('/api/tokens', { name: canary('name of a token') })
  const [me] = (await owner.get(`${at}/members`)).body.members
  const { connections } = (await browser.get('/api/connections')).body
  return {
    workspaceId,
    owner,
    agent,
    browser,
    canaries,
    written: await witness(t, workspaceId, me.userId),
    async admit(who, role) {
      const { body } = await owner.post(`${at}/invites`, { role })
      await who.post('/api/invites/accept', { secret: body.link.split('/').at(-1) })
    },
    things: {
      workspaceId,
      userId: me.userId,
      inviteId: invite.body.invite.id,
      repoId: repos[0].id,
      sessionId,
      claimId,
      tokenId: token.body.token.id,
      connectionId: connections[0].id,
      // Whoever holds one that is good is let in; these are not good any more.
      secret: back.body.link.split('/').at(-1),
      key,
      keys: [key],
      prefix: key.slice(0, -4),
      agentId: agent.agentId,
      targetAgentId: agent.agentId,
      expectedStateHash: agent.stateHash,
      sinceStateHash: agent.stateHash,
      paths: [path],
      path,
      remote,
      repoUrl: remote,
      rootSha,
    },
  }
}

/** An agent that says something of its own in everything that it may say. */
async function work(agent: Agent, remote: string, canary: (where: string, form?: (r: string) => string) => string) {
  const git = { remote, branch: canary('branch'), headSha: canary('headSha', (random) => `${random}${random}00000000`) }
  const agentId = canary('agentId', (random) => `canary-${random}`)
  const joined = await agent.join(
    { agentId, toolName: canary('toolName') },
    { ...git, repoRoot: `/${canary('repoRoot')}` },
  )
  const userPrompt = `Add a status field ${canary('userPrompt')}`
  await agent.call('identify_intent', { userPrompt, forceIntent: 'implement', scopeHints: [canary('scopeHints')] })
  await agent.call('read_team_state')
  const path = `src/${canary('paths')}`
  const claimed = await agent.call('claim_scope', { paths: [path], reason: canary('reason') })
  await agent.call('update_my_state', {
    content: {
      objective: canary('objective'),
      notes: canary('notes'),
      plan: [canary('plan')],
      completed: [canary('completed')],
      footprint: [`${path}/${canary('footprint')}`],
      repo: { aheadBehind: canary('aheadBehind', (random) => random) },
    },
  })
  const other = await agent.call('claim_scope', { paths: [`src/${canary('released path')}`] })
  await agent.call('release_scope', { claimId: other['claim'].claimId })
  return { claimId: claimed['claim'].claimId, sessionId: joined['session'].id, path }
}

/**
 * For every table with rows of workspaces, how many there are of this one and what they say; so also where its journal
 * ends. Beside them what belongs to its owner alone.
 */
async function witness(t: TestApp, workspaceId: string, userId: string): Promise<() => Promise<object>> {
  const tables = await t.database.query((orm) =>
    orm.execute<{ name: string }>(sql`
      select table_name as name from information_schema.columns
      where column_name = 'workspace_id' and table_schema = current_schema() order by 1`),
  )
  const places = [...tables.map(({ name }) => [name, 'workspace_id'] as const), ['workspaces', 'id'] as const]
  const selects = places.map(
    ([
      table,
      column,
    ]) => `select '${table}' as name, count(*) || ' ' || md5(string_agg(t::text, '|' order by t::text)) as rows
      from ${table} t where ${column} = '${workspaceId}'`,
  )
  selects.push(`select 'owner', active_workspace_id || ' ' || (
    select count(*) from personal_tokens p where p.user_id = u.id and revoked_at is null) || ' ' || (
    select count(*) from oauth_grants g where g.user_id = u.id and revoked_at is null) || ' ' || (
    select count(*) from browser_sessions b where b.user_id = u.id) from users u where id = '${userId}'`)
  const statement = sql.raw(selects.join(' union all '))
  return () =>
    t.database.read({ workspace: workspaceId }, async (orm) => {
      const found = await orm.execute<{ name: string; rows: string }>(statement)
      return Object.fromEntries(found.map(({ name, rows }) => [name, rows]))
    })
}
