import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../support/app.ts'

let t: TestApp
beforeAll(async () => {
  t = await createTestApp()
})
afterAll(() => t.close())

test('a whole turn: following nextRequiredTool leads from joining to released, and every step is on record', async () => {
  const ada = await t.agent('Ada')
  const joined = await ada.join()
  expect(joined).toMatchObject({
    ok: true,
    workspace: { name: 'widgets', role: 'owner' },
    session: { toolName: 'Claude Code', resumed: false },
    repo: { canonicalRemote: 'github.com/acme/widgets', branch: 'main', verified: true },
    policy: { casMode: 'scoped', overlap: 'reject', sessionIdleSeconds: 1800 },
    phase: 'joined',
    nextRequiredTool: 'identify_intent',
  })
  expect(joined['session'].agentId).toMatch(/^claude-code-[a-z2-7]{4}$/)

  const intent = await ada.call('identify_intent', { userPrompt: 'Fix the progress bar in the upload dialog' })
  expect(intent).toMatchObject({
    ok: true,
    intentId: 'implement',
    phase: 'identified',
    nextRequiredTool: 'read_team_state',
  })

  const read = await ada.call('read_team_state')
  expect(read).toMatchObject({ ok: true, phase: 'synced', nextRequiredTool: 'claim_scope', activeClaims: [] })
  expect(read['agents']).toHaveLength(1)

  const claimed = await ada.claim('src/upload', 'src/ui/progress.ts')
  expect(claimed).toMatchObject({ ok: true, renewed: false, phase: 'claimed', nextRequiredTool: 'update_my_state' })
  expect(claimed['claim']).toMatchObject({
    paths: ['src/upload', 'src/ui/progress.ts'],
    mode: 'exclusive',
    ttlSeconds: 900,
  })

  const updated = await ada.call('update_my_state', {
    content: { objective: 'Fix the progress bar', footprint: ['src/ui/progress.ts'], plan: ['find it', 'fix it'] },
  })
  expect(updated).toMatchObject({ ok: true, phase: 'active', nextRequiredTool: null, state: { status: 'active' } })

  const released = await ada.call('release_scope', { claimId: claimed['claim'].claimId })
  expect(released).toMatchObject({ ok: true, released: true, remainingClaims: 0, nextRequiredTool: 'identify_intent' })

  const response = await t.fetch(`/api/workspaces/${joined['workspace'].id}/events?limit=50`, {
    headers: { authorization: `Bearer ${(await t.login('Ada')).accessToken}` },
  })
  const { events } = (await response.json()) as { events: { type: string }[] }
  expect(events.map((event) => event.type)).toEqual([
    'workspace.created',
    'member.added',
    'repo.bound',
    'session.joined',
    'run.started',
    'claim.acquired',
    'state.published',
    'claim.released',
    'run.finished',
  ])
})
