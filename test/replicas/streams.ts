/** Event streams that move from replica to replica. */
import { setTimeout as delay } from 'node:timers/promises'
import { readRemoteJournal } from '../../scripts/journal/remote.ts'
import { createApi } from '../faults/api.ts'
import { signIn } from '../faults/sign-in.ts'
import type { Random } from '../support/random.ts'
import { createContender, nothingTold } from './contenders.ts'
import { patient } from './patient.ts'
import { createEventReader, createListener, type StreamReader } from './readers.ts'
import { expectNone, type Scenario } from './scenario.ts'
import type { Stage } from './stage.ts'

const READERS_OF_EACH_KIND = 4
const WRITERS = 3
/** For the last event to reach everybody. */
const CATCH_UP_MS = 60_000

export const streams: Scenario = {
  subject: 'streams',
  guarantee: 'every reader has every event once and in order while its replica is drained, and while it is killed',
  async play(stage, random) {
    const { publicUrl } = stage
    const person = await signIn(publicUrl, { fetchLike: patient((url, init) => fetch(url, init)) })
    const accessToken = person.accessToken()
    const workspaceId = await person.createWorkspace('streamed')
    const reader = { origin: publicUrl, accessToken, workspaceId }
    const readers = Array.from({ length: READERS_OF_EACH_KIND }, () => [
      createEventReader(reader),
      createListener(reader),
    ]).flat()
    const over = new AbortController()
    const reading = Promise.all(readers.map((each) => each.follow(over.signal)))
    const writing = await startWriting(stage, { accessToken, workspaceId, random })
    try {
      await Promise.race([happen(stage, readers), reading])
      await writing.stop()
      const journal: { seq: number; hash: string }[] = []
      for await (const { seq, hash } of readRemoteJournal({ url: publicUrl, workspaceId, token: accessToken }))
        journal.push({ seq, hash })
      await Promise.race([caughtUp(readers, journal.length), reading])
      expectNone(readers.flatMap((each) => differences(each, journal)))
      return [
        `${journal.length} events, ${readers.length} readers, ${total(readers, 'opened')} streams:`,
        `${total(readers, 'ended')} ended in order, ${total(readers, 'cut')} cut by kill -9`,
      ].join(' ')
    } finally {
      await writing.stop()
      over.abort()
      await reading.catch(() => undefined)
    }
  },
}

/** Both replicas are drained, then both are killed: everybody moves at least twice. */
async function happen(stage: Stage, readers: readonly StreamReader[]): Promise<void> {
  await opened(readers, 1)
  for (const index of stage.replicas.keys()) await stage.restart(index)
  await opened(readers, 2)
  expectNone(
    readers.flatMap(({ kind, counts: { cut, refused } }) => [
      ...(cut === 0 ? [] : [`${cut} streams of an ${kind} were cut by a drain`]),
      ...(refused === 0 ? [] : [`an ${kind} was refused ${refused} times during a drain`]),
    ]),
  )
  for (const index of stage.replicas.keys()) {
    await stage.killAndStart(index)
    await stage.proxy.until(index, 'UP')
  }
  await opened(readers, 3)
}

async function opened(readers: readonly StreamReader[], times: number): Promise<void> {
  const giveUpAt = performance.now() + CATCH_UP_MS
  while (readers.some(({ counts }) => counts.opened < times)) {
    if (performance.now() > giveUpAt) throw new Error(`a reader has not got a stream ${times} times`)
    await delay(20)
  }
}

async function caughtUp(readers: readonly StreamReader[], length: number): Promise<void> {
  const giveUpAt = performance.now() + CATCH_UP_MS
  while (readers.some(({ events }) => events.length < length)) {
    if (performance.now() > giveUpAt) return
    await delay(20)
  }
}

function differences({ kind, events }: StreamReader, journal: readonly { seq: number; hash: string }[]): string[] {
  if (events.length < journal.length) return [`an ${kind} has ${events.length} of ${journal.length} events`]
  const other = journal.find(({ hash }, n) => events[n]?.hash !== hash)
  return other === undefined ? [] : [`an ${kind} was given another event ${other.seq} than the journal has`]
}

function total(readers: readonly StreamReader[], what: 'opened' | 'ended' | 'cut'): number {
  return readers.reduce((sum, { counts }) => sum + counts[what], 0)
}

/** Agents that claim and release: each call is one event or more. */
async function startWriting(
  { publicUrl }: Stage,
  { accessToken, workspaceId, random }: { accessToken: string; workspaceId: string; random: Random },
): Promise<{ stop(): Promise<void> }> {
  const told = nothingTold()
  const writers = Array.from({ length: WRITERS }, (_, n) => {
    const agentId = `writer-${n}`
    const api = createApi(() => ({ origin: publicUrl, accessToken }))
    return createContender({ api, agentId, workspaceId, told, random: random.fork(agentId) })
  })
  for (const writer of writers) await writer.join()
  let over = false
  const work = Promise.all(writers.map((writer) => writer.work(() => over)))
  work.catch(() => undefined)
  return {
    async stop() {
      over = true
      await work
    },
  }
}
