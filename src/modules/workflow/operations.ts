import { z } from 'zod'
import { LIMITS } from '../../kernel/limits.ts'
import { moment } from '../fields.ts'
import { readOperation } from '../office.ts'
import { INTENT_IDS } from './intent.ts'
import { runsOf } from './store.ts'

const shownRun = z.object({
  id: z.string(),
  sessionId: z.string(),
  agentId: z.string(),
  intentId: z.enum(INTENT_IDS),
  phase: z.string(),
  chainRemaining: z.array(z.enum(INTENT_IDS)),
  targetAgentId: z.string().nullable(),
  startedAt: moment,
  endedAt: moment.nullable(),
  endReason: z.string().nullable(),
})

export const listRuns = readOperation({
  name: 'listRuns',
  tag: 'Agents',
  title: 'List runs',
  description: 'What the agents were and are about, the newest first; those that have not ended unless `ended=true`.',
  method: 'GET',
  path: '/api/workspaces/:workspaceId/runs',
  permission: 'workspace.read',
  params: z.object({ workspaceId: z.string().min(1).max(64) }),
  query: z.object({ ended: z.enum(['true', 'false']).default('false'), cursor: z.string().max(64).optional() }),
  output: z.object({ runs: z.array(shownRun), nextCursor: z.string().optional() }),
  async handle({ orm, workspaceId }, { query: { ended, cursor } }) {
    const found = await runsOf(orm, workspaceId, {
      endedToo: ended === 'true',
      before: cursor,
      limit: LIMITS.itemsPerPage + 1,
    })
    const page = found.slice(0, LIMITS.itemsPerPage)
    const runs = page.map(({ id, sessionId, agentId, intentId, phase, targetAgentId, endReason, ...run }) => ({
      id,
      sessionId,
      agentId,
      intentId,
      phase,
      chainRemaining: [...run.chainRemaining],
      targetAgentId,
      startedAt: run.startedAt.toISOString(),
      endedAt: run.endedAt?.toISOString() ?? null,
      endReason,
    }))
    return { body: { runs, ...(found.length > page.length ? { nextCursor: page.at(-1)?.id ?? '' } : {}) } }
  },
})
