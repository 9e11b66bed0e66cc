import { setTimeout as delay } from 'node:timers/promises'
import { createAgent } from '../../support/agent.ts'
import { mib, ms, percentile, spread } from '../figures.ts'
import { residentBytes } from '../process-memory.ts'
import { startProbe, type Sample } from '../probe.ts'
import { getRequest, openRawSockets, type RawSocket } from '../raw-socket.ts'
import type { Scenario } from '../scenario.ts'
import { hangs, underLoad, type Scene } from '../under-load.ts'

/** The bounds of main.ts: headers 15 s, a whole request 60 s; and event-stream.ts: a reader that takes nothing 30 s. */
const HEADERS_MS = 15_000
const REQUEST_MS = 60_000
const STALL_MS = 30_000

/** Beyond the bound, what no machine explains. */
const LATE_MS = 45_000

/** A byte so often keeps every timeout for silence from firing. */
const TRICKLE_MS = 1_000

/** Claims with as much as a claim can say, each told twice: 5 MB, more than kernels keep for a reader that does not read. */
const CLAIMS_FOR_READERS = 14
const LONG_PATHS = Array.from({ length: 200 }, (_, n) => `${'long/'.repeat(60)}${'x'.repeat(600)}-${n}`)

export const slowClients: Scenario = {
  name: 'slow-clients',
  fault: 'clients that send headers or bodies a byte at a time, or do not read their answers or their event stream',
  run: (context) =>
    underLoad(context, { linked: false, env: { LIMITS: LIMITS } }, async (scene) => {
      const { stage, probe } = scene
      const { server } = stage
      const count = context.quick ? 100 : 500
      await probe.recovered()
      const before = await probed(scene, context.quick ? 3_000 : 15_000)
      const memoryBefore = residentBytes(server.pid())

      const port = Number(new URL(server.origin).port)
      const attack = await attackers(scene, port, count)
      const during = await probed(scene, context.quick ? 20_000 : 110_000, () => attack.trickle())
      const memoryDuring = residentBytes(server.pid())
      const cut = await attack.cut()
      attack.close()
      await delay(3_000)
      const after = await probed(scene, context.quick ? 3_000 : 15_000)
      const memoryAfter = residentBytes(server.pid())

      const violations = hangs(probe.samples)
      const bounds: Record<string, number> = {
        headers: HEADERS_MS,
        bodies: REQUEST_MS,
        answers: Infinity,
        streams: STALL_MS,
      }
      const lasted = performance.now() - attack.since
      for (const [kind, { open, total }] of Object.entries(cut)) {
        const bound = bounds[kind] ?? Infinity
        if (open > 0 && lasted > bound + LATE_MS)
          violations.push(`${open} of ${total} slow ${kind} are open after ${ms(lasted)}`)
      }
      const factor = percentile(during, 0.99) / Math.max(1, percentile(before, 0.99))
      const grown = memoryAfter / memoryBefore - 1
      const missed = [
        ...(factor > 2 ? [`p99 of others rose ${factor.toFixed(1)} times, the target is twice`] : []),
        ...(grown > 0.1 && !context.quick
          ? [`memory is ${Math.round(grown * 100)} % higher after, the target is 10 %`]
          : []),
      ]
      // An attacker must not be able to make the server hold what it likes.
      if (memoryDuring - memoryBefore > 4 * count * 300_000) violations.push(`memory rose to ${mib(memoryDuring)}`)
      return {
        figures: {
          'others before': spread(before),
          'others during': spread(during),
          'others after': spread(after),
          memory: `${mib(memoryBefore)} before, ${mib(memoryDuring)} during, ${mib(memoryAfter)} after`,
          ...Object.fromEntries(
            Object.entries(cut).map(([kind, { open, total, afterMs }]) => [
              `slow ${kind}`,
              `${total - open} of ${total} cut${afterMs.length > 0 ? `, after ${ms(percentile(afterMs, 0))} to ${ms(percentile(afterMs, 1))}` : ''}`,
            ]),
          ),
        },
        violations,
        missed,
      }
    }),
}

