import { setTimeout as delay } from 'node:timers/promises'
import { PACE } from '../../src/kernel/limits.ts'
import type { DelayResult } from '../load/streams.ts'
import type { Bench, Product } from '../support/bench.ts'
import { cpuMsOf, residentKiB } from '../support/cpu.ts'
import type { Server } from '../support/processes.ts'
import { atMost, per, shown, type Family, type Row } from '../support/row.ts'
import { median, ratioOf } from '../support/statistics.ts'

type Memory = Pick<NodeJS.MemoryUsage, 'rss' | 'heapUsed' | 'external' | 'arrayBuffers'>

/** Beyond the coalescing window, at the goal of 15 ms. */
const DELAY_GOAL_MS = 15
const WRITES_PER_SECOND = 50

export const streams: Family = {
  name: 'streams',
  what: 'Event streams',
  async run(bench) {
    const product = await bench.product()
    return { rows: [...(await memory(bench, product)), ...(await delays(bench, product))] }
  },
}

/** Streams of all the agents in turn, so many that the person's agents share their workspace's. */
function readersOf({ teams }: Product, count: number, from = 0) {
  const agents = teams.flat()
  return Array.from({ length: count }, (_, index) => agents[(from + index) % agents.length] ?? agents[0]).flatMap(
    (agent) => (agent === undefined ? [] : [agent]),
  )
}

/** In a process of its own, whose garbage is collected before each look: what is left is what a stream holds. */
async function memory(bench: Bench, product: Product): Promise<Row[]> {
  const { streamCounts, quick } = bench.scale
  const settleMs = quick ? 300 : 4_000
  const fresh = await bench.load.refresh({ port: product.server.port, agents: product.teams.flat() })
  const current = { ...product, teams: [fresh] }
  // The young generation in Node's own size: in the image's it grows by 64 MiB meanwhile, whatever there is of streams.
  const server = await bench.target('app', {}, ['--expose-gc', '--max-semi-space-size=16'])
  // Code is compiled, tables are grown and connections are made before the first look.
  const warm = Math.min(100, (streamCounts[0] ?? 0) / 2)
  await bench.load.openStreams({ port: server.port, readers: readersOf(current, warm) })
  await delay(settleMs)
  const rows: Row[] = []
  let before = { count: warm, at: await look(server) }
  for (const count of streamCounts) {
    const more = Math.max(0, count - before.count)
    await bench.load.openStreams({ port: server.port, readers: readersOf(current, more, before.count) })
    await delay(settleMs)
    const open = await bench.load.countStreams()
    const at = await look(server)
    const each = (of: (memory: Memory) => number) => (of(at) - of(before.at)) / 1_024 / more
    const [started, cpu] = [performance.now(), cpuMsOf(server.pid)]
    await delay(settleMs)
    const busy = (cpuMsOf(server.pid) - cpu) / (performance.now() - started)
    const kiB = each((m) => m.rss)
    rows.push({
      what: `memory of an idle stream, up to ${shown(open)}`,
      subject: per(kiB, 'KiB'),
      reference: `the same process with ${before.count}: ${per(before.at.rss / 2 ** 20, 'MiB')}`,
      ratio: null,
      goal: atMost(30, kiB, ' KiB'),
      missed:
        'of 18 KB of heap 8 are Node’s socket, request and response; the rest are three generators one in the other, their ' +
        'promises, to each of which Node 20 ties the contexts of the request, and timers',
      notes: [
        `of it heap ${per(
          each((m) => m.heapUsed),
          'KiB',
        )}, outside of the heap ${per(
          each((m) => m.external),
          'KiB',
        )}; the whole process ` +
          `${per(at.rss / 2 ** 20, 'MiB')}; looking whether the readers still may read takes ${per(busy * 100, '%')} of a processor`,
      ],
    })
    before = { count: open, at }
  }
  await bench.load.closeStreams()
  await server.stop()
  return rows
}

async function look(server: Server): Promise<Memory> {
  await server.ask<Memory>('memory')
  await delay(200)
  const usage = await server.ask<Memory>('memory')
  // What the system says, where it says it.
  const resident = residentKiB(server.pid) * 1_024
  return { ...usage, rss: Number.isNaN(resident) ? usage.rss : resident }
}

async function delays(bench: Bench, product: Product): Promise<Row[]> {
  const { server } = product
  const other = await bench.target('app')
  const here = await delaysOn(bench, product, server, server)
  const there = await delaysOn(bench, product, server, other)
  await other.stop()
  return [row(bench, 'on the same replica', here, 0), row(bench, 'on another replica', there, PACE.notifyMs)]
}

async function delaysOn(bench: Bench, product: Product, writing: Server, reading: Server): Promise<DelayResult[]> {
  const { repeats, seconds, streamCounts } = bench.scale
  const agents = await bench.load.refresh({ port: writing.port, agents: product.teams.flat() })
  // One writer for each workspace; all agents of the workspace listen, some more than once.
  const writers = [...new Map(agents.map((agent) => [agent.workspaceId, agent])).values()]
  const readers = readersOf({ ...product, teams: [agents] }, streamCounts[0] ?? 0)
  await bench.load.openStreams({ port: reading.port, readers })
  const results: DelayResult[] = []
  for (let repeat = 0; repeat <= repeats; repeat += 1) {
    results.push(await bench.load.delay({ port: writing.port, writers, perSecond: WRITES_PER_SECOND, seconds }))
  }
  await bench.load.countStreams()
  await bench.load.closeStreams()
  return results.slice(1)
}

function row(bench: Bench, where: string, results: readonly DelayResult[], windowMs: number): Row {
  const of = (value: (result: DelayResult) => number) => median(results.map(value))
  const beyond = of((r) => r.afterAnswer.p99Ms) - windowMs
  return {
    what: `from a change to ${shown(bench.scale.streamCounts[0] ?? 0)} streams ${where}, p99`,
    subject: per(
      of((r) => r.afterAnswer.p99Ms),
      'ms',
    ),
    reference: `the writer’s own answer, after ${per(
      of((r) => r.writeP50Ms),
      'ms',
    )} (p50)`,
    ratio: ratioOf(results.map((r) => [r.afterCall.p50Ms, r.writeP50Ms])),
    goal: { ...atMost(DELAY_GOAL_MS, beyond, ' ms'), text: `≤ ${DELAY_GOAL_MS} ms beyond ${windowMs} ms` },
    notes: [
      `p50 ${per(
        of((r) => r.afterAnswer.p50Ms),
        'ms',
      )}, max ${per(
        of((r) => r.afterAnswer.maxMs),
        'ms',
      )} after the writer has its answer; the ` +
        `ratio is that of the medians from the call on; ${shown(of((r) => r.deliveries))} deliveries, ${WRITES_PER_SECOND} writes a second`,
    ],
  }
}
