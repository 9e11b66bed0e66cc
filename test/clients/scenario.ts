/* oxlint-disable no-console -- says where the logs of a failed run are */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Person, type ScriptedBrowser, scriptedBrowser } from '../support/browser.ts'
import { answerOf, type Answer, type ShownResult } from './agent.ts'
import { createCheckout, readGitContext } from './checkout.ts'
import { type ChildResult, endAllChildren, runChild, tail } from './child.ts'
import { claudeCode } from './coding-clients/claude-code.ts'
import { codex } from './coding-clients/codex.ts'
import type { CodingClient, Place } from './coding-clients/coding-client.ts'
import { openCode } from './coding-clients/opencode.ts'
import { type Desktop, startDesktop } from './desktop.ts'
import { binFolder } from './install.ts'
import { type ScriptedModel, startModel, type Transcript } from './model.ts'
import type { Report } from './report.ts'
import { callMcp, type JournalEvent, MCP_URL, ORIGIN, readJournal, readWorkspaces, startServer } from './server.ts'

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
const ADA: Person = { email: 'ada@example.test', name: 'Ada Lovelace', password: 'correct horse battery staple' }
const COMMAND_TIMEOUT_MS = 60_000

/** One client with everything that is its own. */
interface Station {
  readonly client: CodingClient
  readonly place: Place
  readonly model: ScriptedModel
  readonly browser: ScriptedBrowser
  readonly run: (command: keyof CodingClient['commands'], prompt?: string) => Promise<ChildResult>
}

interface World {
  readonly root: string
  readonly report: Report
  readonly desktop: Desktop
}

const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`

async function openStation(world: World, client: CodingClient, browser: ScriptedBrowser): Promise<Station> {
  const folder = join(world.root, client.toolFamily)
  const [home, checkout] = [join(folder, 'home'), join(folder, 'widgets')]
  mkdirSync(home, { recursive: true })
  createCheckout(checkout)
  const model = await startModel(client.dialect, join(folder, 'model.ndjson'))
  const place = { home, checkout, modelUrl: model.baseUrl, mcpUrl: MCP_URL }
  client.prepare(place)
  const env = {
    PATH: [world.desktop.binFolder, binFolder(), process.env['PATH']].join(delimiter),
    HOME: home,
    BROWSER: world.desktop.opener,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    ...client.env(place),
  }
  return {
    client,
    place,
    model,
    browser,
    async run(name, prompt = '') {
      const words = client.commands[name](place, prompt)
      const command = client.needsTerminal.has(name)
        ? ['script', '-qefc', words.map(quote).join(' '), '/dev/null']
        : words
      const logFile = join(folder, `${name}.log`)
      const result = await runChild(command, { cwd: checkout, env, logFile, timeoutMs: COMMAND_TIMEOUT_MS })
      if (result.exitCode !== 0) {
        throw new Error(
          `\`${words.join(' ')}\` ended with ${result.exitCode ?? 'our timeout'}:\n${tail(result.output)}`,
        )
      }
      return result
    },
  }
}

/** Adding and logging in; for some clients one command does both. */
async function connect(world: World, { client, browser, run }: Station): Promise<void> {
  const { desktop, report } = world
  desktop.use(browser)
  const before = browser.pages.length
  await report.step(client.name, 'adds the server with its own command', async () => {
    await run('add')
  })
  await report.step(client.name, 'logs in through the real pages', async () => {
    if ((await desktop.arrivals()).length === 0) await run('login')
    const arrivals = await desktop.arrivals()
    assert.equal(arrivals.length, 1, `the browser was opened ${arrivals.length} times`)
    const callback = new URL(arrivals[0] ?? '')
    assert.ok(callback.searchParams.has('code'), `no code in ${callback.href}`)
    assert.equal(callback.searchParams.get('iss'), ORIGIN)
    const shown = browser.pages.slice(before)
    assert.equal(shown.at(-1)?.status, 200, `the client's callback answered ${shown.at(-1)?.status}`)
    const consent = shown.at(-2)
    assert.match(
      consent?.text ?? '',
      new RegExp(client.name.split(' ')[0] ?? '', 'i'),
      'the consent page names the client',
    )
  })
  await report.step(client.name, 'lists the server as connected', async () => {
    const { output } = await run('list')
    assert.match(tail(output), client.connected)
  })
}

