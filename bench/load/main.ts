/** The load generator: a process of its own, which does one job after the other and says what came of it. */
import { runClaims, runJoin, runRefresh, type ClaimsJob, type JoinJob, type RefreshJob } from './agents.ts'
import { runCalls, type CallsJob } from './calls.ts'
import { closeStreams, countStreams, measureDelay, openStreams, type DelayJob, type OpenStreamsJob } from './streams.ts'

export type Job =
  | CallsJob
  | JoinJob
  | RefreshJob
  | ClaimsJob
  | OpenStreamsJob
  | DelayJob
  | { readonly kind: 'count-streams' }
  | { readonly kind: 'close-streams' }

async function run(job: Job): Promise<unknown> {
  switch (job.kind) {
    case 'calls':
      return runCalls(job)
    case 'join':
      return runJoin(job)
    case 'refresh':
      return runRefresh(job)
    case 'claims':
      return runClaims(job)
    case 'open-streams':
      return openStreams(job)
    case 'delay':
      return measureDelay(job)
    case 'count-streams':
      return countStreams()
    case 'close-streams':
      return closeStreams()
    default:
      return job satisfies never
  }
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error).slice(0, 3_000) }),
  )
})
process.on('disconnect', () => process.exit())
