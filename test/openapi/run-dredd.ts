/**
 * `npm run test:dredd [-- --require]`
 *
 * Dredd with the OpenAPI document against a server with an empty database: every answer that the document names and that can
 * be provoked without harm. Fails where one is not as the document says, and on any operation that does not succeed. What
 * is not run is listed with the reason. Skips with a plain message where Dredd cannot be installed, unless `--require` says
 * that this is a failure.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Report, StepFailure, startReport } from '../clients/report.ts'
import { startServer } from '../support/server-process.ts'
import { type OpenApi, type Outcome, runDredd, type Transaction } from './dredd.ts'
import { dreddFolder, installDredd } from './install.ts'
import { operationsOf } from './described.ts'
import { type Scene, setScene } from './scene.ts'
import { operationOf, prepare, skipReason } from './transactions.ts'

/** Nobody here calls too often. */
const LIMITS = [
  'callsPerMinute',
  'sensitiveCallsPerMinute',
  'addressRequestsPerMinute',
  'registrationsPerHour',
  'signUpsPerHour',
  'signInsPer15Min',
  'workspacesPerUser',
  'tokensPerUser',
  'sessionsPerGrant',
]
  .map((name) => `${name}=100000`)
  .join(',')

const failuresOf = (outcomes: readonly Outcome[]): string[] =>
  outcomes.filter(({ outcome }) => outcome === 'fail').map(({ id, message }) => `${id}\n  ${message}`)

async function runAll(scene: Scene, document: OpenApi, endpoint: string): Promise<void> {
  const skipped = new Map<string, number>()
  const succeeded = new Map<string, string>()
  const outcomes = await runDredd(dreddFolder(), {
    document,
    endpoint,
    async prepare(one: Transaction) {
      const reason = skipReason(one)
      if (reason === null) {
        const { method, path } = operationOf(one)
        if (Number(one.expected.statusCode) < 300)
          succeeded.set(one.id, `${method} ${path.replace(/:(\w+)/gu, '{$1}')}`)
        await prepare(scene, one)
        return
      }
      one.skip = true
      skipped.set(reason, (skipped.get(reason) ?? 0) + 1)
    },
  })
  const count = (outcome: string) => outcomes.filter((one) => one.outcome === outcome).length
  console.log(`          ${count('pass') + count('fail')} transactions run, ${count('skip')} skipped:`)
  for (const [reason, times] of skipped) console.log(`          ${String(times).padStart(5)}  ${reason}`)
  const failures = failuresOf(outcomes)
  if (failures.length > 0) throw new Error(`${failures.length} are not as the document says:\n${failures.join('\n')}`)
  const passed = new Set(outcomes.filter(({ outcome }) => outcome === 'pass').map(({ id }) => succeeded.get(id)))
  const missing = operationsOf().names.filter((name) => !passed.has(name))
  if (missing.length > 0) throw new Error(`these never succeeded:\n${missing.join('\n')}`)
}

/** Falsehoods, each in the place of what the document says of `GET /api/workspaces`. */
const FALSEHOODS: readonly (readonly [what: string, is: RegExp, becomes: string])[] = [
  ['a wrong type', /"workspaces":\{"type":"array","items":\{/u, '"workspaces":{"type":"string","not":{'],
  ['a field that is not there', /"required":\["workspaces"\]/u, '"required":["workspaces","more"]'],
  ['a header that is not there', /"ETag":/u, '"X-More":'],
]

/** A judge that finds nothing proves nothing: it has to find what is made false in the document. */
async function judgeTheJudge(scene: Scene, document: OpenApi, endpoint: string): Promise<void> {
  const truth = document.paths['/api/workspaces']?.['get']
  const run = async (get: object | undefined) => {
    const said = { ...document, paths: { '/api/workspaces': { get } } } as OpenApi
    const outcomes = await runDredd(dreddFolder(), {
      document: said,
      endpoint,
      async prepare(one) {
        one.skip = one.origin.exampleName !== '200 > application/json'
        if (!one.skip) await prepare(scene, one)
      },
    })
    return outcomes.filter(({ outcome }) => outcome !== 'skip')
  }
  const right = await run(truth)
  if (right.length !== 1 || failuresOf(right).length > 0) throw new Error(`of the truth: ${JSON.stringify(right)}`)
  for (const [what, is, becomes] of FALSEHOODS) {
    const text = JSON.stringify(truth)
    if (!is.test(text)) throw new Error(`${what}: ${String(is)} is not in the document`)
    const found = failuresOf(await run(JSON.parse(text.replace(is, becomes)) as object))
    if (found.length !== 1) throw new Error(`${what} was not found`)
  }
}

async function judge(report: Report, dataDir: string): Promise<void> {
  const server = await report.step('server', 'starts with an empty database', () =>
    startServer({ dataDir, env: { LIMITS } }),
  )
  try {
    const scene = await report.step('server', 'has people, a workspace, and one of everything', () =>
      setScene(server.origin),
    )
    const document = (await (await fetch(`${server.origin}/api/openapi.json`)).json()) as OpenApi
    await report.step('Dredd', 'tells a false document from a true one', () =>
      judgeTheJudge(scene, document, server.origin),
    )
    await report.step('Dredd', 'gets what the document says, and has every operation succeed', () =>
      runAll(scene, document, server.origin),
    )
  } finally {
    await server.stop()
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { require: { type: 'boolean', default: false } } })
  const report = startReport()
  const obstacle = installDredd()
  if (obstacle !== undefined) {
    report.skip(`Dredd cannot be installed: ${obstacle}`)
    return values.require ? 1 : report.close()
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'ork-dredd-data-'))
  try {
    await judge(report, dataDir)
  } catch (error) {
    // Reported already; anything else is a bug in this program.
    if (!(error instanceof StepFailure)) throw error
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
  return report.close()
}

process.exit(await main())