interface TurnResult extends Transcript {
  readonly answers: readonly Answer[]
  readonly agentId: string
  readonly workspaceId: string
}

async function takeTurn(station: Station, prompt: string, paths: string[], isReleasing: boolean): Promise<TurnResult> {
  const { model, place, run } = station
  model.assign({ prompt, paths, isReleasing, gitContext: readGitContext(place.checkout) })
  const { output } = await run('turn', prompt)
  const transcript = model.transcript()
  const answers = transcript.results.map((result: ShownResult) => {
    const answer = answerOf(result)
    assert.ok(answer, `the model could not read the answer of ${result.tool}: ${result.text.slice(0, 500)}`)
    return answer
  })
  assert.ok(transcript.finalText, `the model's turn never ended:\n${tail(output)}`)
  assert.ok(output.includes(transcript.finalText), `the client did not print the model's last words:\n${tail(output)}`)
  const agentId = answers[0]?.session?.agentId
  const workspaceId = answers[0]?.workspace?.id
  assert.ok(agentId && workspaceId, `join_workspace answered ${JSON.stringify(answers[0])}`)
  return { ...transcript, answers, agentId, workspaceId }
}

const mentions = (event: JournalEvent, agentId: string): boolean => JSON.stringify(event).includes(agentId)

async function wholeTurn({ report }: World, station: Station): Promise<void> {
  const { client, browser } = station
  const turn = await report.step(client.name, 'makes a whole turn by following the answers', async () => {
    const result = await takeTurn(
      station,
      'Implement the progress bar of the login page',
      ['src/progress-bar.ts'],
      true,
    )
    const calls = result.results.map(({ tool }) => tool)
    const expected = [
      'join_workspace',
      'identify_intent',
      'read_team_state',
      'claim_scope',
      'update_my_state',
      'release_scope',
    ]
    assert.deepEqual(calls, expected, result.finalText)
    assert.deepEqual(
      result.answers.filter(({ ok }) => !ok),
      [],
    )
    return result
  })
  await report.step(client.name, 'leaves its turn in the journal, in order', async () => {
    const workspaces = await readWorkspaces(browser)
    assert.deepEqual(
      workspaces.map(({ id }) => id),
      [turn.workspaceId],
    )
    const events = await readJournal(browser, turn.workspaceId, 0)
    const own = events.filter((event) => mentions(event, turn.agentId)).map(({ type }) => type)
    const expected = ['session.joined', 'claim.acquired', 'state.published', 'claim.released']
    assert.deepEqual(
      own.filter((type) => expected.includes(type)),
      expected,
      `recorded: ${own.join(', ')}`,
    )
    assert.match(turn.agentId, new RegExp(`^${client.toolFamily}-`))
  })
  await report.step(client.name, 'shows its model the instructions, the tools and what comes next', async () => {
    const { instructions = '' } = await callMcp(accessToken(station))
    const opening = instructions
      .split(/(?<=[.!?])\s+/)
      .slice(0, 2)
      .join(' ')
    assert.ok(opening.length > 0, 'the server has no instructions')
    const squash = (words: string): string => words.replaceAll(/\s+/g, ' ')
    assert.ok(squash(turn.prose).includes(squash(opening)), `not in the prompt: ${opening}`)
    for (const tool of TOOLS) {
      const isShown = turn.tools.some((shown) => shown.tool === tool) || turn.prose.includes(`__${tool}`)
      assert.ok(isShown, `the model never saw ${tool}`)
    }
    for (const { tool, text } of turn.results) assert.match(text, /"nextRequiredTool"/, `the answer of ${tool}`)
  })
}

/** What the client stored at login. */
function accessToken({ client, place }: Station): string {
  const stored = readFileSync(join(place.home, client.credentialsFile), 'utf8')
  const token = /"access_?token"\s*:\s*"([^"]+)"/i.exec(stored)?.[1]
  assert.ok(token, `no access token in ~/${client.credentialsFile}`)
  return token
}

