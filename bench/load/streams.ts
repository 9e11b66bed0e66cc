import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { quantile } from '../support/statistics.ts'
import type { Agent } from './agents.ts'
import { Connection, PATIENT } from './connection.ts'
import { callRequest, isSuccess, stringField } from './mcp.ts'

/** Opens event streams and leaves them open until `close-streams`. */
export interface OpenStreamsJob {
  readonly kind: 'open-streams'
  readonly port: number
  /** One stream for each entry; resumed behind what its agent saw last. */
  readonly readers: readonly Agent[]
}

/** Writes at a steady rate, and measures when the streams that are open hear of it. */
export interface DelayJob {
  readonly kind: 'delay'
  readonly port: number
  readonly writers: readonly Agent[]
  readonly perSecond: number
  readonly seconds: number
  readonly patience: number
}

export interface DelayResult {
  readonly writes: number
  readonly deliveries: number
  /** From when the writer has its answer until a stream has the event; 0 where the stream was first. */
  readonly afterAnswer: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
  /** From when the writer sent its call. */
  readonly afterCall: { readonly p50Ms: number; readonly p99Ms: number }
  readonly writeP50Ms: number
}

const OPEN_AT_ONCE = 50

class Stream {
  readonly workspaceId: string
  readonly #socket: Socket
  #rest = ''

  private constructor(workspaceId: string, socket: Socket) {
    this.workspaceId = workspaceId
    this.#socket = socket
  }

  /** @param heard an event's seq, when its bytes are here */
  static async open(port: number, reader: Agent, heard: (seq: number) => void, patience = PATIENT): Promise<Stream> {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    await once(socket, 'connect')
    const request = [
      `GET /api/workspaces/${reader.workspaceId}/events HTTP/1.1`,
      `Host: localhost:${port}`,
      `Authorization: Bearer ${reader.token}`,
      'Accept: text/event-stream',
      `Last-Event-ID: ${reader.stateHash.split('-')[0]}`,
    ]
    socket.write(`${request.join('\r\n')}\r\n\r\n`)
    const [first] = (await once(socket, 'data')) as [string]
    if (first.startsWith('HTTP/1.1 503') && patience > 0) {
      socket.destroy()
      await delay(250)
      return Stream.open(port, reader, heard, patience - 1)
    }
    if (!/^HTTP\/1\.1 200[^]*text\/event-stream/iu.test(first)) throw new Error(`no event stream: ${first}`)
    const stream = new Stream(reader.workspaceId, socket)
    stream.#take(first, heard)
    // One that ends by itself is found by countStreams.
    socket.on('error', () => undefined).on('data', (text: string) => stream.#take(text, heard))
    return stream
  }

  #take(text: string, heard: (seq: number) => void): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('id: ')) heard(Number(line.slice('id: '.length)))
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed
  }

  close(): void {
    this.#socket.destroy()
  }
}

const open: Stream[] = []
let onHeard: (workspaceId: string, seq: number) => void = () => undefined

/** @returns how many are open now */
export async function openStreams(job: OpenStreamsJob): Promise<number> {
  const waiting = job.readers.values()
  await Promise.all(
    Array.from({ length: OPEN_AT_ONCE }, async () => {
      for (const reader of waiting) {
        open.push(await Stream.open(job.port, reader, (seq) => onHeard(reader.workspaceId, seq)))
      }
    }),
  )
  return countStreams()
}

/** @throws where one has ended by itself */
export function countStreams(): number {
  if (open.some((stream) => !stream.isOpen)) throw new Error('an event stream has ended')
  return open.length
}

export function closeStreams(): void {
  for (const stream of open.splice(0)) stream.close()
}

interface Write {
  readonly sentAt: number
  answeredAt: number
  readonly heardAt: number[]
}

export async function measureDelay(job: DelayJob): Promise<DelayResult> {
  const readersOf = new Map<string, number>()
  for (const { workspaceId } of open) readersOf.set(workspaceId, (readersOf.get(workspaceId) ?? 0) + 1)
  const arrivals = new Map<string, number[]>()
  onHeard = (workspaceId, seq) => {
    const key = `${workspaceId}:${seq}`
    const known = arrivals.get(key)
    if (known === undefined) arrivals.set(key, [performance.now()])
    else known.push(performance.now())
  }
  const writes = await writeSteadily(job)
  const expected = [...writes.keys()].reduce(
    (sum, key) => sum + (readersOf.get(key.slice(0, key.indexOf(':'))) ?? 0),
    0,
  )
  const arrived = () => [...writes.keys()].reduce((sum, key) => sum + (arrivals.get(key)?.length ?? 0), 0)
  for (const until = performance.now() + 10_000; arrived() < expected && performance.now() < until;) {
    await delay(20)
  }
  onHeard = () => undefined
  if (arrived() !== expected) throw new Error(`${expected} deliveries were due, ${arrived()} came`)
  for (const [key, write] of writes) write.heardAt.push(...(arrivals.get(key) ?? []))
  return summed([...writes.values()])
}

function summed(writes: readonly Write[]): DelayResult {
  const afterAnswer = writes.flatMap((write) => write.heardAt.map((at) => Math.max(0, at - write.answeredAt)))
  const afterCall = writes.flatMap((write) => write.heardAt.map((at) => at - write.sentAt))
  const written = writes.map((write) => write.answeredAt - write.sentAt)
  return {
    writes: writes.length,
    deliveries: afterAnswer.length,
    afterAnswer: {
      p50Ms: quantile(afterAnswer, 0.5),
      p99Ms: quantile(afterAnswer, 0.99),
      maxMs: quantile(afterAnswer, 1),
    },
    afterCall: { p50Ms: quantile(afterCall, 0.5), p99Ms: quantile(afterCall, 0.99) },
    writeP50Ms: quantile(written, 0.5),
  }
}

/** Each writer publishes its state in turn, in another workspace than the one before; by workspace and seq. */
async function writeSteadily(job: DelayJob): Promise<Map<string, Write>> {
  const { port, writers, perSecond, seconds } = job
  const connections = await Promise.all(writers.map(async () => Connection.open(port, job.patience)))
  const writes = new Map<string, Write>()
  const under: Promise<void>[] = []
  const busy = new Set<number>()
  const started = performance.now()
  for (let sent = 0; sent < perSecond * seconds; sent += 1) {
    const due = started + (sent * 1_000) / perSecond
    const early = due - performance.now()
    if (early > 0) await delay(early)
    const index = sent % writers.length
    const [agent, connection] = [writers[index], connections[index]]
    // One that has not had its answer yet writes nothing: what is measured is the way of an event, not a queue.
    if (agent === undefined || connection === undefined || busy.has(index)) continue
    busy.add(index)
    under.push(write(port, connection, agent, sent, writes).finally(() => busy.delete(index)))
  }
  await Promise.all(under)
  for (const connection of connections) connection.close()
  return writes
}

async function write(
  port: number,
  connection: Connection,
  agent: Agent,
  number: number,
  writes: Map<string, Write>,
): Promise<void> {
  const input = { expectedStateHash: agent.stateHash, content: { objective: `step ${number}` } }
  const request = callRequest({ port, token: agent.token, tool: 'update_my_state', input })
  const sentAt = performance.now()
  const answer = await connection.send(request)
  const answeredAt = performance.now()
  const stateHash = stringField(answer, 'stateHash')
  if (!isSuccess(answer) || stateHash === null) throw new Error(`not written: ${answer.text}`)
  agent.stateHash = stateHash
  writes.set(`${agent.workspaceId}:${stateHash.split('-')[0]}`, { sentAt, answeredAt, heardAt: [] })
}
