import { Connection } from './connection.ts'
import { timed, type Timed } from './latencies.ts'
import { resultOf, rpcRequest, type Generation } from './mcp.ts'

/** The same requests over and over, each connection sending its next when it has the answer to its last. */
export interface CallsJob {
  readonly kind: 'calls'
  readonly port: number
  readonly connections: number
  readonly seconds: number
  /** Sent in turn, by every connection from another place on. */
  readonly requests: readonly {
    readonly token: string
    readonly method: string
    readonly params: Record<string, unknown>
    readonly generation?: Generation
  }[]
  /** Text that every good answer has in it. */
  readonly says: string
  readonly patience: number
}

/** Each answer of so many is parsed whole; of the others it is seen that they are successes that say what they should. */
const PARSE_EVERY = 64

export async function runCalls(job: CallsJob): Promise<Timed> {
  const requests = job.requests.map((request) => rpcRequest({ port: job.port, ...request }))
  const connections = await Promise.all(
    Array.from({ length: job.connections }, async () => Connection.open(job.port, job.patience)),
  )
  const latencies: number[] = []
  const started = performance.now()
  const until = started + job.seconds * 1_000
  const stride = Math.max(1, Math.floor(requests.length / connections.length))
  await Promise.all(
    connections.map(async (connection, index) => {
      for (let call = index * stride; performance.now() < until; call += 1) {
        const sent = performance.now()
        const answer = await connection.send(requests[call % requests.length] ?? '')
        latencies.push(performance.now() - sent)
        if (answer.status !== 200 || !answer.text.includes(job.says)) throw new Error(`a wrong answer: ${answer.text}`)
        if (latencies.length % PARSE_EVERY === 0) resultOf(answer)
      }
    }),
  )
  const ms = performance.now() - started
  for (const connection of connections) connection.close()
  return timed(latencies, ms)
}
