import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { readExport } from '../../scripts/journal/exported.ts'
import { judgeJournal } from '../../scripts/journal/judge.ts'
import { ACCOUNT_LOG, type ChainedEntry, eventHash, genesisHash } from '../../src/journal/chain.ts'
import { SYSTEM, type ExportedEvent } from '../../src/journal/event.ts'
import { runFinished } from '../../src/modules/workflow/events.ts'
import { createAgent } from '../support/agent.ts'
import { createTestApp } from '../support/app.ts'
import { runScript } from '../support/run-script.ts'
import { portOf } from '../support/server-process.ts'

const SCRIPT = 'scripts/journal-verify.ts'

const WORKSPACE = 'ws_0190f2c4-0000-7000-8000-000000000001'
const USER = { kind: 'user', userId: 'usr_1' } as const
const AGENT = { kind: 'agent', userId: 'usr_1', sessionId: 'ses_1', agentId: 'codex-ab2c' } as const

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ork-verify-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** A journal of `count` events that holds. */
function journal(count: number, workspaceId = WORKSPACE): ExportedEvent[] {
  const events: ExportedEvent[] = []
  let previous = genesisHash(workspaceId)
  for (let seq = 1; seq <= count; seq += 1) {
    const body = {
      seq,
      type: seq === 1 ? 'workspace.created' : 'value.written',
      at: new Date(Date.UTC(2026, 10, 21, 10, 0, seq)).toISOString(),
      actor: seq === 1 ? USER : AGENT,
      payload: seq === 1 ? { workspaceId, name: 'widgets' } : { key: `k${seq}`, note: 'grüße\u2028' },
    }
    previous = eventHash(previous, body)
    events.push({ ...body, hash: previous.toString('hex') })
  }
  return events
}

const judge = (lines: readonly string[], expected: Parameters<typeof judgeJournal>[1] = {}) =>
  judgeJournal(readExport(Readable.from(lines)), expected)

const toLines = (events: readonly object[]) => events.map((event) => JSON.stringify(event))

const INTACT = journal(5)
const HEAD = INTACT.at(-1)?.hash ?? ''

/** The intact journal with something done to its third event. */
const withThird = (change: (event: ExportedEvent) => object) =>
  toLines(INTACT.map((event) => (event.seq === 3 ? change(event) : event)))

