import { atMost, per, type Family, type Row } from '../support/row.ts'
import { alternate, compare, median } from '../support/statistics.ts'
import { cpuMsOf } from '../support/cpu.ts'
import type { Bench } from '../support/bench.ts'
import type { Server } from '../support/processes.ts'
import type { Generation } from '../load/mcp.ts'
import { profileFlags, readProfile } from '../support/profile.ts'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TRIVIAL_CALL } from '../targets/trivial-tool.ts'

const CONNECTIONS = 16

/** What one request cost the server, and how many there were. */
interface Cost {
  readonly us: number
  readonly perSecond: number
}

type Calls = Parameters<Bench['load']['calls']>[0]['requests']

const trivialCall = (token: string, generation: Generation): Calls => [
  { token, method: 'tools/call', params: TRIVIAL_CALL, generation },
]
const toolsList = (token: string): Calls => [{ token, method: 'tools/list', params: {} }]
const OK = '"ok":true'

function costOf(bench: Bench, server: Server, requests: Calls, says = OK): () => Promise<Cost> {
  const { connections, seconds } = {
    connections: Math.min(CONNECTIONS, bench.scale.connections),
    seconds: bench.scale.seconds * 0.6,
  }
  return async () => {
    const before = cpuMsOf(server.pid)
    const calls = await bench.load.calls({ port: server.port, connections, seconds, requests, says })
    return { us: ((cpuMsOf(server.pid) - before) * 1_000) / calls.calls, perSecond: calls.perSecond }
  }
}

/** A row about what a request costs the server's process. */
async function costRow(
  bench: Bench,
  of: {
    what: string
    subject: () => Promise<Cost>
    reference: () => Promise<Cost>
    against: string
    goal?: number
    missed?: string
  },
): Promise<Row> {
  const measured = await alternate(bench.scale.repeats, of)
  const us = compare(
    measured,
    (s) => s.us,
    (r) => r.us,
  )
  const rate = compare(
    measured,
    (s) => s.perSecond,
    (r) => r.perSecond,
  )
  const shown = (costs: readonly Cost[]) =>
    `${per(median(costs.map((cost) => cost.us)), 'µs')} (${per(median(costs.map((cost) => cost.perSecond)), '/s')})`
  return {
    what: of.what,
    subject: shown(measured.subject),
    reference: `${of.against}: ${shown(measured.reference)}`,
    ratio: us,
    goal: of.goal === undefined ? null : atMost(of.goal, us.median, '×'),
    notes: [`requests per second ${per(rate.median, '×')}`],
    ...(of.missed === undefined ? {} : { missed: of.missed }),
  }
}

const WHY_DEARER =
  'half of either server’s time is the system call that sends the answer, and of the rest ours needs half as much again: a body ' +
  'within bounds of size and depth, the envelope of the protocol and its headers, and an answer with the bytes of the SDK’s. The ' +
  'busier server also pays less for a system call, so the ratio overstates it'

export const toolCall: Family = {
  name: 'tool-call',
  what: 'A call of a tool that does nothing (processor time of the server for one request)',
  async run(bench) {
    const { teams } = await bench.product()
    const token = teams[0]?.[0]?.token ?? ''
    const manyTokens = teams.flat().map((agent) => agent.token)
    const byHand = await bench.target('hand-written', { token })
    const six = await bench.target('mcp', { tools: 6, auth: 'bearer' })
    // As young as the one that it is compared with: one that has served other rows is compiled further.
    const few = await bench.target('mcp', { tools: 6, auth: 'bearer' })
    const many = await bench.target('mcp', { tools: 300, auth: 'bearer' })
    const open = await bench.target('mcp', { tools: 6, auth: 'none' })
    const modern = costOf(bench, six, trivialCall(token, '2026-07-28'))
    const hand = costOf(bench, byHand, trivialCall(token, '2026-07-28'))
    const against = 'dispatch by hand in Hono'
    const rows = [
      await costRow(bench, {
        what: 'tools/call, 2026-07-28',
        subject: modern,
        reference: hand,
        against,
        goal: 1.15,
        missed: WHY_DEARER,
      }),
      await costRow(bench, {
        what: 'tools/call, 2025-11-25',
        subject: costOf(bench, six, trivialCall(token, '2025-11-25')),
        reference: costOf(bench, byHand, trivialCall(token, '2025-11-25')),
        against,
        goal: 1.15,
        missed: WHY_DEARER,
      }),
      await costRow(bench, {
        what: '300 tools',
        subject: costOf(bench, many, trivialCall(token, '2026-07-28')),
        reference: costOf(bench, few, trivialCall(token, '2026-07-28')),
        against: '6 tools',
        goal: 1.1,
      }),
      await costRow(bench, {
        what: 'tools/list of 300',
        subject: costOf(bench, many, toolsList(token), 'trivial_299'),
        reference: costOf(bench, six, toolsList(token), 'trivial_5'),
        against: 'of 6',
      }),
      await costRow(bench, {
        what: 'authentication from the cache',
        subject: modern,
        reference: costOf(bench, open, trivialCall(token, '2026-07-28')),
        against: 'no authentication',
        goal: 1.15,
      }),
      await costRow(bench, {
        what: `authentication of ${manyTokens.length} tokens in turn`,
        subject: costOf(
          bench,
          six,
          manyTokens.flatMap((each) => trivialCall(each, '2026-07-28')),
        ),
        reference: modern,
        against: 'one token',
      }),
    ]
    const profiles = bench.scale.quick ? [] : [await profiled(bench, token)]
    await Promise.all([byHand, six, few, many, open].map((server) => server.stop()))
    return { rows, profiles }
  },
}

async function profiled(bench: Bench, token: string) {
  const directory = join(bench.directory, 'profile-tool-call')
  mkdirSync(directory)
  const server = await bench.target('mcp', { tools: 6, auth: 'bearer' }, profileFlags(directory))
  const cost = costOf(bench, server, trivialCall(token, '2026-07-28'))
  // Once to warm up.
  await cost()
  const began = performance.now()
  await cost()
  await server.stop()
  return readProfile(
    directory,
    'Where the server’s time goes in a trivial tools/call of 2026-07-28 (node --cpu-prof)',
    performance.now() - began,
  )
}
