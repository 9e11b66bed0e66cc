import { mkdir, writeFile } from 'node:fs/promises'
import { runWithFaults } from '../run.ts'
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts'

const HISTORY_DIR = '.cache/faults'

export const kill: Scenario = {
  name: 'kill',
  fault: 'the server and its PostgreSQL are killed with -9, at random and now and then together',
  run: (context) => killing(context, 1),
}

export const killReplicas: Scenario = {
  name: 'kill-replicas',
  fault: 'the same with two servers on one PostgreSQL, either of which takes any call',
  run: (context) => killing(context, 2),
}

async function killing({ quick, seed, durationMs, log }: ScenarioContext, servers: number): Promise<Verdict> {
  const report = await runWithFaults({
    seed,
    durationMs: durationMs ?? (quick ? 10_000 : 60_000),
    servers,
    workspaces: 2,
    clientsPerWorkspace: quick ? 4 : 8,
    log,
  })
  const { faults, violations, windows } = report
  if (violations.length > 0) {
    await mkdir(HISTORY_DIR, { recursive: true })
    const path = `${HISTORY_DIR}/seed-${seed}.ndjson`
    const lines = windows.flatMap(({ name, operations }) =>
      operations.map((operation) => JSON.stringify({ window: name, ...operation })),
    )
    await writeFile(path, `${lines.join('\n')}\n`)
    log(`the history is in ${path}`)
  }
  return {
    figures: {
      operations: `${report.operations}, ${report.unknownOutcomes} with an unknown outcome`,
      faults: `${faults.serverKills} kills of the server, ${faults.postmasterKills} of PostgreSQL`,
      windows: `${windows.length}, checked with ${report.configurations} configurations`,
      journal: `${report.events} events, ${report.claimsGranted} claims granted`,
    },
    violations,
  }
}
