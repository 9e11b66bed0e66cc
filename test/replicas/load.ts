/**
 * What a team's afternoon looks like to the replicas, all of it through the proxy: agents whose every answer is checked
 * for linearizability, agents that want overlapping paths, programs that write and read over REST, people at a page.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createApi } from '../faults/api.ts'
import { judgeRoom, openRoom, readJournal, type Room } from '../faults/room.ts'
import { signIn } from '../faults/sign-in.ts'
import type { Random } from '../support/random.ts'
import { contradictions, createContender, nothingTold } from './contenders.ts'
import { insist } from './insist.ts'
import { type Account, createLedger } from './ledger.ts'
import { patient } from './patient.ts'
import { createFollower, createWriter } from './rest-clients.ts'
import type { Stage } from './stage.ts'

/** Few enough that a replica alone has a connection for each: what is shed for want of one would count as failed. */
const ROOMS = 2
const AGENTS_PER_ROOM = 3
const CONTENDERS = 4
const WRITERS = 2
const FOLLOWERS = 1
const PAGE_PAUSE_MS = 100

export interface LoadVerdict {
  /** What must never be, one sentence each. */
  readonly violations: readonly string[]
  /** What was done, in words. */
  readonly figures: string
}

export interface Load {
  /** Everybody works until told to stop, and until their last call is answered. */
  work(until: () => boolean): Promise<void>
  /** What became of every call of `work`. */
  account(): Account
  /** Reads everything back through the proxy and compares it with what each was told. */
  judge(): Promise<LoadVerdict>
}

/** Signs in, makes workspaces, and lets every agent join. */
export async function prepareLoad({ publicUrl }: Stage, random: Random): Promise<Load> {
  const ledger = createLedger()
  const person = await signIn(publicUrl, { fetchLike: patient((url, init) => fetch(url, init)) })
  const accessToken = person.accessToken()
  const apiOf = () => createApi(() => ({ origin: publicUrl, accessToken }), ledger.fetch)

  const rooms: Room[] = []
  for (let index = 0; index < ROOMS; index += 1) {
    const workspaceId = await person.createWorkspace(`room ${index}`)
    rooms.push(await openRoom({ name: `r${index}`, workspaceId, agents: AGENTS_PER_ROOM, apiOf, random }))
  }

  const workspaceId = await person.createWorkspace('contended')
  const told = nothingTold()
  const contenders = numbered(CONTENDERS, 'contender').map((agentId) =>
    createContender({ api: apiOf(), agentId, workspaceId, told, random: random.fork(agentId) }),
  )
  for (const contender of contenders) await contender.join()
  ledger.begin()
  const rest = (name: string) => {
    const own = random.fork(name)
    return { fetch: ledger.fetch, origin: publicUrl, accessToken, workspaceId, random: own }
  }
  const writers = numbered(WRITERS, 'writer').map((name) => createWriter(name, rest(name)))
  const followers = numbered(FOLLOWERS, 'follower').map((name) => createFollower(rest(name)))
  let pages = 0

  async function lookAtPages(until: () => boolean): Promise<void> {
    const own = random.fork('pages')
    while (!until()) {
      const path = own.pick(['/', '/login', '/docs', '/version', '/.well-known/oauth-authorization-server'])
      const { status } = await insist(own, () => Promise.resolve(ledger.fetch(`${publicUrl}${path}`)).then(without5xx))
      if (status !== 200) throw new Error(`${path} answered ${status}`)
      pages += 1
      // They cost next to nothing: without a pause they would be most of the load.
      await delay(own.below(PAGE_PAUSE_MS))
    }
  }

  return {
    async work(until) {
      const everybody = [...rooms.flatMap(({ clients }) => clients), ...contenders, ...writers, ...followers]
      await Promise.all([...everybody.map((each) => each.work(until)), lookAtPages(until)])
    },
    account: () => ledger.account(),
    async judge() {
      const verdicts = []
      for (const room of rooms) verdicts.push(await judgeRoom(room, accessToken, publicUrl))
      const events = await readJournal(publicUrl, workspaceId, accessToken)
      const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
      const operations = sum(rooms.flatMap(({ history }) => history.windows.map((window) => window.operations.length)))
      return {
        violations: [
          ...verdicts.flatMap(({ violations }) => violations),
          ...contradictions(told, events),
          ...writers.flatMap((writer) => writer.contradictions(events)),
        ],
        figures: [
          `${operations} linearizable operations`,
          `${told.granted.size} overlapping claims granted and ${told.refusals} refused`,
          `${sum(writers.map(({ writes }) => writes))} REST writes`,
          `${sum(followers.map(({ reads }) => reads))} REST reads`,
          `${pages} pages`,
          `${events.length + sum(verdicts.map((verdict) => verdict.events))} events`,
        ].join(', '),
      }
    },
  }
}

function without5xx(response: Response): Response {
  if (response.status >= 500) throw new Error(`${response.url} answered ${response.status}`)
  return response
}

const numbered = (count: number, name: string) => Array.from({ length: count }, (_, n) => `${name}-${n}`)
