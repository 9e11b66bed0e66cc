import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Person, scriptedBrowser } from '../support/browser.ts'
import { endAllChildren } from './child.ts'
import { claudeCode } from './coding-clients/claude-code.ts'
import { codex } from './coding-clients/codex.ts'
import { openCode } from './coding-clients/opencode.ts'
import { type Desktop, startDesktop } from './desktop.ts'
import { type Report, StepFailure } from './report.ts'
import { describeServer, type JournalEvent, readJournal, type RunningServer, startServer, statusOf } from './server.ts'
import { askToSignIn, connect, logOut, outliveToken, revokeAll, signInAgain } from './sign-in.ts'
import { openStation, type Station, storedTokens, takeTurn, type TurnResult } from './station.ts'

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

const squash = (words: string): string => words.replaceAll(/\s+/g, ' ')
const typesBy = (events: readonly JournalEvent[], agentId: string): string[] =>
  events.filter(({ actor }) => actor.agentId === agentId).map(({ type }) => type)

/** What the server says about itself has to reach the model whole: the agent's user explains nothing. */
async function assertShown(turn: TurnResult, token: string): Promise<void> {
  const { instructions, descriptions } = await describeServer(token)
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
    assertShown(turn, storedTokens(station).accessToken),
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

/** Each client alone: in, to work, and over the end of its access token. */
async function settle(report: Report, desktop: Desktop, station: Station, server: RunningServer): Promise<void> {
  await connect(report, desktop, station)
  await workAlone(report, station)
  await outliveToken(report, station, server)
}

async function runParts(
  report: Report,
  desktop: Desktop,
  stations: readonly Station[],
  server: RunningServer,
): Promise<void> {
  const able: Station[] = []
  for (const station of stations) {
    if (await isGood(settle(report, desktop, station, server))) able.push(station)
  }
  const [first, ...others] = able
  if (!first) return
  const { agentId, claimId } = await hold(report, first)
  for (const other of others) await isGood(collide(report, other, { agentId, name: first.client.name }))
  const tokens: string[] = []
  for (const station of able) tokens.push(await logOut(report, station, ADA))
  for (const station of able) await signInAgain(report, desktop, station)
  for (const station of able) tokens.push(storedTokens(station).accessToken)
  await report.step('Ada', 'revokes what is left on her page, and those tokens are dead at once', async () => {
    await revokeAll(first.browser)
    for (const token of tokens) assert.equal(await statusOf(token), 401)
  })
  for (const station of able) await isGood(askToSignIn(report, station))
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
  // PostgreSQL's account has to pass, or as root the database would be elsewhere, and stay there.
  chmodSync(root, 0o711)
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
    await runParts(report, desktop, stations, server)
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
