import { expect, onTestFailed, test } from 'vitest'
import { isAlive } from '../../src/db/embedded/processes.ts'
import { overlaps } from '../../src/modules/claim/overlap.ts'
import { parsePattern } from '../../src/modules/claim/pattern.ts'
import { recordedPostmaster, temporaryDirectory } from '../db/embedded-harness.ts'
import type { Agent } from '../support/agent.ts'
import { readiness } from '../support/server-process.ts'
import { liveClaims, NO_HANG_MS, postmasterOf, running, signIn, type TeamClaim, verifyJournal } from './harness.ts'

const ROUNDS = 4
const AGENTS = 3
const PLACES = 8
const POSTMASTERS = 3
const CALLERS = 4

/** Mulberry32: a failing run is repeated with SEED set to what it printed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

function seeded(): (below: number) => number {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  onTestFailed(() => {
    process.stderr.write(`\nrepeat with SEED=${seed}\n`)
  })
  return randomFrom(seed)
}

/** An agent that claims and releases, and its own record of what the server acknowledged. */
interface Worker {
  readonly agent: Agent
  readonly held: Map<string, TeamClaim>
  readonly released: Set<string>
  /** What the last answer said that the agent has to do next. */
  next: string | null
  /** What was asked for and not answered: the release of a claim, or a claim of a path. */
  asked: { readonly release: string } | { readonly claim: string } | null
}

async function worker(agent: Agent, agentId: string): Promise<Worker> {
  await agent.join({ agentId })
  await agent.call('identify_intent', { userPrompt: 'Add a button', forceIntent: 'implement' })
  const { nextRequiredTool } = await agent.call('read_team_state')
  return { agent, held: new Map(), released: new Set(), next: nextRequiredTool, asked: null }
}

/** One call. Rejects when the server is gone; what was not answered is then not in the record. */
async function step(self: Worker, random: (below: number) => number): Promise<void> {
  const { agent, held } = self
  const oldest = [...held.keys()][0]
  // The last claim stays: releasing it would end the task.
  if (oldest !== undefined && held.size > 1 && random(2) === 0) {
    self.asked = { release: oldest }
    const answer = await agent.call('release_scope', { claimId: oldest })
    if (!answer.ok) throw new Error(answer.text)
    self.asked = null
    held.delete(oldest)
    self.released.add(oldest)
    self.next = answer['nextRequiredTool']
    return
  }
  const path = `src/d${random(PLACES)}`
  self.asked = { claim: path }
  const answer = await agent.claim(path)
  self.asked = null
  self.next = answer['nextRequiredTool']
  if (!answer.ok) return
  held.set(answer['claim'].claimId, { ...answer['claim'], agentId: agent.agentId })
}

/** Lets all work until `answers` were received and `strike` was done, and all have noticed. */
async function workUntilStruck(
  workers: readonly Worker[],
  random: (below: number) => number,
  answers: number,
  strike: () => void,
): Promise<void> {
  let received = 0
  await Promise.all(
    workers.map(async (self) => {
      for (;;) {
        try {
          await step(self, random)
        } catch (error) {
          if (error instanceof TypeError) return
          throw error
        }
        received += 1
        if (received === answers) strike()
      }
    }),
  )
}

function expectNoOverlap(claims: readonly TeamClaim[]): void {
  const collisions = claims.flatMap((one, index) =>
    claims
      .slice(index + 1)
      .filter((other) => other.agentId !== one.agentId)
      .filter((other) => one.paths.some((a) => other.paths.some((b) => overlaps(parsePattern(a), parsePattern(b)))))
      .map((other) => [one, other]),
  )
  expect(collisions).toEqual([])
}

function expectAsAcknowledged(workers: readonly Worker[], claims: readonly TeamClaim[]): void {
  const live = new Map(claims.map((claim) => [claim.claimId, claim]))
  for (const { held, released, asked } of workers) {
    const releasing = asked !== null && 'release' in asked ? asked.release : null
    for (const { claimId, paths, fence } of held.values()) {
      if (claimId !== releasing) expect(live.get(claimId)).toMatchObject({ paths, fence })
    }
    expect([...released].filter((claimId) => live.has(claimId))).toEqual([])
  }
}

/**
 * What an agent may be told to do next after a crash: what it was told last, or what follows from the call that was not
 * answered. A release changes nothing of it. A claim that is granted or renewed makes up for a read that was asked for, and
 * one that was decided on an old state asks for a read.
 */
function possibleNext({ held, next, asked }: Worker, mine: readonly TeamClaim[]): (string | null)[] {
  if (asked === null || 'release' in asked) return [next]
  if (mine.some(({ claimId }) => !held.has(claimId))) return ['update_my_state']
  const renewed = [...held.values()].some(({ paths }) => paths.includes(asked.claim))
  return [next, 'read_team_state', ...(renewed ? ['update_my_state'] : [])]
}

