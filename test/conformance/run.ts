/**
 * `npm run test:conformance [-- --require]`
 *
 * The protocol's own conformance suite against the real server with its embedded PostgreSQL: the authorization scenarios
 * with a scripted browser, and the server scenarios of both generations, through a proxy that adds the token. What does
 * not apply to this product is in the two baseline files, with the reasons. Skips with a plain message where the suite
 * cannot be installed, unless `--require` says that this is a failure.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { type Report, StepFailure, startReport } from '../clients/report.ts'
import { scriptedBrowser } from '../support/browser.ts'
import { obtainTokens, registerClient } from '../support/oauth.ts'
import { freePort, type ServerProcess, startServer } from '../support/server-process.ts'
import { installSuite } from './install.ts'
import { type AuthorizingProxy, startProxy } from './proxy.ts'
import { runSuite } from './suite.ts'

const REVISIONS = ['2025-11-25', '2026-07-28'] as const
const ADA = { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' }

const baseline = (revision: string): string => fileURLToPath(new URL(`baseline-${revision}.yml`, import.meta.url))

/** Opens what the suite asks its user to open, once. */
async function authorizationScenarios(issuer: string): Promise<void> {
  const port = await freePort()
  const redirect_uris = [`http://127.0.0.1:${port}/callback`]
  const clientId = await registerClient(fetch, issuer, { client_name: 'Conformance', redirect_uris })
  let visit: Promise<string> | undefined
  const options = ['--client-id', clientId, '--resource', `${issuer}/api/mcp`, '--port', String(port)]
  const output = await runSuite(['authorization', '--url', issuer, ...options], (printed) => {
    const url = new RegExp(`^${issuer}/oauth/authorize\\?\\S+(?=\\n)`, 'm').exec(printed)?.[0]
    if (url !== undefined) visit ??= scriptedBrowser({ person: ADA }).authorize(url)
  })
  if (visit === undefined) throw new Error(`the suite printed no address to open:\n${output}`)
  await visit
}

async function serverScenarios(issuer: string, revision: string): Promise<void> {
  const options = ['--suite', 'all', '--spec-version', revision, '--expected-failures', baseline(revision)]
  const output = await runSuite(['server', '--url', `${issuer}/api/mcp`, ...options])
  console.log(`          ${/^Total: .*$/m.exec(output)?.[0]}, all failures expected`)
}

async function judge(report: Report, proxy: AuthorizingProxy, folder: string): Promise<void> {
  // The public address is the proxy's: what the suite sends as Host and Origin is then what real clients send.
  const env = { PUBLIC_URL: proxy.origin, LOG_LEVEL: 'warn' }
  let server: ServerProcess | undefined
  try {
    server = await report.step('Orkestrate', 'starts with an empty database', () =>
      startServer({ dataDir: folder, env }),
    )
    proxy.forward(server.port)
    await report.step('suite', 'is satisfied with the authorization server', () => authorizationScenarios(proxy.origin))
    proxy.authorize((await obtainTokens(fetch, { publicUrl: proxy.origin, person: ADA })).accessToken)
    for (const revision of REVISIONS) {
      await report.step('suite', `is satisfied with MCP ${revision}`, () => serverScenarios(proxy.origin, revision))
    }
  } finally {
    await server?.stop()
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { require: { type: 'boolean', default: false } } })
  const report = startReport()
  const obstacle = installSuite()
  if (obstacle !== undefined) {
    report.skip(`the conformance suite cannot be installed: ${obstacle}`)
    return values.require ? 1 : report.close()
  }
  const folder = mkdtempSync(join(tmpdir(), 'ork-conformance-'))
  const proxy = await startProxy()
  try {
    await judge(report, proxy, folder)
  } catch (error) {
    // Reported already; anything else is a bug in this program.
    if (!(error instanceof StepFailure)) throw error
  } finally {
    proxy.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return report.close()
}

process.exit(await main())
