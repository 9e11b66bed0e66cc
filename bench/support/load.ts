import { fork } from 'node:child_process'
import type { Agent, ClaimsJob, ClaimsResult, JoinJob, RefreshJob } from '../load/agents.ts'
import type { CallsJob } from '../load/calls.ts'
import type { Timed } from '../load/latencies.ts'
import type { Job } from '../load/main.ts'
import type { DelayJob, DelayResult, OpenStreamsJob } from '../load/streams.ts'
import { compiled } from './compiled.ts'

type Of<J extends { kind: string }> = Omit<J, 'kind' | 'patience'>

/** The load generator, in its own process. Every job rejects where one answer was wrong: no row is made of such a run. */
export interface Load {
  readonly pid: number
  calls(job: Of<CallsJob>): Promise<Timed>
  join(job: Of<JoinJob>): Promise<Agent[][]>
  refresh(job: Of<RefreshJob>): Promise<Agent[]>
  claims(job: Of<ClaimsJob>): Promise<ClaimsResult>
  openStreams(job: Of<OpenStreamsJob>): Promise<number>
  countStreams(): Promise<number>
  closeStreams(): Promise<void>
  delay(job: Of<DelayJob>): Promise<DelayResult>
  stop(): void
}

/** @param patience how often a measured call may be answered with 503: 0 but where nothing is measured */
export function startLoad(patience: number): Load {
  const child = fork(compiled('bench/load/main.ts'), { execArgv: [] })
  const run = async <T>(job: Job): Promise<T> =>
    new Promise((resolve, reject) => {
      const ended = () => reject(new Error('the load generator has ended'))
      child.once('exit', ended)
      child.once('message', (said: { result: T } | { failure: string }) => {
        child.off('exit', ended)
        if ('failure' in said) reject(new Error(said.failure))
        else resolve(said.result)
      })
      child.send(job)
    })
  return {
    pid: child.pid ?? 0,
    calls: (job) => run({ kind: 'calls', patience, ...job }),
    join: (job) => run({ kind: 'join', ...job }),
    refresh: (job) => run({ kind: 'refresh', ...job }),
    claims: (job) => run({ kind: 'claims', patience, ...job }),
    openStreams: (job) => run({ kind: 'open-streams', ...job }),
    countStreams: () => run({ kind: 'count-streams' }),
    closeStreams: () => run({ kind: 'close-streams' }),
    delay: (job) => run({ kind: 'delay', patience, ...job }),
    stop: () => void child.kill(),
  }
}