/** After a crash the truth is the server's: what was asked for and never answered may have happened. */
function learn(self: Worker, mine: readonly TeamClaim[]): void {
  const { held, released, asked } = self
  held.clear()
  for (const claim of mine) held.set(claim.claimId, claim)
  if (asked !== null && 'release' in asked && !held.has(asked.release)) released.add(asked.release)
  self.asked = null
}

test('after kill -9 of the server every acknowledged claim is there, none overlap, and each agent goes on where it was', async () => {
  const random = seeded()
  const dataDir = await temporaryDirectory()
  let server = await running({ dataDir })
  const { port } = server
  const observer = await signIn(server)
  const workspaceId: string = (await observer.agent.join({ agentId: 'observer' }))['workspace'].id
  const resting = await worker((await signIn(server)).agent, 'resting')
  const workers: Worker[] = []
  for (let n = 0; n < AGENTS; n += 1) workers.push(await worker((await signIn(server)).agent, `agent-${n}`))
  const postmaster = await postmasterOf(dataDir)
  let fence = 0

  for (let round = 0; round < ROUNDS; round += 1) {
    await workUntilStruck(workers, random, 5 + random(40), () => server.child.kill('SIGKILL'))
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' })
    expect(isAlive(postmaster)).toBe(true)
    server = await running({ dataDir, port })
    expect(await postmasterOf(dataDir)).toBe(postmaster)

    const { claims } = await liveClaims(observer.agent)
    expectNoOverlap(claims)
    expectAsAcknowledged(workers, claims)
    expect(resting.next).toBe('claim_scope')
    expect(await resting.agent.join({ agentId: 'resting' })).toMatchObject({
      session: { resumed: true },
      phase: 'synced',
      nextRequiredTool: 'claim_scope',
    })
    for (const self of workers) {
      const { agentId } = self.agent
      const mine = claims.filter((claim) => claim.agentId === agentId)
      const possible = possibleNext(self, mine)
      learn(self, mine)
      const resumed = await self.agent.join({ agentId })
      const phase = mine.length > 0 ? 'claimed' : 'synced'
      expect(resumed).toMatchObject({ session: { resumed: true, agentId }, phase })
      expect(possible).toContain(resumed['nextRequiredTool'])
      self.next = resumed['nextRequiredTool']
      expect(new Set(resumed['claims'].map((claim: TeamClaim) => claim.claimId))).toEqual(new Set(self.held.keys()))
    }
    const newest = Math.max(0, ...claims.map((claim) => claim.fence))
    expect(newest).toBeGreaterThanOrEqual(fence)
    fence = newest
    expect(await verifyJournal(server, workspaceId, observer.accessToken)).toMatchObject({ holds: true })
  }
})

test('kill -9 of PostgreSQL under a living server: calls are answered or refused in time, and all is there again by itself', async () => {
  const dataDir = await temporaryDirectory()
  const server = await running({ dataDir })
  const { agent, accessToken } = await signIn(server)
  await agent.ready()
  const acknowledged: string[] = []
  for (let kill = 0; kill < POSTMASTERS; kill += 1) {
    const killed = await postmasterOf(dataDir)
    process.kill(killed, 'SIGKILL')
    const paths = Array.from({ length: CALLERS }, (_, n) => `src/${kill}/${n}`)
    for (let restarted = false; !restarted;) {
      const now = await recordedPostmaster(dataDir)
      const answers = await Promise.all(paths.map((path) => tryClaim(server.origin, accessToken, agent, path)))
      acknowledged.push(...answers.filter((claimId) => claimId !== null))
      restarted = now !== undefined && now !== killed && !answers.includes(null)
    }
  }
  expect(server.child.exitCode).toBeNull()
  await expect.poll(() => readiness(server.origin), { timeout: 20_000 }).toBe(200)
  const { claims } = await liveClaims(agent)
  expect(claims.map(({ claimId }) => claimId)).toEqual(expect.arrayContaining(acknowledged))
  expect(new Set(acknowledged).size).toBe(POSTMASTERS * CALLERS)
})

/** One claim, retried as it is by the caller: its id, or null where the server could not reach its database in time. */
async function tryClaim(origin: string, accessToken: string, agent: Agent, path: string): Promise<string | null> {
  const input = { agentId: agent.agentId, expectedStateHash: agent.stateHash, paths: [path] }
  const params = { name: 'claim_scope', arguments: input }
  const response = await fetch(`${origin}/api/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    signal: AbortSignal.timeout(NO_HANG_MS),
  })
  const body = await response.text()
  if (response.status === 503) {
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(JSON.parse(body)).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
    return null
  }
  expect(response.status).toBe(200)
  const claimId = /"claimId":"(\w+)"/.exec(body)?.[1]
  if (claimId === undefined) throw new Error(`no claim: ${body}`)
  return claimId
}
