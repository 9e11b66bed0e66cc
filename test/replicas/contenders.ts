/** Agents that want paths which overlap in every way, and what the journal must say of it afterwards. */
import type { ExportedEvent } from '../../src/journal/event.ts'
import type { Api } from '../faults/api.ts'
import { GIT, type ToolAnswer } from '../support/agent.ts'
import { auditClaims } from '../support/journal-audit.ts'
import type { Random } from '../support/random.ts'
import { insist } from './insist.ts'

/** What the contenders were told. */
export interface Told {
  /** By claimId. */
  readonly granted: Map<string, { readonly agentId: string; readonly fence: number }>
  readonly released: Set<string>
  /** Claims that refusals named as being in the way. */
  readonly inTheWay: Set<string>
  refusals: number
}

export const nothingTold = (): Told => ({
  granted: new Map(),
  released: new Set(),
  inTheWay: new Set(),
  refusals: 0,
})

const CONTESTED = [
  'src',
  'src/auth',
  'SRC/Auth/',
  'src/auth/login.ts',
  'src/**/login.ts',
  'src/*/login.ts',
  'src/auth/*.ts',
  'src/pages/**',
  'lib',
  'lib/*.ts',
  '**/index.ts',
]
const HELD_MAX = 2

export interface Contender {
  join(): Promise<void>
  work(until: () => boolean): Promise<void>
}

export function createContender(options: {
  readonly api: Api
  readonly agentId: string
  readonly workspaceId: string
  readonly told: Told
  readonly random: Random
}): Contender {
  const { api, agentId, workspaceId, told, random } = options
  const held: string[] = []
  let stateHash: unknown = ''

  /** Until it is answered. A claim asked for again is renewed, and one released again stays released. */
  async function call(tool: string, input: Record<string, unknown>): Promise<ToolAnswer> {
    const answer = await insist(random, async () => {
      const outcome = await api.call(tool, tool === 'join_workspace' ? input : { agentId, ...input })
      if (typeof outcome !== 'object') throw new Error(`${tool} has no answer: ${outcome}`)
      return outcome.answer
    })
    if (typeof answer['stateHash'] === 'string') stateHash = answer['stateHash']
    return answer
  }

  async function must(tool: string, input: Record<string, unknown>): Promise<ToolAnswer> {
    const answer = await call(tool, input)
    if (!answer.ok) throw new Error(`${agentId}: ${tool} was refused: ${answer.text}`)
    return answer
  }

  function granted({ claimId, fence }: { claimId: string; fence: number }): string {
    const known = told.granted.get(claimId)
    if (known !== undefined && (known.agentId !== agentId || known.fence !== fence))
      throw new Error(`${claimId} was granted to ${known.agentId} with fence ${known.fence}, and again otherwise`)
    told.granted.set(claimId, { agentId, fence })
    return claimId
  }

  async function claim(): Promise<void> {
    const paths = [...new Set([random.pick(CONTESTED), random.pick(CONTESTED)])]
    const mode = random.next() < 0.8 ? 'exclusive' : 'shared'
    const answer = await call('claim_scope', { paths, mode, expectedStateHash: stateHash })
    if (answer.ok) {
      const claimId = granted(answer['claim'])
      if (!held.includes(claimId)) held.push(claimId)
      return
    }
    told.refusals += 1
    const { code, conflicts } = answer['error']
    if (code === 'SCOPE_CONFLICT') for (const conflict of conflicts) told.inTheWay.add(conflict.claimId)
    else if (code === 'STATE_CHANGED' || code === 'WORKFLOW_RESYNC_REQUIRED') await must('read_team_state', {})
    else throw new Error(`${agentId} was refused ${paths.join(', ')}: ${answer.text}`)
  }

  return {
    async join() {
      await must('join_workspace', { gitContext: GIT, workspaceId, agentId })
      await must('identify_intent', { userPrompt: 'Contend', forceIntent: 'implement' })
      await must('read_team_state', {})
      // Keeps the task open when everything else is released.
      const anchor = { paths: [`anchor/${agentId}`], expectedStateHash: stateHash }
      granted((await must('claim_scope', anchor))['claim'])
    },
    async work(until) {
      while (!until()) {
        const claimId = held.length >= HELD_MAX || random.next() < 0.4 ? held.shift() : undefined
        if (claimId === undefined) {
          await claim()
          continue
        }
        await must('release_scope', { claimId })
        told.released.add(claimId)
      }
    },
  }
}

/** Where the journal and what the contenders were told differ, one sentence each. */
export function contradictions(told: Told, events: readonly ExportedEvent[]): string[] {
  const { faults } = auditClaims(events)
  const acquired = new Map<string, number>()
  const released = new Set<string>()
  for (const { type, seq, payload } of events) {
    const claimId = payload['claimId'] as string
    if (type === 'claim.acquired') acquired.set(claimId, seq)
    if (type === 'claim.released') released.add(claimId)
  }
  return [
    ...faults,
    ...[...told.granted].flatMap(([claimId, { fence }]) =>
      acquired.get(claimId) === fence ? [] : [`${claimId}, granted with fence ${fence}, is not in the journal`],
    ),
    ...[...acquired.keys()].flatMap((claimId) =>
      told.granted.has(claimId) ? [] : [`${claimId} is in the journal, and nobody was told`],
    ),
    ...[...told.inTheWay].flatMap((claimId) =>
      acquired.has(claimId) ? [] : [`${claimId}, which was in the way, was never granted`],
    ),
    ...[...told.released].flatMap((claimId) =>
      released.has(claimId) ? [] : [`the release of ${claimId} is not in the journal`],
    ),
    ...[...released].flatMap((claimId) =>
      told.released.has(claimId) ? [] : [`${claimId} was released, and nobody asked for it or was told`],
    ),
  ]
}
