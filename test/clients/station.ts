import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { ScriptedBrowser } from '../support/browser.ts'
import { type Answer, answerOf } from './agent.ts'
import { createCheckout, readGitContext } from './checkout.ts'
import { type ChildResult, runChild, tail } from './child.ts'
import type { CodingClient, Place } from './coding-clients/coding-client.ts'
import type { Desktop } from './desktop.ts'
import { binFolder } from './install.ts'
import { type BeforeCall, type ScriptedModel, startModel, type Transcript } from './model.ts'
import { MCP_URL } from './server.ts'

const COMMAND_TIMEOUT_MS = 90_000

type CommandName = keyof CodingClient['commands']

/** One client with everything that is its own: home, checkout, model, and the browser of its person. */
export interface Station {
  readonly client: CodingClient
  readonly place: Place
  readonly model: ScriptedModel
  readonly browser: ScriptedBrowser
  /** Runs one of the client's commands. Throws with the end of its output unless it ends well and in time. */
  readonly run: (command: CommandName, prompt?: string) => Promise<ChildResult>
}

const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`

/** `script` gives a command the terminal without which some clients refuse to log in. */
const onTerminal = (words: readonly string[]): string[] => ['script', '-qefc', words.map(quote).join(' '), '/dev/null']

/** `folder` is created; the logs of all commands and of all requests to the model stay in it. */
export async function openStation(
  client: CodingClient,
  folder: string,
  desktop: Desktop,
  browser: ScriptedBrowser,
): Promise<Station> {
  const [home, checkout] = [join(folder, 'home'), join(folder, 'widgets')]
  mkdirSync(home, { recursive: true })
  createCheckout(checkout)
  const model = await startModel(client.dialect, join(folder, 'model.ndjson'))
  const place = { home, checkout, modelUrl: model.baseUrl, mcpUrl: MCP_URL }
  client.prepare(place)
  // Nothing of the caller's environment but its PATH: a real login or key must not get in.
  const env = {
    PATH: [desktop.binFolder, binFolder(), process.env['PATH']].join(delimiter),
    HOME: home,
    BROWSER: desktop.opener,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    ...client.env(place),
  }
  const run = async (name: CommandName, prompt = ''): Promise<ChildResult> => {
    const words = client.commands[name](place, prompt)
    const command = client.needsTerminal.has(name) ? onTerminal(words) : words
    const logFile = join(folder, `${name}.log`)
    const result = await runChild(command, { cwd: checkout, env, logFile, timeoutMs: COMMAND_TIMEOUT_MS })
    if (result.exitCode !== 0) {
      throw new Error(`\`${words.join(' ')}\` ended with ${result.exitCode ?? 'our timeout'}:\n${tail(result.output)}`)
    }
    return result
  }
  return { client, place, model, browser, run }
}

/** One turn of the client as its model saw it, and who the server said it was. */
export interface TurnResult extends Transcript {
  readonly answers: readonly Answer[]
  readonly agentId: string
  readonly workspaceId: string
}

/** Lets the client work on `prompt` until its model ends the turn. */
export async function takeTurn(
  station: Station,
  task: { prompt: string; paths: readonly string[]; isReleasing: boolean },
  beforeCall?: BeforeCall,
): Promise<TurnResult> {
  const { model, place, run } = station
  model.assign({ ...task, gitContext: readGitContext(place.checkout) }, beforeCall)
  const { output } = await run('turn', task.prompt).catch((error: unknown) => {
    // OpenCode 1.18.33 hung once in 40 runs before its first request about the task, the cause not found. Nothing has
    // been asked of the model yet, so starting again is safe; it is said aloud, lest it hide something of ours.
    if (model.transcript().prose !== '') throw error
    console.log(`  again   ${station.client.name} did not get as far as asking its model: ${String(error)}`)
    return run('turn', task.prompt)
  })
  const transcript = model.transcript()
  const answers = transcript.results.map((result) => {
    const answer = answerOf(result)
    assert.ok(answer, `the model cannot read the answer of ${result.tool}: ${result.text.slice(0, 500)}`)
    return answer
  })
  assert.ok(transcript.finalText, `the model never ended the turn:\n${tail(output)}`)
  const [lastLine = ''] = transcript.finalText.split('\n')
  assert.ok(output.includes(lastLine), `the client did not print its model's last words:\n${tail(output)}`)
  const agentId = answers[0]?.session?.agentId
  const workspaceId = answers[0]?.workspace?.id
  assert.ok(agentId && workspaceId, `join_workspace answered ${JSON.stringify(answers[0])}`)
  return { ...transcript, answers, agentId, workspaceId }
}

export interface StoredTokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly clientId: string
}

/** What the client stored at login or refresh. */
export function storedTokens({ client, place }: Station): StoredTokens {
  const stored = readFileSync(join(place.home, client.credentialsFile), 'utf8')
  const field = (name: string): string => {
    const value = new RegExp(`"${name}"\\s*:\\s*"([^"]+)"`, 'i').exec(stored)?.[1]
    assert.ok(value, `no ${name} in ~/${client.credentialsFile}`)
    return value
  }
  return { accessToken: field('access_?token'), refreshToken: field('refresh_?token'), clientId: field('client_?id') }
}
