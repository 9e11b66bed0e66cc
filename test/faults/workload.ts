import type { Random } from '../support/random.ts'
import { createApi } from './api.ts'
import type { Window } from './history.ts'
import { judgeRoom, openRoom, progressOf, type Room } from './room.ts'
import type { SignIn } from './sign-in.ts'

/** Agents at work in workspaces of their own, whose every call is taken down and judged in the end. */
export interface Workload {
  readonly workspaceIds: readonly string[]
  /** All agents work at random until then, and each finishes what it has begun, however often it has to ask. */
  work(until: () => boolean): Promise<void>
  /** How much has been done so far, in a sentence. */
  progress(): string
  /** Reads everything once more, resumes every session, checks histories and journals. To be called when all is well. */
  judge(): Promise<Judgement>
}

export interface Judgement {
  readonly operations: number
  readonly unknownOutcomes: number
  readonly windows: readonly Window[]
  readonly configurations: number
  readonly events: number
  readonly claimsGranted: number
  /** What must never be, one sentence each. */
  readonly violations: readonly string[]
}

export interface WorkloadOptions {
  readonly person: SignIn
  /** Of the servers, any of which takes any call. The journal is read at the first. */
  readonly origins: readonly string[]
  readonly workspaces: number
  readonly clientsPerWorkspace: number
  readonly random: Random
}

/** Makes the workspaces, and joins them with all agents. */
export async function openWorkload(options: WorkloadOptions): Promise<Workload> {
  const { person, origins, random } = options
  const rooms: Room[] = []
  for (let index = 0; index < options.workspaces; index += 1) {
    const workspaceId = await person.createWorkspace(`room ${index}`)
    const apiOf = (agentId: string) => {
      const ways = random.fork(`ways of ${agentId}`)
      return createApi(() => ({ origin: ways.pick(origins), accessToken: person.accessToken() }))
    }
    rooms.push(await openRoom({ name: `r${index}`, workspaceId, agents: options.clientsPerWorkspace, apiOf, random }))
  }
  const windows = () => rooms.flatMap(({ history }) => history.windows)
  return {
    workspaceIds: rooms.map(({ workspaceId }) => workspaceId),
    async work(until) {
      await Promise.all(rooms.flatMap(({ clients }) => clients.map((client) => client.work(until))))
    },
    progress: () => progressOf(rooms),
    async judge() {
      const judged = []
      for (const room of rooms) judged.push(await judgeRoom(room, person.accessToken(), origins[0] ?? ''))
      const operations = windows().flatMap((window) => window.operations)
      return {
        operations: operations.length,
        unknownOutcomes: operations.filter(({ output }) => output === undefined).length,
        windows: windows(),
        configurations: sum(judged.map(({ configurations }) => configurations)),
        events: sum(judged.map(({ events }) => events)),
        claimsGranted: sum(judged.map(({ granted }) => granted)),
        violations: judged.flatMap(({ violations }) => violations),
      }
    },
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
