import { cpuMsOf, cpuMsOfFamily } from '../support/cpu.ts'
import { Connection, PATIENT, type Answer } from './connection.ts'
import { timed, type Timed } from './latencies.ts'
import { callRequest, isSuccess, payloadOf, stringField, type Generation } from './mcp.ts'

/** Whoever joined: one token, one session, and the claim that keeps its run going. */
export interface Agent {
  readonly token: string
  readonly workspaceId: string
  readonly agentId: string
  /** Of the last answer. */
  stateHash: string
}

/** Lets agents join, each with a token of its own, and brings them to where claim_scope is their next tool. */
export interface JoinJob {
  readonly kind: 'join'
  readonly port: number
  /** One list for each person: the first of them to join founds the workspace, or finds it. */
  readonly people: readonly { readonly name: string; readonly tokens: readonly string[] }[]
}

export async function runJoin(job: JoinJob): Promise<Agent[][]> {
  const waiting = job.people.entries()
  const joined: Agent[][] = []
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const connection = await Connection.open(job.port, PATIENT)
      // One iterator for all: each takes the next person.
      for (const [index, { name, tokens }] of waiting) {
        const agents: Agent[] = []
        for (const [number, token] of tokens.entries())
          agents.push(await join(connection, job.port, name, token, number))
        joined[index] = agents
      }
      connection.close()
    }),
  )
  return joined
}

async function join(connection: Connection, port: number, name: string, token: string, number: number): Promise<Agent> {
  const call = async (tool: string, input: object) =>
    payloadOf(await connection.send(callRequest({ port, token, tool, input })))
  const git = {
    repoRoot: '/bench',
    branch: 'main',
    headSha: '0123456',
    dirty: false,
    collectedAt: '2026-01-01T00:00:00Z',
  }
  const remote = `https://example.org/bench/${name}.git`
  const { workspace, session } = (await call('join_workspace', { gitContext: { ...git, remote } })) as {
    workspace: { id: string }
    session: { agentId: string }
  }
  await call('identify_intent', { userPrompt: 'Add a field to the form', forceIntent: 'implement' })
  const { stateHash } = (await call('read_team_state', {})) as { stateHash: string }
  // A run ends with its last claim: this one is kept.
  const kept = { expectedStateHash: stateHash, paths: [`kept/${number}`], ttlSeconds: 3_600 }
  const claimed = (await call('claim_scope', kept)) as { stateHash: string }
  return { token, workspaceId: workspace.id, agentId: session.agentId, stateHash: claimed.stateHash }
}

/** Lets agents look how things stand: what they decide next, they decide on that. */
export interface RefreshJob {
  readonly kind: 'refresh'
  readonly port: number
  readonly agents: readonly Agent[]
}

export async function runRefresh({ port, agents }: RefreshJob): Promise<Agent[]> {
  const connections = await Promise.all(Array.from({ length: 8 }, async () => Connection.open(port, PATIENT)))
  const fresh = agents.map((agent) => ({ ...agent }))
  await everyone(connections, fresh, async (connection, agent) => {
    const request = callRequest({ port, token: agent.token, tool: 'read_team_state', input: {} })
    agent.stateHash = String(payloadOf(await connection.send(request))['stateHash'])
  })
  for (const connection of connections) connection.close()
  return fresh
}

/**
 * Agents that claim, each a path of its own that nobody else wants, some claims each; then release them; and again, until
 * enough of claiming was measured. Claims and releases are timed apart.
 */
export interface ClaimsJob {
  readonly kind: 'claims'
  readonly port: number
  readonly agents: readonly Agent[]
  readonly connections: number
  /** Of claiming. */
  readonly seconds: number
  readonly claimsEach: number
  readonly generation?: Generation
  /** Whose processor time is counted while claiming. */
  readonly serverPid: number
  readonly postmasterPid: number
  readonly patience: number
}