const LIMITS = 'callsPerMinute=10000000,sessionsPerGrant=1000,sensitiveCallsPerMinute=100000,streamsPerUser=5000'

/** How long the calls of somebody else took in that time. */
async function probed({ stage }: Scene, forMs: number, meanwhile: () => void = () => undefined): Promise<number[]> {
  const { server, person } = stage
  const workspaceId = await person.createWorkspace('bystander')
  const kinds: readonly Sample['kind'][] = ['read', 'write']
  const bystander = startProbe({
    origin: server.origin,
    workspaceId,
    token: () => person.accessToken(),
    everyMs: 200,
    kinds,
  })
  for (const endsAt = performance.now() + forMs; performance.now() < endsAt;) {
    await delay(TRICKLE_MS)
    meanwhile()
  }
  await bystander.stop()
  return bystander.samples.map((sample) => sample.ms)
}

async function attackers({ stage }: Scene, port: number, count: number) {
  const { server, person } = stage
  const authorization = `Bearer ${person.accessToken()}`
  const workspaceId = await person.createWorkspace('attacked')
  const since = performance.now()
  const headers = await openRawSockets(port, count)
  for (const { socket } of headers) socket.write('POST /api/mcp HTTP/1.1\r\nhost: localhost\r\nx-slow: ')
  const bodies = await openRawSockets(port, count)
  for (const { socket } of bodies) {
    const fields = `authorization: ${authorization}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n`
    socket.write(`POST /api/mcp HTTP/1.1\r\nhost: localhost\r\n${fields}\r\n{`)
  }
  const answers = await openRawSockets(port, count)
  for (const { socket } of answers) {
    socket.pause()
    // The largest page that there is, again and again.
    socket.write(getRequest('/docs', {}).repeat(20))
  }
  const streams = await openRawSockets(port, Math.ceil(count / 5))
  for (const { socket } of streams) {
    socket.pause()
    const accept = { accept: 'text/event-stream', authorization }
    socket.write(getRequest(`/api/workspaces/${workspaceId}/events`, accept))
  }
  await fillStreams(server.origin, workspaceId, person.accessToken()).catch(() => undefined)
  const all: Record<string, RawSocket[]> = { headers, bodies, answers, streams }
  const sockets = Object.values(all).flat()
  return {
    since,
    trickle() {
      for (const { socket, endedAt } of [...headers, ...bodies])
        if (endedAt === null && socket.writable) socket.write('x')
    },
    /** How many of each kind the server has ended by now. */
    async cut() {
      // Of what is paused nobody hears the end before it is read.
      for (const { socket } of sockets) socket.resume()
      await delay(5_000)
      return Object.fromEntries(
        Object.entries(all).map(([kind, each]) => {
          const ended = each.flatMap(({ endedAt }) => (endedAt === null ? [] : [endedAt - since]))
          return [kind, { total: each.length, open: each.length - ended.length, afterMs: ended }]
        }),
      )
    },
    close() {
      for (const { socket } of sockets) socket.destroy()
    },
  }
}

/** An agent that claims and releases a lot, so that there is much to be told. */
async function fillStreams(origin: string, workspaceId: string, accessToken: string): Promise<void> {
  const agent = createAgent(fetch, `${origin}/api/mcp`, accessToken)
  await agent.join({ workspaceId })
  for (let n = 0; n < CLAIMS_FOR_READERS; n += 1) {
    await agent.call('identify_intent', { userPrompt: 'Work on everything', forceIntent: 'implement' })
    await agent.call('read_team_state')
    const answer = await agent.claim(...LONG_PATHS)
    // Refused while the server is short of time, which is no matter: others follow.
    if (answer.ok) await agent.call('release_scope', { claimId: answer['claim'].claimId })
  }
}
