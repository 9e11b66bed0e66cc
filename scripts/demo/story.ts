/**
 * The demonstration's plot: two agents on one repository, each step with what the server must answer. A step that is
 * answered otherwise ends the demonstration with StoryBroken.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { type Agent, StoryBroken } from './agent.ts'
import type { GitContext, Scopes } from './repository.ts'
import { shortPath, type Timeline } from './timeline.ts'

/** The shortest lease that the policy grants, so that its end is worth waiting for. */
const LEASE_SECONDS = 30

/** The sweeper puts a lapse on record within about a second; more than this is a fault. */
const LAPSE_GRACE_MS = 10_000

const yes = z.literal(true)
const no = z.literal(false)
const claimed = (paths: readonly string[]) =>
  z.looseObject({
    ok: yes,
    renewed: no,
    claim: z.looseObject({
      claimId: z.string(),
      paths: z.array(z.string()).refine((given) => same(given, paths), `must be ${paths.join(', ')}`),
      fence: z.number(),
      ttlSeconds: z.number(),
    }),
  })
const refusedFor = (holder: string, freePaths: readonly string[]) =>
  z.looseObject({
    ok: no,
    error: z.looseObject({
      code: z.literal('SCOPE_CONFLICT'),
      conflicts: z
        .array(
          z.looseObject({
            path: z.string(),
            holder: z.looseObject({ agentId: z.literal(holder), user: z.string() }),
            heldPaths: z.array(z.string()),
          }),
        )
        .length(1),
      freePaths: z.array(z.string()).refine((free) => same(free, freePaths), `must be ${freePaths.join(', ')}`),
    }),
    alerts: z.array(z.looseObject({ code: z.string() })),
  })
const Published = z.looseObject({
  ok: yes,
  phase: z.literal('active'),
  state: z.looseObject({ objective: z.string() }),
})
const Changes = z.looseObject({
  ok: yes,
  stateHash: z.string(),
  changes: z.array(z.looseObject({ type: z.string() })).default([]),
})

export interface Stage {
  readonly alpha: Agent
  readonly beta: Agent
  readonly gitContext: GitContext
  readonly scopes: Scopes
  readonly timeline: Timeline
}

/** Plays the whole story. @returns the workspace in which it took place. */
export async function playStory(stage: Stage): Promise<string> {
  const { timeline } = stage
  timeline.heading('Both join with what git says about this checkout')
  const workspaceId = await join(stage, stage.alpha)
  if ((await join(stage, stage.beta)) !== workspaceId) {
    throw new StoryBroken('the two agents are in different workspaces')
  }
  timeline.heading('One claims; the other is refused, and takes what is free')
  await alphaClaims(stage)
  const betas = await betaIsRefusedAndRescopes(stage)
  timeline.heading('Both publish what they are doing')
  await publish(stage.alpha, `Refactor ${stage.scopes.first}`, [stage.scopes.first])
  await publish(stage.beta, `Update ${stage.scopes.second}`, [stage.scopes.second])
  timeline.heading('alpha falls silent; its lease lapses by itself')
  await untilLapsed(stage)
  timeline.heading('beta takes over; alpha, back again, cannot write over it')
  const taken = await betaTakesOver(stage)
  await alphaComesBack(stage)
  timeline.heading('beta finishes')
  await release(stage.beta, taken, 1)
  await release(stage.beta, betas, 0)
  return workspaceId
}

/** The events that the story leaves in the journal, in order. */
export const STORY_EVENTS = [
  'workspace.created',
  'member.added',
  'repo.bound',
  'session.joined',
  'session.joined',
  'run.started',
  'claim.acquired',
  'run.started',
  'claim.acquired',
  'state.published',
  'state.published',
  'claim.expired',
  'run.finished',
  'run.started',
  'claim.acquired',
  'state.published',
  'claim.released',
  'claim.released',
  'run.finished',
] as const

async function join({ gitContext }: Stage, agent: Agent): Promise<string> {
  const { branch, headSha, dirty } = gitContext
  const { workspace } = await agent.call(
    'join_workspace',
    { gitContext, toolName: `Demo agent ${agent.name}` },
    {
      shown: `${branch} @ ${headSha.slice(0, 7)}${dirty ? ', uncommitted changes' : ''}`,
      expects: z.looseObject({
        ok: yes,
        phase: z.literal('joined'),
        workspace: z.looseObject({ id: z.string(), name: z.string(), role: z.string() }),
        session: z.looseObject({ agentId: z.literal(agent.name), resumed: no }),
        repo: z.looseObject({ canonicalRemote: z.string().nullable(), verified: yes, headSha: z.literal(headSha) }),
      }),
      tells: ({ workspace, repo }) =>
        `in workspace ${workspace.name} as ${workspace.role}; repository ${repo.canonicalRemote ?? 'known by its first commit'}`,
    },
  )
  return workspace.id
}

/** Names of places stay out of the prompt, where they could change what it is taken for. */
async function declareAndRead(
  agent: Agent,
  task: { userPrompt: string; scopeHints: readonly string[]; targetAgentId?: string },
  intentId: string,
): Promise<void> {
  await agent.call('identify_intent', task, {
    shown: `“${task.userPrompt}”`,
    expects: z.looseObject({ ok: yes, intentId: z.literal(intentId), confidence: z.number() }),
    tells: (answer) => `${answer.intentId} (confidence ${answer.confidence.toFixed(2)}); next: read_team_state`,
  })
  const read = {
    shown: '',
    expects: z.looseObject({
      ok: yes,
      phase: z.literal('synced'),
      agents: z.array(z.looseObject({ agentId: z.string() })).length(2),
      activeClaims: z.array(z.looseObject({ agentId: z.string() })),
    }),
    tells: ({ activeClaims }: { activeClaims: readonly { agentId: string }[] }) =>
      `2 agents; ${held(activeClaims)}; next: claim_scope`,
  }
  await agent.call('read_team_state', {}, read)
}