const broken: [what: string, lines: string[], message: RegExp][] = [
  ['a payload', withThird((e) => ({ ...e, payload: { key: 'k3', note: 'other' } })), /event 3 does not fit.*2 events/],
  ['a hash', withThird((e) => ({ ...e, hash: 'f'.repeat(64) })), /event 3 does not fit/],
  ['a type', withThird((e) => ({ ...e, type: 'value.deleted' })), /event 3 does not fit/],
  ['an actor', withThird((e) => ({ ...e, actor: { ...AGENT, agentId: 'codex-zzzz' } })), /event 3 does not fit/],
  ['a time', withThird((e) => ({ ...e, at: '2026-11-21T10:00:04.000Z' })), /event 3 does not fit/],
  ['a field beside', withThird((e) => ({ ...e, approvedBy: 'nobody' })), /line 3: it is not an exported event/],
  ['a lone surrogate', withThird((e) => ({ ...e, payload: { key: '\ud800' } })), /event 3 does not fit.*canonical/],
  ['a removed line', toLines(INTACT.filter(({ seq }) => seq !== 3)), /event 4 does not fit: expected seq 3/],
  ['a removed first line', toLines(INTACT.slice(1)), /event 2 does not fit: expected seq 1 \(0 events/],
  ['swapped lines', toLines([0, 2, 1, 3, 4].map((i) => INTACT[i] ?? {})), /event 3 does not fit: expected seq 2/],
  ['a line cut off', [...toLines(INTACT.slice(0, 3)), '{"seq":4,"ty'], /line 4: it is not JSON \(3 events before hold/],
  ['a line that is no event', [...toLines(INTACT), '[]'], /line 6: it is not an exported event/],
  ['a blank line', ['', ...toLines(INTACT)], /line 1: it is not JSON/],
  ['nothing', [], /there are no events/],
]

test.each(broken)('what is wrong is found and the place named: %s', async (_what, lines, message) => {
  const { holds, line } = await judge(lines)
  expect(line).toMatch(message)
  expect(holds).toBe(false)
})

test('an intact export verifies, and its size and head are named', async () => {
  const expected = { holds: true, line: `5 events, head hash ${HEAD}` }
  expect(await judge(toLines(INTACT), { workspace: WORKSPACE, head: HEAD })).toEqual(expected)
})

test('an export whose tail is gone is a valid prefix, and says how many events it has', async () => {
  const expected = { holds: true, line: `4 events, head hash ${INTACT[3]?.hash}` }
  expect(await judge(toLines(INTACT.slice(0, 4)))).toEqual(expected)
})

test('against a head noted earlier, a missing tail is found', async () => {
  const { holds, line } = await judge(toLines(INTACT.slice(0, 4)), { head: HEAD })
  expect(line).toMatch(/not the expected one/)
  expect(holds).toBe(false)
})

test('the journal of another workspace does not pass for the one that was asked for', async () => {
  const { holds, line } = await judge(toLines(INTACT), { workspace: 'ws_other' })
  expect(line).toContain(`this is the journal of "${WORKSPACE}", not the journal of "ws_other"`)
  expect(holds).toBe(false)
})

const PERSON = 'usr_0190f2c4-0000-7000-8000-000000000002'

/** An account log that holds. */
function accountLog(count: number): ChainedEntry[] {
  const entries: ChainedEntry[] = []
  let previous = genesisHash(PERSON, ACCOUNT_LOG)
  for (let seq = 1; seq <= count; seq += 1) {
    const body = {
      seq,
      type: seq === 1 ? 'log.begun' : 'session.began',
      at: new Date(Date.UTC(2026, 10, 21, 10, 0, seq)).toISOString(),
      actor: seq === 1 ? SYSTEM : seq === 2 ? USER : { kind: 'token', userId: PERSON, grantId: 'gr_1' },
      payload: seq === 1 ? { userId: PERSON } : { way: 'password', address: `203.0.113.${seq}` },
    }
    previous = eventHash(previous, body)
    entries.push({ ...body, hash: previous.toString('hex') })
  }
  return entries
}

const LOG = toLines(accountLog(5))
const LOG_HEAD = accountLog(5).at(-1)?.hash ?? ''

test('an account log verifies as a journal does, and neither passes for the other', async () => {
  const whole = { account: PERSON, head: LOG_HEAD }
  expect(await judge(LOG, whole)).toEqual({ holds: true, line: `5 events, head hash ${LOG_HEAD}` })
  expect((await judge(LOG)).holds).toBe(true)
  const other = await judge(LOG, { account: 'usr_other' })
  expect(other).toMatchObject({ holds: false, line: expect.stringContaining(`account log of "${PERSON}", not the`) })
  expect(await judge(LOG, { workspace: PERSON })).toMatchObject({ holds: false })
  expect(await judge(toLines(INTACT), { account: WORKSPACE })).toMatchObject({ holds: false })
  // The same entries, chained to what a workspace of that name would be chained to.
  const [first] = accountLog(1)
  const hash = first === undefined ? '' : eventHash(genesisHash(PERSON), first).toString('hex')
  expect(await judge(toLines([{ ...first, hash }]))).toMatchObject({ holds: false })
})

const flipped = (line: string, index: number) => {
  const bytes = Buffer.from(line)
  bytes[index] = (bytes[index] ?? 0) ^ 1
  return bytes.toString()
}
const place = (LOG[2] ?? '').indexOf('203.0.113.3') + 10

test.each<[what: string, lines: string[], message: RegExp]>([
  ['a flipped bit', LOG.with(2, flipped(LOG[2] ?? '', place)), /event 3 does not fit.*2 events before hold/],
  ['a removed line', LOG.toSpliced(2, 1), /event 4 does not fit: expected seq 3/],
  ['two swapped lines', LOG.with(2, LOG[3] ?? '').with(3, LOG[2] ?? ''), /event 4 does not fit: expected seq 3/],
  ['an end cut off', LOG.slice(0, 4), /not the expected one/],
  ['a beginning cut off', LOG.slice(1), /event 2 does not fit: expected seq 1/],
])('in an account log too it is found and named: %s', async (_what, lines, message) => {
  const { holds, line } = await judge(lines, { head: LOG_HEAD })
  expect(line).toMatch(message)
  expect(holds).toBe(false)
})

test('the command ends with 0 and the head for a journal that holds, and with 1 and the place for one that does not', async () => {
  const [intact, tampered, log] = ['intact', 'tampered', 'account'].map((name) => join(dir, `${name}.ndjson`)) as [
    string,
    string,
    string,
  ]
  await writeFile(log, `${LOG.join('\n')}\n`)
  await writeFile(intact, `${toLines(INTACT).join('\n')}\n`)
  await writeFile(tampered, withThird((e) => ({ ...e, type: 'value.deleted' })).join('\n'))
  const [good, bad, account] = await Promise.all([
    runScript(SCRIPT, ['--file', intact]),
    runScript(SCRIPT, ['--file', tampered]),
    runScript(SCRIPT, ['--file', log, '--account', PERSON, '--head', LOG_HEAD]),
  ])
  expect(good).toEqual({ exitCode: 0, stdout: `5 events, head hash ${HEAD}\n`, stderr: '' })
  expect(account).toEqual({ exitCode: 0, stdout: `5 events, head hash ${LOG_HEAD}\n`, stderr: '' })
  expect(bad).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('event 3 does not fit') })
})

