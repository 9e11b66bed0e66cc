import { setTimeout as delay } from 'node:timers/promises'
import { createAgent, type Agent } from '../../support/agent.ts'
import { createRandom } from '../../support/random.ts'
import { mib, percentile, spread } from '../figures.ts'
import { cpuMs, openFilesLimit, residentBytes } from '../process-memory.ts'
import { getRequest, openRawSockets, type RawSocket } from '../raw-socket.ts'
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts'
import { openStage, type Stage } from '../stage.ts'
import { signIn, type SignIn } from '../sign-in.ts'

const MEMORY_BYTES = 700 * 2 ** 20
const CLAIM_P99_MS = 100

/** People, each with a quarter of their streams and agents in each of four workspaces. */
const PEOPLE = 10

/** Files beside the streams: connections of agents and to the database, and what node needs. */
const FILES_BESIDE = 500

const LIMITS = 'callsPerMinute=10000000,sessionsPerGrant=1000,sensitiveCallsPerMinute=100000,streamsPerUser=5000'

export const many: Scenario = {
  name: 'many',
  fault: 'thousands of idle event streams are open while hundreds of agents work',
  async run(context) {
    const stage = await openStage({ linked: false, env: { LIMITS } })
    try {
      return await crowd(stage, context)
    } finally {
      await stage.stop()
    }
  },
}

interface Member {
  readonly person: SignIn
  /** Where streams are open and nothing happens, and where agents work. */
  readonly quiet: string
  readonly busy: string
}

async function crowd(stage: Stage, context: ScenarioContext): Promise<Verdict> {
  const { server } = stage
  const wanted = context.quick ? 500 : 5_000
  const streamCount = Math.min(wanted, openFilesLimit() - FILES_BESIDE)
  const agentCount = context.quick ? 40 : 200
  const members: Member[] = []
  for (let n = 0; n < PEOPLE; n += 1) {
    const person = n === 0 ? stage.person : await signIn(server.origin, { name: `person${n}` })
    const [quiet, busy] = [await person.createWorkspace('quiet'), await person.createWorkspace('busy')]
    members.push({ person, quiet, busy })
  }
  const memoryBefore = residentBytes(server.pid())
  const port = Number(new URL(server.origin).port)
  const streams: RawSocket[] = []
  for (const { person, quiet } of members)
    streams.push(...(await openStreams(port, quiet, person.accessToken(), Math.floor(streamCount / PEOPLE))))
  context.log(`${streams.length} streams are open, ${mib(residentBytes(server.pid()))}`)

  const idleFrom = cpuMs(server.pid())
  await delay(5_000)
  const idleLoad = (cpuMs(server.pid()) - idleFrom) / 5_000
  const random = createRandom(context.seed)
  const claims: number[] = []
  let refused = 0
  const stopping = new AbortController()
  const working = members.flatMap(({ person, busy }, n) =>
    Array.from({ length: agentCount / PEOPLE }, (_, k) =>
      work(createAgent(fetch, `${server.origin}/api/mcp`, person.accessToken()), busy, `p${n}-${k}`),
    ),
  )
  async function work(agent: Agent, workspaceId: string, name: string): Promise<void> {
    // Agents do not march in step.
    await delay(random.below(THINKING_MS))
    for (let tasks = 0; !stopping.signal.aborted; tasks += 1) {
      try {
        const startedAt = performance.now()
        const took = await cycle(agent, workspaceId, name)
        if (took === null) refused += 1
        // The first one of each is while all of them join, within seconds.
        else if (tasks > 0) claims.push(took)
        // An agent thinks between its calls; one cycle in so long is five calls.
        await delay(Math.max(0, THINKING_MS - (performance.now() - startedAt)))
      } catch {
        // 503 while the server is short of time.
        refused += 1
        await delay(500)
      }
    }
  }
  let peak = 0
  for (
    const endsAt = performance.now() + (context.durationMs ?? (context.quick ? 10_000 : 120_000));
    performance.now() < endsAt;
  ) {
    await delay(500)
    peak = Math.max(peak, residentBytes(server.pid()))
  }
  stopping.abort()
  await Promise.all(working)
  const violations = [...(await dropped(stage, members, streams)), ...server.crashes()]
  for (const { socket } of streams) socket.destroy()
  if (peak > MEMORY_BYTES) violations.push(`the server took ${mib(peak)}, the bound is ${mib(MEMORY_BYTES)}`)
  if (claims.length === 0) violations.push('no agent could claim anything')
  const p99 = percentile(claims, 0.99)
  return {
    figures: {
      streams: `${streams.length}${streamCount < wanted ? ` (no more files may be open; ${wanted} were meant)` : ''}`,
      agents: `${agentCount}, ${claims.length} claims granted, ${refused} calls or cycles refused`,
      claims: spread(claims),
      memory: `${mib(memoryBefore)} before, at most ${mib(peak)}: ${Math.round((peak - memoryBefore) / 1024 / streams.length)} KiB a stream`,
      'load of idle streams': `${Math.round(idleLoad * 100)} % of a core in the server`,
    },
    violations,
    missed: p99 > CLAIM_P99_MS ? [`p99 of claims is ${Math.round(p99)} ms, the target is ${CLAIM_P99_MS} ms`] : [],
  }
}

