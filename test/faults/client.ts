import { setTimeout as delay } from 'node:timers/promises'
import { parseStateHash } from '../../src/journal/chain.ts'
import { GIT, type ToolAnswer } from '../support/agent.ts'
import type { Random } from '../support/random.ts'
import type { Input, Output, WriteEntry } from '../linearizability/workspace-model.ts'
import type { Api } from './api.ts'
import { chooseStep, type History, type Step, type Window } from './history.ts'

export interface ClientOptions {
  readonly api: Api
  readonly agentId: string
  readonly workspaceId: string
  readonly history: History
  readonly random: Random
}

/** One agent: it joins, works at random until told to stop, and does not rest before every step has an answer. */
export interface Client {
  readonly agentId: string
  readonly workspaceId: string
  readonly sessionId: string
  /** Claims that it knows to hold, by id. */
  heldClaims(): string[]
  join(): Promise<ToolAnswer>
  work(until: () => boolean): Promise<void>
  /** Reads every key and looks at every path of the windows: what was acknowledged must show. */
  readAll(windows: readonly Window[]): Promise<void>
}

/** Claimed for the whole run, so that releasing another claim never ends the task. Part of no window. */
const anchorOf = (agentId: string) => `anchor/${agentId}`

/** Unknown outcomes make checking hard; a client that asks ten times a second during an outage learns nothing either. */
const RETRY_MAX_MS = 800

export function createClient(options: ClientOptions): Client {
  const { api, agentId, workspaceId, history, random } = options
  const held = new Map<string, string>()
  const versions = new Map<string, number>()
  /** StateHashes of answers, the newest last: now and then a step is decided on an old one. */
  const seen: string[] = []
  let sessionId = ''
  let anchorId = ''
  let writes = 0

  function note(answer: ToolAnswer): ToolAnswer {
    if (typeof answer['stateHash'] === 'string') seen.push(answer['stateHash'])
    if (seen.length > 20) seen.shift()
    return answer
  }

  /** The same call until it is answered. `attempt` is told of each one. */
  async function insist(
    tool: string,
    input: Record<string, unknown>,
    attempt: (answer: ToolAnswer | undefined, calledAt: number, returnedAt: number) => void = () => undefined,
  ): Promise<ToolAnswer> {
    for (let pauseMs = 50; ; pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS)) {
      const calledAt = performance.now()
      const outcome = await api.call(tool, tool === 'join_workspace' ? input : { agentId, ...input })
      const returnedAt = performance.now()
      if (typeof outcome === 'object') {
        attempt(outcome.answer, calledAt, returnedAt)
        return note(outcome.answer)
      }
      if (outcome === 'unknown') attempt(undefined, calledAt, returnedAt)
      await delay(pauseMs + random.below(pauseMs))
    }
  }

  async function record(
    window: Window,
    input: Input,
    tool: string,
    args: Record<string, unknown>,
  ): Promise<Output | null> {
    let output: Output | null = null
    await insist(tool, args, (answer, calledAt, returnedAt) => {
      output = answer === undefined ? null : outputOf(input, agentId, answer)
      // Refused for the workflow's sake: the step did not come to be decided.
      if (answer !== undefined && output === null) return
      const operation = { client: agentId, input: { ...input, agentId }, calledAt, returnedAt }
      window.operations.push({ ...operation, output: output ?? undefined })
    })
    return output
  }

  async function perform(window: Window, step: Step): Promise<void> {
    switch (step.tool) {
      case 'read':
        return learn(await record(window, { kind: 'read', keys: [step.on] }, 'read_values', { keys: [step.on] }))
      case 'write': {
        const entries = step.entries.map(({ key, isDelete, expectedVersion }): WriteEntry => {
          writes += 1
          const value = isDelete ? null : `${agentId} ${writes}`
          return expectedVersion === undefined ? { key, value } : { key, value, expectedVersion }
        })
        const output = await record(window, { kind: 'write', entries }, 'write_values', { entries })
        learn(output)
        if (output?.kind === 'written') for (const { key, value } of entries) if (value === null) versions.set(key, 0)
        return
      }
      case 'look':
        await record(window, { kind: 'look', path: step.on }, 'read_team_state', { paths: [step.on] })
        return
      case 'claim':
        return claim(window, step.on)
      case 'release':
        return release(window, step.on)
    }
  }

  function learn(output: Output | null): void {
    if (output?.kind === 'written')
      for (const [key, version] of Object.entries(output.versions)) versions.set(key, version)
    const entries =
      output?.kind === 'values' ? output.values : output?.kind === 'version_conflict' ? output.current : {}
    for (const [key, entry] of Object.entries(entries)) versions.set(key, entry?.version ?? 0)
  }

  async function claim(window: Window, path: string): Promise<void> {
    const expectedStateHash = random.next() < 0.8 ? seen.at(-1) : random.pick(seen)
    const expectedSeq = parseStateHash(expectedStateHash ?? '')?.seq ?? 0
    const input = { kind: 'claim' as const, path, expectedSeq }
    const output = await record(window, input, 'claim_scope', { paths: [path], expectedStateHash })
    if (output === null) await insist('read_team_state', { paths: [anchorOf(agentId)] })
    if (output?.kind === 'claimed') held.set(path, output.hold.claimId)
  }

  async function release(window: Window, path: string): Promise<void> {
    const claimId = held.get(path)
    if (claimId === undefined) return
    await record(window, { kind: 'release', path, claimId }, 'release_scope', { claimId })
    held.delete(path)
  }

  async function readAll(windows: readonly Window[]): Promise<void> {
    for (const window of windows) {
      await record(window, { kind: 'read', keys: window.keys }, 'read_values', { keys: window.keys })
      for (const path of window.paths)
        await record(window, { kind: 'look', path }, 'read_team_state', { paths: [path] })
    }
  }

  return {
    agentId,
    workspaceId,
    get sessionId() {
      return sessionId
    },
    heldClaims: () => [anchorId, ...held.values()].toSorted(),
    async join() {
      const joined = must(await insist('join_workspace', { gitContext: GIT, workspaceId, agentId }), 'join')
      sessionId ||= joined['session'].id
      if (anchorId !== '') return joined
      must(await insist('identify_intent', { userPrompt: 'Work on everything', forceIntent: 'implement' }), 'intent')
      must(await insist('read_team_state', {}), 'read')
      const anchor = { paths: [anchorOf(agentId)], expectedStateHash: seen.at(-1) }
      anchorId = must(await insist('claim_scope', anchor), 'anchor')['claim'].claimId
      return joined
    },
    async work(until) {
      let window = history.current()
      while (!until()) {
        const now = history.current()
        if (now !== window) for (const path of held.keys()) await release(window, path)
        window = now
        await perform(window, chooseStep(random, window, { held, versions }))
      }
    },
    readAll,
  }
}

