import { readRemoteJournal } from '../../scripts/journal/remote.ts'
import { JOURNAL, verifyChain } from '../../src/journal/chain.ts'
import type { ExportedEvent } from '../../src/journal/event.ts'
import { checkLinearizability } from '../linearizability/checker.ts'
import { workspaceModel } from '../linearizability/workspace-model.ts'
import { auditClaims } from '../support/journal-audit.ts'
import type { Random } from '../support/random.ts'
import type { Api } from './api.ts'
import { createClient, type Client } from './client.ts'
import { createHistory, type History } from './history.ts'
import { lostWrites } from './lost-writes.ts'

/** A workspace, the agents at work in it, and what was recorded of them. */
export interface Room {
  readonly workspaceId: string
  readonly history: History
  readonly clients: readonly Client[]
}

/** A workspace whose agents have all joined. */
export async function openRoom(options: {
  readonly name: string
  readonly workspaceId: string
  readonly agents: number
  readonly apiOf: (agentId: string) => Api
  readonly random: Random
}): Promise<Room> {
  const { name, workspaceId, random } = options
  const history = createHistory(name)
  const clients = Array.from({ length: options.agents }, (_, n) => {
    const agentId = `${name}-agent-${n}`
    return createClient({ api: options.apiOf(agentId), agentId, workspaceId, history, random: random.fork(agentId) })
  })
  for (const client of clients) await client.join()
  return { workspaceId, history, clients }
}

export interface RoomVerdict {
  readonly violations: readonly string[]
  readonly configurations: number
  readonly events: number
  readonly granted: number
}

/** Reads everything once more, resumes every session, and checks history and journal. */
export async function judgeRoom(
  { workspaceId, history, clients }: Room,
  token: string,
  origin: string,
): Promise<RoomVerdict> {
  await clients[0]?.readAll(history.windows)
  const violations: string[] = []
  for (const client of clients) violations.push(...(await resumeFaults(client)))

  const events = await readJournal(origin, workspaceId, token)
  const { faults, live, granted } = auditClaims(events)
  violations.push(...(await chainFaults(events, workspaceId)), ...faults, ...lostWrites(history.windows, events))
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

/** All events of a workspace, the oldest first. @throws Error when they cannot be had */
export async function readJournal(origin: string, workspaceId: string, token: string): Promise<ExportedEvent[]> {
  const events: ExportedEvent[] = []
  for await (const event of readRemoteJournal({ url: origin, workspaceId, token })) events.push(event as ExportedEvent)
  return events
}

/** Where the hash chain breaks, in a sentence; nothing where it holds. */
export async function chainFaults(events: readonly ExportedEvent[], workspaceId: string): Promise<string[]> {
  const chain = await verifyChain(events, { kind: JOURNAL, id: workspaceId })
  return chain.ok ? [] : [`the journal's chain breaks at ${chain.seq}: ${chain.reason}`]
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

/** How much was done, in words. */
export function progressOf(rooms: readonly Room[]): string {
  const windows = rooms.flatMap(({ history }) => history.windows)
  return `${windows.reduce((total, { operations }) => total + operations.length, 0)} operations in ${windows.length} windows`
}