const THINKING_MS = 4_000

/** One task from its beginning to its end. How long claiming took; null where it was refused. */
async function cycle(agent: Agent, workspaceId: string, name: string): Promise<number | null> {
  if (agent.agentId === '') await agent.join({ workspaceId, agentId: name })
  await agent.call('identify_intent', { userPrompt: 'Work on everything', forceIntent: 'implement' })
  await agent.call('read_team_state')
  const startedAt = performance.now()
  const answer = await agent.claim(`area/${name}`)
  const took = performance.now() - startedAt
  if (!answer.ok) return null
  await agent.call('release_scope', { claimId: answer['claim'].claimId })
  return took
}

/** Streams that answer 200. @throws Error where one does not */
async function openStreams(port: number, workspaceId: string, token: string, count: number): Promise<RawSocket[]> {
  const sockets = await openRawSockets(port, count)
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` }
  const ask = ({ socket }: RawSocket) => socket.write(getRequest(`/api/workspaces/${workspaceId}/events`, headers))
  for (const stream of sockets) ask(stream)
  const endsAt = performance.now() + 180_000
  for (const stream of sockets) {
    while (!stream.received().includes('event: ')) {
      if (stream.received().startsWith('HTTP/1.1 503') && stream.received().endsWith('}')) {
        // A server that is short of time says so, and when to come back; the connection is good for another request.
        stream.forget()
        await delay(1_000)
        ask(stream)
      }
      if (stream.endedAt !== null || performance.now() > endsAt || /^HTTP\/1.1 (?!200|503)/u.test(stream.received()))
        throw new Error(`a stream was not opened: ${stream.received().slice(0, 300)}`)
      await delay(20)
    }
  }
  return sockets
}

/** Every stream is still there, and is given what happens now. */
async function dropped(
  { server }: Stage,
  members: readonly Member[],
  streams: readonly RawSocket[],
): Promise<string[]> {
  for (const stream of streams) stream.forget()
  for (const { person, quiet } of members) await write(server.origin, quiet, person.accessToken())
  const endsAt = performance.now() + 120_000
  const waiting = () =>
    streams.filter((stream) => stream.endedAt === null && !stream.received().includes('value.written'))
  while (waiting().length > 0 && performance.now() < endsAt) await delay(100)
  const ended = streams.filter(({ endedAt }) => endedAt !== null).length
  return [
    ...(ended > 0 ? [`${ended} of ${streams.length} streams were dropped`] : []),
    ...(waiting().length > 0 ? [`${waiting().length} of ${streams.length} streams were not told of an event`] : []),
  ]
}

async function write(origin: string, workspaceId: string, token: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(`${origin}/api/workspaces/${workspaceId}/values/last`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '"the last word"',
    })
    const text = await response.text()
    if (response.ok) return
    if (attempt === 20) throw new Error(`nothing could be written: ${response.status} ${text}`)
    await delay(500)
  }
}
