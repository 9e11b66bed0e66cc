import { setTimeout as delay } from 'node:timers/promises'
import { ms, percentile, spread } from '../figures.ts'
import type { PostgresControl } from '../postgres-control.ts'
import type { Sample } from '../probe.ts'
import type { Scenario } from '../scenario.ts'
import { hangs, underLoad } from '../under-load.ts'

/** Added to each way of each round trip: a database in another region, one on another continent, one that is no use. */
const DELAYS_MS = [20, 100, 500]

/** Frozen for that long of every so long: a machine that gives PostgreSQL a fifth of its time. */
const DUTY = { frozenMs: 200, periodMs: 250 }

/** The pool, and for what is told of journals and of revocations one that hears and one that tells. */
const MOST_CONNECTIONS = 20 + 2 * 2

export const slow: Scenario = {
  name: 'slow',
  fault: 'PostgreSQL is slow: far away, then short of CPU time',
  run: (context) =>
    underLoad(context, {}, async ({ stage, probe }) => {
      const phaseMs = context.quick ? 3_000 : 15_000
      const figures: Record<string, string> = {}
      const violations: string[] = []
      const phase = async (name: string, ofMs: number) => {
        const from = performance.now()
        await delay(ofMs)
        const calls = callsSince(probe.samples, from)
        const served = calls.filter(({ status }) => status < 300)
        figures[name] = `${spread(calls.map((call) => call.ms))}, ${served.length} of ${calls.length} served`
        for (const { kind, status, code } of calls.filter((call) => call.status >= 300 && call.status !== 503))
          violations.push(`${name}: a ${kind} was answered ${status} ${code}`)
        context.log(`${name}: ${figures[name]}`)
        return { calls, served }
      }
      await probe.recovered()
      const before = await phase('before', phaseMs)
      for (const delayMs of DELAYS_MS) {
        stage.link.delayBy(delayMs)
        await phase(`${delayMs} ms each way`, phaseMs)
      }
      stage.link.delayBy(0)
      await probe.recovered()
      const stopDuty = dutyCycle(stage.postgres)
      await phase('a fifth of the time', phaseMs)
      await stopDuty()
      await probe.recovered()
      await delay(1_000)
      const after = await phase('after', phaseMs)
      const [was, is] = [before, after].map(({ served }) =>
        percentile(
          served.map((call) => call.ms),
          0.5,
        ),
      )
      const missed: string[] = []
      if (after.served.length < after.calls.length)
        missed.push(`${after.calls.length - after.served.length} calls were refused after it was over`)
      violations.push(...hangs(probe.samples), ...(await poolFaults(stage.postgres)))
      if ((is ?? 0) > 3 * Math.max(20, was ?? 0))
        missed.push(`calls take ${ms(is ?? 0)} after it, ${ms(was ?? 0)} before`)
      return { figures, violations, missed }
    }),
}

function callsSince(samples: readonly Sample[], from: number): Sample[] {
  return samples.filter(({ kind, at }) => at >= from && (kind === 'read' || kind === 'write'))
}

function dutyCycle(postgres: PostgresControl): () => Promise<void> {
  const stopping = new AbortController()
  const running = (async () => {
    while (!stopping.signal.aborted) {
      postgres.freeze()
      await delay(DUTY.frozenMs)
      postgres.thaw()
      await delay(DUTY.periodMs - DUTY.frozenMs)
    }
  })()
  return async () => {
    stopping.abort()
    await running
  }
}

/** A backend notices that its client went away once its statement ends, which takes 5 s at most. */
const SETTLED_WITHIN_MS = 10_000

/** What is still wrong with the server's connections when those that it gave up have had time to end. */
async function poolFaults(postgres: PostgresControl): Promise<string[]> {
  const deadline = performance.now() + SETTLED_WITHIN_MS
  for (;;) {
    const faults = await connectionFaults(postgres)
    if (faults.length === 0 || performance.now() > deadline) return faults
    await delay(200)
  }
}

/** Connections that the server must not have: more than it ever opens, or one that hangs. */
async function connectionFaults(postgres: PostgresControl): Promise<string[]> {
  const connections = await postgres.asSuperuser(
    (sql) => sql<{ state: string; stuck: boolean }[]>`
      select state, state <> 'idle' and clock_timestamp() - state_change > interval '10 seconds' as stuck
        from pg_stat_activity where usename = ${postgres.username}`,
  )
  const stuck = connections.filter((connection) => connection.stuck)
  return [
    ...(connections.length > MOST_CONNECTIONS ? [`the server has ${connections.length} connections`] : []),
    ...stuck.map(({ state }) => `a connection is "${state}" for more than 10 s`),
  ]
}
