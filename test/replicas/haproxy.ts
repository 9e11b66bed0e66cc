/** Debian's HAProxy with the very configuration that docker-compose.yml mounts, and what it counts. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const CONFIGURATION = fileURLToPath(new URL('../../docker/haproxy.cfg', import.meta.url))
const UP_TIMEOUT_MS = 120_000
const POLL_MS = 50

/** What HAProxy counted since it started: a witness that is not ours. */
export interface ProxyCounts {
  /** Requests that came, and answers of the class 5xx that went out, HAProxy's own included. */
  readonly requests: number
  readonly serverErrors: number
  /** Requests that were sent to each replica. */
  readonly perReplica: readonly number[]
  /** Attempts repeated, and given to the other replica, because a connection could not be made. */
  readonly retried: number
  readonly redispatched: number
}

export interface Proxy {
  readonly origin: string
  counts(): Promise<ProxyCounts>
  /** Resolves when that replica is in rotation, or is out of it. */
  until(index: number, state: 'UP' | 'DOWN'): Promise<void>
  stop(): Promise<void>
  output(): string
}

/** The program's version, or null where there is none. */
export function haproxyVersion(): string | null {
  try {
    return /version (\S+)/u.exec(execFileSync('haproxy', ['-v'], { encoding: 'utf8' }))?.[1] ?? 'unknown'
  } catch {
    return null
  }
}

/** @param origins of the two replicas, which need not run yet */
export async function startProxy(folder: string, port: number, origins: readonly string[]): Promise<Proxy> {
  const socket = join(folder, 'haproxy.sock')
  const statistics = join(folder, 'statistics.cfg')
  await writeFile(statistics, `global\n  stats socket ${socket} mode 600 level user\n`)
  const [REPLICA_1 = '', REPLICA_2 = ''] = origins.map((origin) => `127.0.0.1:${new URL(origin).port}`)
  const { PATH = '' } = process.env
  const child = spawn('haproxy', ['-db', '-f', CONFIGURATION, '-f', statistics], {
    env: { PATH, BIND: `127.0.0.1:${port}`, REPLICA_1, REPLICA_2 },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (said) => (output += said))
  const exited = once(child, 'exit')
  await once(child, 'spawn')

  async function rows(): Promise<readonly Row[]> {
    if (child.exitCode !== null) throw new Error(`HAProxy has ended:\n${output}`)
    const asked = connect(socket)
    asked.end('show stat\n')
    return parse(await text(asked))
  }

  async function until(index: number, state: 'UP' | 'DOWN'): Promise<void> {
    const giveUpAt = performance.now() + UP_TIMEOUT_MS
    for (;;) {
      const row = await rows().then(
        (all) => all.find(({ svname }) => svname === `replica-${index + 1}`),
        () => undefined,
      )
      // While checks disagree it is `UP 1/2`, which is still in rotation, or `DOWN 1/2`.
      if (row?.['status']?.startsWith(state) === true) return
      if (performance.now() > giveUpAt) throw new Error(`replica ${index + 1} is never ${state}:\n${output}`)
      await delay(POLL_MS)
    }
  }

  return {
    origin: `http://localhost:${port}`,
    until,
    async counts() {
      const all = await rows()
      const of = (name: string, column: string) =>
        Number(
          all.find((row) => row['pxname'] === name.split('/')[0] && row['svname'] === name.split('/')[1])?.[column],
        )
      return {
        requests: of('public/FRONTEND', 'req_tot'),
        serverErrors: of('public/FRONTEND', 'hrsp_5xx'),
        perReplica: [of('replicas/replica-1', 'stot'), of('replicas/replica-2', 'stot')],
        retried: of('replicas/BACKEND', 'wretr'),
        redispatched: of('replicas/BACKEND', 'wredis'),
      }
    },
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
    output: () => output,
  }
}

type Row = Readonly<Record<string, string>>

/** HAProxy's CSV, whose first line names the columns. No value of those we read has a comma. */
function parse(csv: string): readonly Row[] {
  const [head = '', ...lines] = csv.replace(/^# /u, '').trim().split('\n')
  const columns = head.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((value, n) => [columns[n] ?? '', value])))
}