async function overlap({ report }: World, holder: Station, others: readonly Station[]): Promise<void> {
  const held = await report.step(holder.client.name, 'ends a turn while it holds a claim', () =>
    takeTurn(holder, 'Implement single sign-on', ['src/auth'], false),
  )
  for (const other of others) {
    await report.step(other.client.name, `is refused what ${holder.client.name} holds, and told by whom`, async () => {
      const turn = await takeTurn(other, 'Implement the login form', ['src/auth/login.ts'], true)
      const refusal = turn.answers.at(-1)
      assert.equal(refusal?.error?.code, 'SCOPE_CONFLICT', turn.results.at(-1)?.text)
      const words = turn.results.at(-1)?.text ?? ''
      assert.ok(words.includes(held.agentId), `the holder ${held.agentId} is not named: ${words}`)
      assert.ok(words.includes(ADA.name), `the holder's person is not named: ${words}`)
      const events = await readJournal(other.browser, turn.workspaceId, 0)
      const acquired = events.filter((event) => event.type === 'claim.acquired' && mentions(event, turn.agentId))
      assert.deepEqual(acquired, [], 'a refusal changes nothing')
    })
  }
}

async function revokeInBrowser(browser: ScriptedBrowser, clientName: string): Promise<void> {
  const page = await browser.open(`${ORIGIN}/account/connections`)
  assert.match(page.text, new RegExp(clientName, 'i'))
  const form = page.forms.find(({ buttons }) => buttons.some(({ label }) => /revoke|disconnect/i.test(label)))
  assert.ok(form, `nothing to revoke on ${page.url}: ${page.text}`)
  await browser.submit(form, {}, /revoke|disconnect/i)
}

async function disconnect({ report }: World, station: Station): Promise<void> {
  const { client, browser, run } = station
  const guarantee = client.isLogoutRevoking ? 'logs out' : 'is revoked by its person'
  await report.step(client.name, `${guarantee}, and its token is dead`, async () => {
    const token = accessToken(station)
    assert.equal((await callMcp(token)).status, 200)
    if (client.isLogoutRevoking) await run('logout')
    else await revokeInBrowser(browser, client.name)
    assert.equal((await callMcp(token)).status, 401)
  })
}

async function perClient(stations: readonly Station[], run: (station: Station) => Promise<void>): Promise<Station[]> {
  const good: Station[] = []
  for (const station of stations) {
    // The report has printed and counted the failure; what builds on it for this client is left out.
    const isGood = await run(station).then(
      () => true,
      () => false,
    )
    if (isGood) good.push(station)
  }
  return good
}

/** Everything, from an empty database to dead tokens. Failures are in the report. */
export async function runScenario(
  report: Report,
  options: { entry: string; only: string[] | undefined },
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'orkestrate-clients-'))
  const desktop = await startDesktop(join(root, 'bin'))
  const world = { root, report, desktop }
  const stations: Station[] = []
  let isGood = false
  try {
    await report.step('Orkestrate', 'starts with an empty database', () =>
      startServer(options.entry, root, join(root, 'server.log')),
    )
    // Two clients on one browser (sign-up, then already signed in), the third on another (sign-in).
    const first = scriptedBrowser({ person: ADA })
    for (const client of CLIENTS.filter(({ name }) => options.only?.includes(name) ?? true)) {
      const browser = stations.length < 2 ? first : scriptedBrowser({ person: ADA, hasAccount: true })
      stations.push(await openStation(world, client, browser))
    }
    const connected = await perClient(stations, (station) => connect(world, station))
    const able = await perClient(connected, (station) => wholeTurn(world, station))
    const [holder, ...others] = able
    if (holder) await overlap(world, holder, others)
    const gone = await perClient(able, (station) => disconnect(world, station))
    isGood = gone.length === stations.length
  } finally {
    endAllChildren()
    desktop.close()
    for (const { model } of stations) model.close()
    if (isGood) rmSync(root, { recursive: true, force: true })
    else console.log(`\nLogs of the server, the clients and their models: ${root}`)
  }
}
