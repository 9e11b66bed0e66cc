import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Person, type ScriptedBrowser, scriptedBrowser } from '../support/browser.ts'
import { endAllChildren, tail } from './child.ts'
import { claudeCode } from './coding-clients/claude-code.ts'
import { codex } from './coding-clients/codex.ts'
import { openCode } from './coding-clients/opencode.ts'
import { type Desktop, startDesktop } from './desktop.ts'
import { type Report, StepFailure } from './report.ts'
import { type JournalEvent, ORIGIN, probeMcp, readJournal, startServer } from './server.ts'
import { accessToken, openStation, type Station, takeTurn, type TurnResult } from './station.ts'

const CLIENTS = [claudeCode, codex, openCode]
const TOOLS = [
  'claim_scope',
  'identify_intent',
  'join_workspace',
  'read_team_state',
  'read_values',
  'release_scope',
  'update_my_state',
  'write_values',
]
const TURN = ['join_workspace', 'identify_intent', 'read_team_state', 'claim_scope', 'update_my_state', 'release_scope']
const RECORDED = ['session.joined', 'claim.acquired', 'state.published', 'claim.released']
const ADA: Person = { email: 'ada@example.test', name: 'Ada Lovelace', password: 'correct horse battery staple' }

const CONNECTIONS_MAX = 20

const squash = (words: string): string => words.replaceAll(/\s+/g, ' ')
const typesBy = (events: readonly JournalEvent[], agentId: string): string[] =>
  events.filter(({ actor }) => actor.agentId === agentId).map(({ type }) => type)

/** Adding and logging in. Codex logs in while adding, and once more when told to: each login is a grant of its own. */
async function connect(report: Report, desktop: Desktop, { client, browser, run }: Station): Promise<void> {
  desktop.use(browser)
  const seenBefore = browser.pages.length
  await report.step(client.name, 'adds the server with its own command', () => run('add'))
  await report.step(client.name, 'logs in through the real pages', async () => {
    const { output } = await run('login')
    const arrivals = await desktop.arrivals()
    assert.ok(arrivals.length > 0, `no browser was opened:\n${tail(output)}`)
    for (const { href, searchParams } of arrivals.map((url) => new URL(url))) {
      assert.ok(searchParams.has('code'), `no code in ${href}`)
      assert.equal(searchParams.get('iss'), ORIGIN)
    }
    const [consent, done] = browser.pages.slice(seenBefore).slice(-2)
    assert.match(consent?.text ?? '', client.consentName, 'the consent page names the client')
    assert.equal(done?.status, 200, `the client's callback answered ${done?.status}: ${done?.text}`)
  })
  await report.step(client.name, 'lists the server as connected', async () => {
    const { output } = await run('list')
    assert.match(tail(output), client.connected)
  })
}

/** What the server says about itself has to reach the model whole: the agent's user explains nothing. */
async function assertShown(turn: TurnResult, token: string): Promise<void> {
  const { instructions, descriptions } = await probeMcp(token)
  assert.ok(instructions.length > 0, 'the server has no instructions')
  assert.ok(squash(turn.prose).includes(squash(instructions)), `the prompt does not say: ${instructions}`)
  assert.deepEqual(turn.tools.map(({ tool }) => tool).sort(), TOOLS)
  for (const { tool, description } of turn.tools) {
    // Claude Code names every tool, but describes only those which its model has loaded.
    if (description === '' && !TURN.includes(tool)) continue
    assert.ok(squash(description).includes(squash(descriptions.get(tool) ?? '?')), `the description of ${tool} is cut`)
  }
  for (const { tool, text } of turn.results) assert.match(text, /"nextRequiredTool"/, `the answer of ${tool}`)
}

async function workAlone(report: Report, station: Station): Promise<void> {
  const { client } = station
  const turn = await report.step(client.name, 'makes a whole turn by following the answers', async () => {
    const task = { prompt: 'Implement the progress bar', paths: ['src/progress-bar.ts'], isReleasing: true }
    const result = await takeTurn(station, task)
    assert.deepEqual(
      result.results.map(({ tool }) => tool),
      TURN,
      result.finalText,
    )
    assert.ok(
      result.answers.every(({ ok }) => ok),
      JSON.stringify(result.answers),
    )
    return result
  })
  await report.step(client.name, 'leaves its turn in the journal, in order', async () => {
    const { workspaceId, events } = await readJournal(ADA)
    assert.equal(turn.workspaceId, workspaceId, 'all clients of one person and repository meet in one workspace')
    const own = typesBy(events, turn.agentId)
    const changes = own.filter((type) => RECORDED.includes(type))
    assert.deepEqual(changes, RECORDED, `recorded: ${own.join(', ')}`)
    assert.match(turn.agentId, client.agentId)
  })
  await report.step(client.name, 'shows its model the instructions, the tools and every next step', () =>
    assertShown(turn, accessToken(station)),
  )
}

async function hold(report: Report, holder: Station): Promise<{ agentId: string; claimId: string }> {
  return report.step(holder.client.name, 'ends a turn while it holds a claim', async () => {
    const task = { prompt: 'Implement single sign-on', paths: ['src/auth'], isReleasing: false }
    const { agentId, answers, finalText } = await takeTurn(holder, task)
    const claimId = answers.findLast(({ claim }) => claim)?.claim?.claimId
    assert.ok(claimId, finalText)
    return { agentId, claimId }
  })
}

