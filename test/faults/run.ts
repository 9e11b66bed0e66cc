/**
 * Real agents over HTTP, on a server that is killed with -9 at random, as is its PostgreSQL; and afterwards the
 * question whether anybody was ever told something wrong.
 */
import { readRemoteJournal } from '../../scripts/journal/remote.ts'
import { verifyChain } from '../../src/journal/chain.ts'
import type { ExportedEvent } from '../../src/journal/event.ts'
import { checkLinearizability } from '../linearizability/checker.ts'
import { workspaceModel } from '../linearizability/workspace-model.ts'
import { auditClaims } from '../support/journal-audit.ts'
import { createRandom } from '../support/random.ts'
import { createApi } from './api.ts'
import { createClient, type Client } from './client.ts'
import { createHistory, type History, type Window } from './history.ts'
import { deploy } from './deployment.ts'
import { injectFaults, type Faults } from './injector.ts'
import { lostWrites } from './lost-writes.ts'
import { signIn, type SignIn } from './sign-in.ts'

export interface FaultRunOptions {
  readonly seed: number
  readonly durationMs: number
  /** One runs on a PostgreSQL of its own; several are replicas on one database, and any request goes to any of them. */
  readonly servers: number
  readonly workspaces: number
  readonly clientsPerWorkspace: number
  readonly log?: (line: string) => void
}

export interface FaultReport {
  readonly operations: number
  readonly unknownOutcomes: number
  readonly faults: Faults
  readonly windows: readonly Window[]
  readonly configurations: number
  readonly events: number
  readonly claimsGranted: number
  /** What must never be. Empty: the run passed. */
  readonly violations: readonly string[]
}

/** @throws Error when the run itself fails: the server does not come up again, or answers what no client expects */
export async function runWithFaults(options: FaultRunOptions): Promise<FaultReport> {
  const { seed, durationMs, log = () => undefined } = options
  const random = createRandom(seed)
  const deployment = await deploy(options.servers)
  const { origins } = deployment
  const publicUrl = origins[0] ?? ''
  try {
    await deployment.ready()
    const person = await signIn(publicUrl)
    const rooms: Room[] = []
    for (let index = 0; index < options.workspaces; index += 1) {
      const workspaceId = await person.createWorkspace(`room ${index}`)
      const history = createHistory(`r${index}`)
      const clients = Array.from({ length: options.clientsPerWorkspace }, (_, n) => {
        const agentId = `r${index}-agent-${n}`
        const ways = random.fork(`ways of ${agentId}`)
        const api = createApi(() => ({ origin: ways.pick(origins), accessToken: person.accessToken() }))
        return createClient({ api, agentId, workspaceId, history, random: random.fork(agentId) })
      })
      for (const client of clients) await client.join()
      rooms.push({ workspaceId, history, clients })
    }
    log(
      `${origins.length} server(s), ${rooms.length} workspaces, ${options.clientsPerWorkspace} agents each; seed ${seed}`,
    )

    const endsAt = performance.now() + durationMs
    const isOver = () => performance.now() > endsAt
    const progress = setInterval(() => log(progressOf(rooms)), 10_000)
    const [faults] = await Promise.all([
      injectFaults(deployment, random.fork('injector'), isOver),
      person.keepTokens(isOver),
      ...rooms.flatMap(({ clients }) => clients.map((client) => client.work(isOver))),
    ]).finally(() => clearInterval(progress))
    await deployment.ready()
    log(`stopped: ${progressOf(rooms)}; checking`)

    const judged = []
    for (const room of rooms) judged.push(await judge(room, person, publicUrl))
    const windows = rooms.flatMap(({ history }) => history.windows)
    const operations = windows.flatMap((window) => window.operations)
    return {
      operations: operations.length,
      unknownOutcomes: operations.filter(({ output }) => output === undefined).length,
      faults,
      windows,
      configurations: sum(judged.map(({ configurations }) => configurations)),
      events: sum(judged.map(({ events }) => events)),
      claimsGranted: sum(judged.map(({ granted }) => granted)),
      violations: [
        ...deployment.crashes().map((crash) => `a server crashed by itself: ${crash}`),
        ...judged.flatMap(({ violations }) => violations),
      ],
    }
  } catch (error) {
    log(deployment.output())
    throw error
  } finally {
    await deployment.stop()
  }
}

interface Room {
  readonly workspaceId: string
  readonly history: History
  readonly clients: readonly Client[]
}

/** Reads everything once more, resumes every session, and checks history and journal. */
async function judge({ workspaceId, history, clients }: Room, person: SignIn, origin: string) {
  await clients[0]?.readAll(history.windows)
  const violations: string[] = []
  for (const client of clients) violations.push(...(await resumeFaults(client)))

  const events: ExportedEvent[] = []
  const journal = readRemoteJournal({ url: origin, workspaceId, token: person.accessToken() })
  for await (const event of journal) events.push(event)
  const chain = await verifyChain(events, workspaceId)
  if (!chain.ok) violations.push(`the journal's chain breaks at ${chain.seq}: ${chain.reason}`)
  const { faults, live, granted } = auditClaims(events)
  violations.push(...faults, ...lostWrites(history.windows, events))
  const known = clients.flatMap((client) => client.heldClaims()).toSorted()
  const journaled = live.map(({ claimId }) => claimId).toSorted()
  if (known.join() !== journaled.join())
    violations.push(`agents hold ${known.join()}, the journal says ${journaled.join()}`)

  let configurations = 0
  for (const { name, operations } of history.windows) {
    const verdict = checkLinearizability(operations, workspaceModel)
    configurations += verdict.configurations
    if (verdict.kind === 'gave up') violations.push(`${name}: the checker gave up on ${operations.length} operations`)
    if (verdict.kind === 'violation') {
      const { order, stuckAt } = verdict
      violations.push(`${name}: not linearizable; after ${order.length} operations none of ${JSON.stringify(stuckAt)}`)
    }
  }
  return { violations, configurations, events: events.length, granted }
}

/** The same session, and the claims that it was told it has. */
async function resumeFaults(client: Client): Promise<string[]> {
  const answer = await client.join()
  const told: string[] = answer['claims'].map(({ claimId }: { claimId: string }) => claimId).toSorted()
  const same = answer['session'].resumed === true && answer['session'].id === client.sessionId
  return [
    ...(same ? [] : [`${client.agentId} could not resume its session`]),
    ...(told.join() === client.heldClaims().join() ? [] : [`${client.agentId} resumed with the claims ${told.join()}`]),
  ]
}

function progressOf(rooms: readonly Room[]): string {
  const windows = rooms.flatMap(({ history }) => history.windows)
  return `${sum(windows.map(({ operations }) => operations.length))} operations in ${windows.length} windows`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
