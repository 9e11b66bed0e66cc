import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import { ms } from '../figures.ts'
import type { PostgresControl } from '../postgres-control.ts'
import type { Scenario } from '../scenario.ts'
import { hangs, REFUSED_TARGET_MS, refusals, timeliness, underLoad } from '../under-load.ts'

const MAX_CONNECTIONS = 30
const SETTLING_MS = 1_500

/** PostgreSQL keeps three back for superusers, and the one that ends the server's is another. */
const FOR_OTHERS = MAX_CONNECTIONS - 4

export const outOfConnections: Scenario = {
  name: 'out-of-connections',
  fault: 'others take every connection that PostgreSQL has, also those that the server had',
  run: (context) =>
    underLoad(context, { linked: false, settings: { max_connections: String(MAX_CONNECTIONS) } }, async (scene) => {
      const { stage, probe } = scene
      await probe.recovered()
      const hog = hogConnections(stage.postgres)
      const { from, to, held } = await duringHog(hog, context.quick ? 5_000 : 20_000)
      const recoveredMs = await probe.recovered()
      await delay(1_000)
      const refused = refusals(probe.samples, from, to)
      const back = timeliness('out of connections', { recoveredMs, refusedMs: refused.longestMs })
      return {
        figures: { ...refused.figures, held: `${held} of ${MAX_CONNECTIONS}`, recovered: ms(recoveredMs) },
        violations: [...refused.violations, ...back.violations, ...hangs(probe.samples)],
        missed: back.missed,
      }
    }),
}

type Hog = ReturnType<typeof hogConnections>

/** When the server had none for certain, and how many the others had then. */
async function duringHog(hog: Hog, forMs: number): Promise<{ from: number; to: number; held: number }> {
  try {
    await hog.full()
    const from = performance.now() + SETTLING_MS
    await delay(forMs)
    // What begins in the last moment may be served by a connection that comes free before it is refused.
    return { from, to: performance.now() - REFUSED_TARGET_MS, held: hog.held() }
  } finally {
    await hog.stop()
  }
}

/** Another program of the same role: whatever connection there is, it takes; those of the server are ended meanwhile. */
function hogConnections(control: PostgresControl) {
  const { port, database, username, password } = control
  const held = new Set<postgres.Sql>()
  const stopping = new AbortController()

  async function take(): Promise<void> {
    const options = { host: '127.0.0.1', port, database, username, password, max: 1, connect_timeout: 30 }
    const connection = { application_name: 'hog' }
    const sql = postgres({ ...options, connection, fetch_types: false, onnotice: () => undefined })
    try {
      await sql`select 1`
      held.add(sql)
    } catch {
      await sql.end({ timeout: 0 })
    }
  }

  const running = control.asSuperuser(async (sql) => {
    // Connected before the others are: while they sign in, they take what is kept for superusers as well.
    await sql`select 1`
    while (!stopping.signal.aborted) {
      const wanted = MAX_CONNECTIONS - held.size
      await Promise.all([
        sql`select pg_terminate_backend(pid) from pg_stat_activity
             where usename = ${username} and application_name <> 'hog'`,
        ...Array.from({ length: wanted }, take),
      ])
      await delay(50)
    }
  })
  // Told by `full` and `stop`; nothing is taken any more after it.
  running.catch(() => stopping.abort())

  return {
    held: () => held.size,
    /** Resolves when it holds all that ordinary roles may have. */
    async full() {
      const endsAt = performance.now() + 120_000
      while (held.size < FOR_OTHERS) {
        if (stopping.signal.aborted) return running
        if (performance.now() > endsAt) throw new Error(`only ${held.size} connections could be taken`)
        await delay(20)
      }
    },
    async stop() {
      stopping.abort()
      try {
        await running
      } finally {
        await Promise.all([...held].map((sql) => sql.end({ timeout: 1 })))
      }
    },
  }
}