async function collide(report: Report, station: Station, holder: { agentId: string; name: string }): Promise<void> {
  await report.step(station.client.name, `is refused what ${holder.name} holds, and told by whom`, async () => {
    const task = { prompt: 'Implement the login form', paths: ['src/auth/login.ts'], isReleasing: true }
    const turn = await takeTurn(station, task)
    const words = turn.results.at(-1)?.text ?? ''
    assert.equal(turn.answers.at(-1)?.error?.code, 'SCOPE_CONFLICT', words)
    assert.ok(words.includes(holder.agentId), `the holder ${holder.agentId} is not named: ${words}`)
    assert.ok(words.includes(ADA.name), `the holder's person is not named: ${words}`)
    const { events } = await readJournal(ADA)
    const own = typesBy(events, turn.agentId)
    assert.ok(!own.includes('claim.acquired'), `a refusal changes nothing, but recorded: ${own.join(', ')}`)
  })
}

/** Resolves to the access token that the client no longer has. */
async function logOut(report: Report, station: Station): Promise<string> {
  const { client, run } = station
  const guarantee = client.isLogoutRevoking ? 'logs out, and its token is dead at once' : 'logs out'
  return report.step(client.name, guarantee, async () => {
    const token = accessToken(station)
    assert.equal((await probeMcp(token)).status, 200, 'the token was good until then')
    await run('logout')
    assert.throws(() => accessToken(station), 'the client has forgotten its token')
    assert.equal((await probeMcp(token)).status, client.isLogoutRevoking ? 401 : 200)
    return token
  })
}

/** For clients whose logout only forgets: the person ends every connection on the page that lists them. */
async function revokeAll(browser: ScriptedBrowser): Promise<void> {
  const isRevoke = /^(end|revoke|disconnect)\b/i
  let page = await browser.open(`${ORIGIN}/account/connections`)
  for (let count = 0; count < CONNECTIONS_MAX; count += 1) {
    const form = page.forms.find(({ buttons }) => buttons.some(({ label }) => isRevoke.test(label)))
    if (!form) return
    await browser.submit(form, {}, isRevoke)
    page = await browser.open(`${ORIGIN}/account/connections`)
  }
  assert.fail(`still something to revoke on ${page.url}: ${page.text}`)
}

/** Runs the part; false when one of its steps failed, which the report knows. Anything else is a bug in this program. */
async function isGood(part: Promise<unknown>): Promise<boolean> {
  try {
    await part
    return true
  } catch (error) {
    if (error instanceof StepFailure) return false
    throw error
  }
}

async function runParts(report: Report, desktop: Desktop, stations: readonly Station[]): Promise<void> {
  const able: Station[] = []
  for (const station of stations) {
    if ((await isGood(connect(report, desktop, station))) && (await isGood(workAlone(report, station))))
      able.push(station)
  }
  const [first, ...others] = able
  if (!first) return
  const { agentId, claimId } = await hold(report, first)
  for (const other of others) await isGood(collide(report, other, { agentId, name: first.client.name }))
  const tokens: string[] = []
  for (const station of able) tokens.push(await logOut(report, station))
  await report.step('Ada', 'revokes what is left on her page, and those tokens are dead at once', async () => {
    await revokeAll(first.browser)
    for (const token of tokens) assert.equal((await probeMcp(token)).status, 401)
  })
  await report.step(first.client.name, 'blocks nobody once it is disconnected', async () => {
    const { events } = await readJournal(ADA)
    assert.equal(events.findLast(({ payload }) => payload.claimId === claimId)?.type, 'claim.released')
  })
}

/** Everything, from an empty database to dead tokens. `only`: names of clients; all by default. */
export async function runScenario(
  report: Report,
  options: { entry: string; only?: string[] | undefined },
): Promise<void> {
  // Short, because a unix socket of Postgres has to fit into it (107 bytes).
  const root = mkdtempSync(join(tmpdir(), 'ork-clients-'))
  const desktop = await startDesktop(join(root, 'bin'))
  const stations: Station[] = []
  const clients = CLIENTS.filter(({ name }) => options.only?.includes(name) ?? true)
  const run = async (): Promise<void> => {
    const server = await report.step('Orkestrate', 'starts with an empty database', () =>
      startServer(options.entry, join(root, 'data'), join(root, 'server.log')),
    )
    // Two clients meet one browser (signs up, then is signed in already), the third another (signs in).
    const first = scriptedBrowser({ person: ADA })
    for (const [index, client] of clients.entries()) {
      const browser = index < 2 ? first : scriptedBrowser({ person: ADA, hasAccount: true })
      stations.push(await openStation(client, join(root, client.folder), desktop, browser))
    }
    await runParts(report, desktop, stations)
    await report.step('Orkestrate', 'ends in order when told to', () => server.stop())
  }
  try {
    await isGood(run())
  } finally {
    endAllChildren()
    desktop.close()
    for (const { model } of stations) model.close()
    if (report.hasFailed()) console.log(`\nLogs of the server, the clients and their models: ${root}`)
    else rmSync(root, { recursive: true, force: true })
  }
}