export interface ClaimsResult {
  readonly claims: Timed & {
    /** Microseconds of processor time for one claim. */
    readonly serverUs: number
    readonly postgresUs: number
    readonly loadUs: number
  }
  readonly releases: Timed
  /** As they are afterwards: the next job goes on with them. */
  readonly agents: readonly Agent[]
}

const PARSE_EVERY = 16
let paths = 0

export async function runClaims(job: ClaimsJob): Promise<ClaimsResult> {
  const agents = job.agents.map((agent) => ({ ...agent, held: [] as string[] }))
  const connections = await Promise.all(
    Array.from({ length: job.connections }, async () => Connection.open(job.port, job.patience)),
  )
  const cpu = () => [cpuMsOf(job.serverPid), cpuMsOfFamily(job.postmasterPid), cpuMsOf(process.pid)] as const
  const [claimMs, releaseMs]: [number[], number[]] = [[], []]
  const spent = [0, 0, 0]
  let [claiming, releasing] = [0, 0]
  while (claiming < job.seconds * 1_000) {
    const [started, before] = [performance.now(), cpu()]
    await everyone(connections, agents, async (connection, agent) => {
      for (let claim = 0; claim < job.claimsEach; claim += 1) await claimOnce(job, connection, agent, claimMs)
    })
    claiming += performance.now() - started
    for (const [index, value] of cpu().entries()) spent[index] = (spent[index] ?? 0) + value - (before[index] ?? 0)
    const turned = performance.now()
    await everyone(connections, agents, async (connection, agent) => {
      for (const claimId of agent.held.splice(0)) await releaseOnce(job, connection, agent, claimId, releaseMs)
    })
    releasing += performance.now() - turned
  }
  for (const connection of connections) connection.close()
  const [serverUs = NaN, postgresUs = NaN, loadUs = NaN] = spent.map((ms) => (ms * 1_000) / claimMs.length)
  return {
    claims: { ...timed(claimMs, claiming), serverUs, postgresUs, loadUs },
    releases: timed(releaseMs, releasing),
    agents: agents.map(({ held: _held, ...agent }) => agent),
  }
}

/** Every agent once, no agent twice at a time. */
async function everyone<A>(
  connections: readonly Connection[],
  agents: readonly A[],
  work: (connection: Connection, agent: A) => Promise<void>,
): Promise<void> {
  const waiting = agents.values()
  await Promise.all(
    connections.map(async (connection) => {
      for (const agent of waiting) await work(connection, agent)
    }),
  )
}

async function claimOnce(
  job: ClaimsJob,
  connection: Connection,
  agent: Agent & { held: string[] },
  latencies: number[],
): Promise<void> {
  paths += 1
  const path = `src/${process.pid}/${agent.agentId}/file-${paths}.ts`
  const answer = await call(job, connection, agent, latencies, 'claim_scope', {
    expectedStateHash: agent.stateHash,
    paths: [path],
  })
  const claimId = stringField(answer, 'claimId')
  if (!isSuccess(answer, '"renewed":false') || claimId === null || !answer.text.includes(path)) {
    throw new Error(`not a new claim of ${path}: ${answer.text}`)
  }
  agent.held.push(claimId)
}

async function releaseOnce(
  job: ClaimsJob,
  connection: Connection,
  agent: Agent,
  claimId: string,
  latencies: number[],
): Promise<void> {
  const answer = await call(job, connection, agent, latencies, 'release_scope', { claimId })
  if (!isSuccess(answer) || stringField(answer, 'claimId') !== claimId) throw new Error(`not released: ${answer.text}`)
}

async function call(
  job: ClaimsJob,
  connection: Connection,
  agent: Agent,
  latencies: number[],
  tool: string,
  input: object,
): Promise<Answer> {
  const { port, generation = '2026-07-28' } = job
  const request = callRequest({ port, token: agent.token, tool, input, generation })
  const sent = performance.now()
  const answer = await connection.send(request)
  latencies.push(performance.now() - sent)
  if (latencies.length % PARSE_EVERY === 0) payloadOf(answer)
  agent.stateHash = stringField(answer, 'stateHash') ?? agent.stateHash
  return answer
}