test('a missing file and unclear arguments are told apart from a broken journal', async () => {
  const [missing, neither, unsigned] = await Promise.all([
    runScript(SCRIPT, ['--file', join(dir, 'absent.ndjson')]),
    runScript(SCRIPT, []),
    runScript(SCRIPT, ['--url', 'http://localhost:1', '--workspace', 'ws_1'], { ORKESTRATE_TOKEN: '' }),
  ])
  expect(missing).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/could not be checked: ENOENT/) })
  expect(neither).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/either --file or --url/) })
  expect(unsigned).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/needs an access token/) })
})

test('the journal of a running server verifies over REST, page after page, for a member and nobody else', async () => {
  const t = await createTestApp()
  onTestFinished(() => t.close())
  const server = createAdaptorServer({ fetch: t.app.http.fetch }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${portOf(server)}`
  const { accessToken } = await t.login('Ada')
  const ada = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken)
  const workspaceId: string = (await ada.join())['workspace'].id
  const MANY = 600
  await t.app.journal.change({ workspace: workspaceId }, async (ws) => {
    for (let n = 0; n < MANY; n += 1) {
      ws.append(runFinished, { runId: `run_${n}`, sessionId: 'ses_1', intentId: 'plan', reason: 'done' }, SYSTEM)
    }
  })
  const args = ['--url', url, '--workspace', workspaceId]
  const principal = await t.app.auth.authenticate(`Bearer ${accessToken}`, 'rest')
  const ofAccount = ['--url', url, '--account', principal?.userId ?? '']
  const [member, account, stranger] = await Promise.all([
    runScript(SCRIPT, args, { ORKESTRATE_TOKEN: accessToken }),
    runScript(SCRIPT, ofAccount, { ORKESTRATE_TOKEN: accessToken }),
    runScript(SCRIPT, args, { ORKESTRATE_TOKEN: (await t.login('Bob')).accessToken }),
  ])
  expect(member).toMatchObject({ exitCode: 0, stderr: '' })
  expect(Number(/^(\d+) events, head hash [0-9a-f]{64}\n$/.exec(member.stdout)?.[1])).toBeGreaterThan(MANY)
  expect(stranger).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/answered 404/) })
  expect(account).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+ events, head hash/u) })
})
