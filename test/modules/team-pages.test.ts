import { afterAll, beforeAll, expect, test } from 'vitest'
import { teamPage } from '../../src/modules/state/team.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { freshTeam, type Team } from '../support/team.ts'

// One page is read by PostgreSQL, from where the cursor says; around paths, all are read and cut here.

const AGENTS = 12

let t: TestApp
let team: Team
let workspaceId: string
beforeAll(async () => {
  t = await createTestApp()
  team = await freshTeam(t)
  workspaceId = team.id
  for (let n = 0; n < AGENTS; n += 1) {
    const agent = await t.agent('Ada1')
    await agent.join({ workspaceId })
    await agent.call('identify_intent', { userPrompt: 'Add a button', forceIntent: 'implement' })
    for (let claim = 0; claim <= n % 4; claim += 1) {
      await agent.call('read_team_state')
      expect(await agent.claim(`src/${n}/${claim}`)).toMatchObject({ ok: true })
    }
  }
})
afterAll(() => t.close())

interface Seen {
  readonly pages: number
  readonly agents: readonly string[]
  readonly claims: readonly string[]
}

async function all(pageBytes: number, paths?: readonly string[]): Promise<Seen> {
  const [agents, claims]: [string[], string[]] = [[], []]
  let pages = 0
  for (let cursor: string | undefined; ;) {
    const page = await t.database.read({ workspace: workspaceId }, (orm) =>
      teamPage({ orm, workspaceId, now: new Date(), mySessionId: null, pageBytes }, { paths, cursor }),
    )
    agents.push(...page.agents.map(({ agentId }) => agentId))
    claims.push(...page.activeClaims.map(({ claimId }) => claimId))
    pages += 1
    if (!('nextCursor' in page)) return { pages, agents, claims }
    cursor = page.nextCursor
  }
}

test.each([1, 700, 2_000, 7_000, 500_000])(
  'pages of %i bytes have every agent once and then every claim once, in the order and the pages of a whole list',
  async (pageBytes) => {
    const seen = await all(pageBytes)
    expect(new Set(seen.agents).size).toBe(AGENTS)
    expect(seen.agents).toEqual(seen.agents.toSorted())
    expect(new Set(seen.claims).size).toBe(30)
    expect(seen.claims).toHaveLength(30)
    expect(await all(pageBytes, ['**'])).toEqual(seen)
    if (pageBytes === 1) expect(seen.pages).toBe(AGENTS + 30)
  },
)