function must(answer: ToolAnswer, what: string): ToolAnswer {
  if (answer.ok) return answer
  throw new Error(`${what}: ${answer.text}`)
}

/** An answer as the model speaks of it; null for a refusal by the workflow. @throws Error for any other */
function outputOf(input: Input, agentId: string, answer: ToolAnswer): Output | null {
  const seq = parseStateHash(String(answer['stateHash']))?.seq ?? Number.NaN
  if (answer.ok) return { seq, ...successOf(input, agentId, answer) }
  const { code, conflicts } = answer['error']
  if (code === 'WORKFLOW_RESYNC_REQUIRED') return null
  if (code === 'STATE_CHANGED') return { seq, kind: 'state_changed' }
  if (code === 'VERSION_CONFLICT') {
    const current = conflicts.map((conflict: { key: string; current: Shown | null }) => [
      conflict.key,
      shown(conflict.current),
    ])
    return { seq, kind: 'version_conflict', current: Object.fromEntries(current) }
  }
  if (code === 'SCOPE_CONFLICT') {
    const { claimId, holder } = conflicts[0]
    return { seq, kind: 'scope_conflict', holder: { claimId, agentId: holder.agentId } }
  }
  throw new Error(`${agentId}: ${JSON.stringify(input)} was refused: ${JSON.stringify(answer)}`)
}

interface Shown {
  readonly key: string
  readonly value: string
  readonly version: number
}

const shown = (entry: Shown | null) => (entry === null ? null : { value: entry.value, version: entry.version })

type WithoutSeq<T> = T extends unknown ? Omit<T, 'seq'> : never

function successOf(input: Input, agentId: string, answer: ToolAnswer): WithoutSeq<Output> {
  switch (input.kind) {
    case 'read': {
      const found = new Map<string, Shown>(answer['values'].map((entry: Shown) => [entry.key, entry]))
      return {
        kind: 'values',
        values: Object.fromEntries(input.keys.map((key) => [key, shown(found.get(key) ?? null)])),
      }
    }
    case 'write': {
      const versions = answer['values'].map(({ key, version }: Shown) => [key, version])
      return { kind: 'written', versions: Object.fromEntries(versions) }
    }
    case 'claim': {
      const { claimId, fence } = answer['claim']
      return { kind: 'claimed', hold: { claimId, agentId, fence }, renewed: answer['renewed'] }
    }
    case 'release':
      return { kind: 'released' }
    case 'look':
    default: {
      const claims: { claimId: string; agentId: string; fence: number; paths: string[] }[] = answer['activeClaims']
      const claim = claims.find(({ paths }) => paths.includes(input.path))
      if (claim === undefined) return { kind: 'holder', hold: null }
      return { kind: 'holder', hold: { claimId: claim.claimId, agentId: claim.agentId, fence: claim.fence } }
    }
  }
}