function held(claims: readonly { readonly agentId: string }[]): string {
  return claims.length === 0 ? 'nobody holds anything' : `claims of ${claims.map(({ agentId }) => agentId).join(', ')}`
}

async function claim(agent: Agent, paths: readonly string[], ttlSeconds?: number): Promise<string> {
  const answer = await agent.call(
    'claim_scope',
    { paths, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) },
    {
      shown: listed(paths),
      expects: claimed(paths),
      tells: ({ claim }) => `claimed for ${claim.ttlSeconds} s, fencing token ${claim.fence}`,
    },
  )
  return answer.claim.claimId
}

async function alphaClaims({ alpha, scopes }: Stage): Promise<void> {
  await declareAndRead(alpha, { userPrompt: 'Refactor this part of the code', scopeHints: [scopes.first] }, 'implement')
  await claim(alpha, [scopes.first], LEASE_SECONDS)
}

async function betaIsRefusedAndRescopes({ beta, scopes }: Stage): Promise<string> {
  const paths = [scopes.shared, scopes.second]
  await declareAndRead(beta, { userPrompt: 'Fix the failing tests', scopeHints: paths }, 'implement')
  await refusedClaim(beta, paths, 'alpha', [scopes.second])
  return claim(beta, [scopes.second])
}

async function refusedClaim(
  agent: Agent,
  paths: readonly string[],
  holder: string,
  freePaths: readonly string[],
): Promise<readonly { readonly code: string }[]> {
  const { alerts } = await agent.call(
    'claim_scope',
    { paths },
    {
      shown: listed(paths),
      expects: refusedFor(holder, freePaths),
      tells: ({ error: { code, conflicts, freePaths } }) => {
        const [conflict] = conflicts
        const free = freePaths.length === 0 ? 'nothing is free' : `free: ${listed(freePaths)}`
        return `${code}: ${conflict?.holder.agentId} (${conflict?.holder.user}) holds ${listed(conflict?.heldPaths ?? [])}; ${free}`
      },
    },
  )
  return alerts
}

async function publish(agent: Agent, objective: string, footprint: readonly string[]): Promise<void> {
  await agent.call(
    'update_my_state',
    { content: { objective, footprint, plan: ['read', 'change', 'test'], status: 'active' } },
    {
      shown: `“${shortPath(objective, 60)}”`,
      expects: Published,
      tells: () => 'published to the team; free to work',
    },
  )
}

async function untilLapsed({ beta, scopes, timeline }: Stage): Promise<void> {
  const deadline = Date.now() + LEASE_SECONDS * 1000 + LAPSE_GRACE_MS
  timeline.note(`alpha says nothing any more; beta watches (this is real time, up to ${LEASE_SECONDS} s)`)
  const read = Changes.parse(await beta.ask('read_team_state', {}))
  for (let shown = LEASE_SECONDS; ;) {
    const seen = Changes.parse(await beta.ask('read_team_state', { sinceStateHash: read.stateHash }))
    if (seen.changes.some(({ type }) => type === 'claim.expired')) break
    if (Date.now() > deadline) throw new StoryBroken(`alpha's lease has not lapsed: ${JSON.stringify(seen)}`)
    const left = Math.max(0, Math.ceil((deadline - LAPSE_GRACE_MS - Date.now()) / 1000))
    timeline.passing(`${left} s until alpha's lease has lapsed for certain`)
    if (left <= shown - 10) {
      timeline.note(`still held by alpha, for at most ${left} s`)
      shown = left
    }
    await delay(500)
  }
  timeline.called('beta', 'read_team_state (changes since)')
  timeline.answered(true, `claim.expired: ${shortPath(scopes.first)} is free again`)
}

async function betaTakesOver({ beta, scopes }: Stage): Promise<string> {
  const task = { userPrompt: 'Take over the work that alpha left', scopeHints: [scopes.first], targetAgentId: 'alpha' }
  await declareAndRead(beta, task, 'takeover')
  const claimId = await claim(beta, [scopes.first])
  await publish(beta, `Finish what alpha began in ${scopes.first}`, [scopes.first, scopes.second])
  return claimId
}

async function alphaComesBack({ alpha, scopes }: Stage): Promise<void> {
  const alerts = await refusedClaim(alpha, [scopes.first], 'beta', [])
  if (!alerts.some(({ code }) => code === 'CLAIM_LAPSED')) {
    throw new StoryBroken(`alpha was not told that its claim lapsed: ${JSON.stringify(alerts)}`)
  }
}

async function release(agent: Agent, claimId: string, remainingClaims: number): Promise<void> {
  await agent.call(
    'release_scope',
    { claimId },
    {
      shown: '',
      expects: z.looseObject({ ok: yes, released: yes, remainingClaims: z.literal(remainingClaims) }),
      tells: (answer) =>
        answer.remainingClaims === 0 ? 'released; the task is done' : `released; ${answer.remainingClaims} left`,
    },
  )
}

function listed(paths: readonly string[]): string {
  return paths.map((path) => shortPath(path, 36)).join(', ')
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
