/**
 * `npm run test:openapi [-- --require]`
 *
 * The tests of REST once more, with Stoplight Prism between them and the server: whatever they send and get is judged by
 * the OpenAPI document. Fails on any answer that the document does not allow, on any request that it does not allow and that
 * was accepted, and on any operation that no test had succeed. Skips with a plain message where Prism cannot be installed,
 * unless `--require` says that this is a failure.
 *
 * Not judged: HEAD and OPTIONS, which the document does not describe; the events of a stream, which does not end.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { stripVTControlCharacters } from 'node:util'
import { operationsOf } from './described.ts'
import { installPrism, prismFolder } from './install.ts'
import { JUDGE, seenFile } from './judge.ts'
import { type Exchange, startPrism } from './prism.ts'
import { type Report, StepFailure, startReport } from '../clients/report.ts'

const TESTS = ['test/http', 'test/auth/personal-tokens.test.ts']

/** What Prism says of a server that answers this to every call. */
async function saidOf(response: () => Response, path = '/api/workspaces', init: RequestInit = {}): Promise<string[]> {
  const seen: Exchange[] = []
  const { document } = operationsOf()
  const prism = await startPrism(prismFolder(), document, response, (one) => seen.push(one))
  await prism.fetch(`http://localhost:7300${path}`, { headers: { authorization: 'Bearer x' }, ...init })
  return seen.flatMap(({ faults }) => faults)
}

/** A judge that finds nothing proves nothing: each kind of fault, and an answer without. */
async function judgeTheJudge(): Promise<void> {
  const json =
    (body: unknown, status = 200, type = 'application/json') =>
    () =>
      new Response(JSON.stringify(body), { status, headers: { 'content-type': type } })
  const right = json({ workspaces: [] })
  const cases: readonly (readonly [what: string, faults: Promise<string[]>, expected: RegExp | null])[] = [
    ['a right answer', saidOf(right), null],
    ['a missing field', saidOf(json({})), /required property 'workspaces'/u],
    ['a wrong type', saidOf(json({ workspaces: 'none' })), /must be array/u],
    ['a field too many', saidOf(json({ workspaces: [], more: 1 })), /additional properties/u],
    ['a wrong media type', saidOf(json({ workspaces: [] }, 200, 'text/html')), /media type/iu],
    ['an unnamed status', saidOf(json({ workspaces: [] }, 202)), /answered 202/u],
    ['a wrong problem', saidOf(json({ code: 'WHAT' }, 404, 'application/problem+json')), /answered 404/u],
    ['a wrong query', saidOf(right, '/api/workspaces?archived=maybe'), /accepted a request/u],
    ['no credentials', saidOf(right, '/api/workspaces', { headers: {} }), /accepted a request/u],
  ]
  for (const [what, faults, expected] of cases) {
    const found = await faults
    const isRight = expected === null ? found.length === 0 : found.some((fault) => expected.test(fault))
    if (!isRight) throw new Error(`${what}: Prism said ${JSON.stringify(found)}`)
  }
}

async function runTests(results: string): Promise<void> {
  const env = { ...process.env, [JUDGE]: JSON.stringify({ prism: prismFolder(), results }) }
  const args = ['node_modules/vitest/vitest.mjs', 'run', ...TESTS, '--reporter=default']
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  await once(child, 'close')
  const text = stripVTControlCharacters(output)
  if (child.exitCode !== 0) throw new Error(text.slice(-8_000))
  console.log(`          ${/Tests +(.*)/u.exec(text)?.[1]}`)
}

/** Every operation of the document succeeded in some test. */
async function checkReach(results: string): Promise<void> {
  const file = seenFile(results)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  const seen = lines.map((line) => JSON.parse(line) as Exchange)
  const succeeded = new Set(seen.filter(({ status }) => status < 300).map((one) => `${one.method} ${one.operation}`))
  const missing = operationsOf().names.filter((name) => !succeeded.has(name))
  if (missing.length > 0) throw new Error(`no test had these succeed:\n${missing.join('\n')}`)
  const judged = seen.filter(({ operation }) => operation !== null)
  const refused = judged.filter(({ status }) => status >= 400).length
  console.log(`          ${judged.length} exchanges judged, ${refused} of them refusals`)
}

async function judge(report: Report, results: string): Promise<void> {
  await report.step('Prism', 'tells wrong answers and requests from right ones', judgeTheJudge)
  await report.step('tests', 'get what the document says, and have refused what it does not allow', () =>
    runTests(results),
  )
  await report.step('tests', 'reach every operation of the document', () => checkReach(results))
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { require: { type: 'boolean', default: false } } })
  const report = startReport()
  const obstacle = installPrism()
  if (obstacle !== undefined) {
    report.skip(`Prism cannot be installed: ${obstacle}`)
    return values.require ? 1 : report.close()
  }
  const results = mkdtempSync(join(tmpdir(), 'ork-openapi-'))
  try {
    await judge(report, results)
  } catch (error) {
    // Reported already; anything else is a bug in this program.
    if (!(error instanceof StepFailure)) throw error
  } finally {
    rmSync(results, { recursive: true, force: true })
  }
  return report.close()
}

process.exit(await main())
