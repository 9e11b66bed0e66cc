import { setTimeout as delay } from 'node:timers/promises'
import { ms, percentile } from '../figures.ts'
import type { Scenario } from '../scenario.ts'
import { hangs, timeliness, underLoad } from '../under-load.ts'

export const postgresRestart: Scenario = {
  name: 'postgres-restart',
  fault: 'PostgreSQL is restarted under load, fast and immediate in turn',
  run: (context) =>
    underLoad(context, { linked: false }, async ({ stage, probe }) => {
      const rounds = context.quick ? 2 : 10
      const tookMs: Record<'fast' | 'immediate', number[]> = { fast: [], immediate: [] }
      const violations: string[] = []
      const missed: string[] = []
      for (let round = 0; round < rounds; round += 1) {
        const mode = round % 2 === 0 ? 'fast' : 'immediate'
        await delay(1_000)
        stage.postgres.restart(mode)
        // Gone before anybody asks whether it is back.
        await delay(300)
        const took = (await probe.recovered()) + 300
        tookMs[mode].push(took)
        const back = timeliness(`${mode} restart`, { recoveredMs: took })
        violations.push(...back.violations)
        missed.push(...back.missed)
      }
      violations.push(...hangs(probe.samples))
      const strange = probe.samples.filter(({ status }) => ![200, 201, 503].includes(status))
      for (const { kind, status, code } of strange) violations.push(`a ${kind} was answered ${status} ${code}`)
      const told = (mode: 'fast' | 'immediate') =>
        `${tookMs[mode].length} times, writes again after at most ${ms(percentile(tookMs[mode], 1))}`
      return { figures: { fast: told('fast'), immediate: told('immediate') }, violations, missed }
    }),
}
