/**
 * `npm run test:clients [-- --require] [-- --only Codex,OpenCode] [-- --server dist/main.js]`
 *
 * Real coding agents against the real server: installs them (once), then drives each through its own commands, a real
 * OAuth login and whole turns, inside a network namespace that has nothing but loopback. Skips with a plain message
 * where the registry or a namespace is out of reach, unless `--require` says that this is a failure.
 *
 * Debian packages: util-linux (unshare), bsdutils (script), iproute2 (ip), git.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { endAllChildren } from './child.ts'
import { installClients } from './install.ts'
import { isInNamespace, namespaceObstacle, rerunInNamespace } from './namespace.ts'
import { startReport } from './report.ts'
import { runScenario } from './scenario.ts'

const { values: options } = parseArgs({
  options: {
    require: { type: 'boolean', default: false },
    only: { type: 'string' },
    server: { type: 'string', default: 'src/main.ts' },
  },
})

const PROGRAMS = { git: 'git', script: 'bsdutils' }

function obstacle(): string | undefined {
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    const isMissing = spawnSync(program, ['--version']).error !== undefined
    if (isMissing) return `the program \`${program}\` is missing (Debian package ${debianPackage})`
  }
  const problem = namespaceObstacle()
  if (problem !== undefined) return `no loopback-only network: ${problem}`
  const failure = installClients()
  return failure === undefined ? undefined : `the clients cannot be installed: ${failure}`
}

async function main(): Promise<number> {
  const report = startReport()
  if (isInNamespace()) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        endAllChildren()
        process.exit(1)
      })
    }
    await runScenario(report, { entry: options.server, only: options.only?.split(',') })
    return report.close()
  }
  const reason = obstacle()
  if (reason === undefined) return rerunInNamespace()
  report.skip(reason)
  const exitCode = report.close()
  return options.require ? 1 : exitCode
}

process.exit(await main())
