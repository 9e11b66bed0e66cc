import { setTimeout as delay } from 'node:timers/promises'
import { ms } from '../figures.ts'
import type { Scenario } from '../scenario.ts'
import { hangs, REFUSED_TARGET_MS, refusals, timeliness, underLoad, type Scene } from '../under-load.ts'

/** The ways in which a database is away, each with its way back. */
const WAYS: readonly {
  readonly name: string
  begin(scene: Scene): Promise<void> | void
  end(scene: Scene): Promise<void> | void
}[] = [
  { name: 'frozen', begin: ({ stage }) => stage.postgres.freeze(), end: ({ stage }) => stage.postgres.thaw() },
  { name: 'silent', begin: ({ stage }) => stage.link.set('silent'), end: ({ stage }) => stage.link.set('up') },
  { name: 'stopped', begin: ({ stage }) => stage.postgres.down(), end: ({ stage }) => stage.postgres.up() },
]

/** What was under way when it began may still have been served; what begins after this cannot be. */
const SETTLING_MS = 300

export const postgresDown: Scenario = {
  name: 'postgres-down',
  fault: 'PostgreSQL is away: frozen by SIGSTOP, behind a network that loses everything, stopped',
  run: (context) =>
    underLoad(context, {}, async (scene) => {
      const outageMs = context.durationMs ?? (context.quick ? 6_000 : 30_000)
      const figures: Record<string, string> = {}
      const violations: string[] = []
      const missed: string[] = []
      await scene.probe.recovered()
      for (const way of WAYS) {
        const { probe } = scene
        await way.begin(scene)
        const from = performance.now() + SETTLING_MS
        await delay(outageMs)
        // What begins in the last moment may be served by the database that is back before it is refused.
        const to = performance.now() - REFUSED_TARGET_MS
        await way.end(scene)
        const recoveredMs = await probe.recovered()
        await delay(1_000)
        const refused = refusals(probe.samples, from, to)
        figures[way.name] = `${String(refused.figures['refused'])}; writes again after ${ms(recoveredMs)}`
        const back = timeliness(way.name, { recoveredMs, refusedMs: refused.longestMs })
        violations.push(...refused.violations.map((fault) => `${way.name}: ${fault}`), ...back.violations)
        missed.push(...back.missed)
        context.log(`${way.name}: ${figures[way.name]}`)
      }
      violations.push(...hangs(scene.probe.samples))
      return { figures, violations, missed }
    }),
}
