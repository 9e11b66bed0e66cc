/**
 * `npm run demo [-- --repo PATH]`: two scripted agents coordinate on a real repository (default: this one).
 *
 * Everything is real but the agents' minds: a server process with its own PostgreSQL in a temporary directory, a person
 * who signs up through the pages and consents twice, two tokens, the official MCP client, what git says about the
 * checkout, and the clock, so that a lease really lapses; it takes about 45 s. Nothing is written to the repository. Ends
 * with the journal, verified; with 1 when anything went otherwise than the story says, 2 when it could not begin.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ExportedEvent } from '../src/journal/event.ts'
import { obtainTokens, visitor } from '../test/support/oauth.ts'
import { spawnServer, untilReady, type ServerProcess } from '../test/support/server-process.ts'
import { type Agent, connectAgent, StoryBroken } from './demo/agent.ts'
import { chooseScopes, readRepository, RepositoryError, type Repository, type Scopes } from './demo/repository.ts'
import { playStory, STORY_EVENTS } from './demo/story.ts'
import { createTimeline, shortPath, type Timeline } from './demo/timeline.ts'
import { judgeJournal } from './journal/judge.ts'
import { readRemoteJournal } from './journal/remote.ts'

const USAGE = 'usage: npm run demo [-- --repo PATH]'
const PROJECT = fileURLToPath(new URL('..', import.meta.url))

/** npm runs scripts in the package's directory; INIT_CWD is where the person was. */
function repositoryPath(): string {
  const { repo } = parseArgs({ options: { repo: { type: 'string' } } }).values
  return repo === undefined ? PROJECT : resolve(process.env['INIT_CWD'] ?? process.cwd(), repo)
}

/** Runs `work` with a server of its own, of which nothing is left afterwards, however it ends. */
async function withThrowAwayServer<T>(work: (server: ServerProcess) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ork-demo-'))
  const server = await spawnServer({ dataDir, env: { LOG_LEVEL: 'warn' } })
  const cleanUp = async () => {
    try {
      await server.stop()
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  }
  const interrupted = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => reject(new StoryBroken(`interrupted by ${signal}`)))
    }
    // Piped into what ends first, as `head` does: an error that nobody listens for would end this process at once, and the
    // server and its PostgreSQL would stay behind. Each line after it is another one.
    process.stdout.on('error', () => reject(new StoryBroken('interrupted: nobody reads its output')))
  })
  try {
    return await Promise.race([work(server), interrupted])
  } finally {
    await cleanUp()
  }
}

/** One person, two clients: each agent has a grant and a token of its own. */
async function signInTwice(publicUrl: string, timeline: Timeline): Promise<{ alpha: string; beta: string }> {
  const person = { email: 'ada@example.org', name: 'Ada', password: randomBytes(18).toString('base64url') }
  const browser = visitor(fetch, publicUrl)
  const tokenFor = async (clientName: string) =>
    (await obtainTokens(fetch, { publicUrl, person, clientName, browser })).accessToken
  const tokens = { alpha: await tokenFor('Demo agent alpha'), beta: await tokenFor('Demo agent beta') }
  timeline.note('Ada signed up in the browser, and allowed both agents in: two grants, two tokens')
  return tokens
}

async function showJournal(
  remote: { url: string; workspaceId: string; token: string },
  timeline: Timeline,
): Promise<string> {
  timeline.heading('The journal')
  const events: ExportedEvent[] = []
  for await (const read of readRemoteJournal(remote)) {
    // A workspace's: its actors are those of events.
    const event = read as ExportedEvent
    events.push(event)
    const { seq, type, actor, hash } = event
    const who = actor.kind === 'agent' ? actor.agentId : actor.kind
    timeline.note(`${String(seq).padStart(3)}  ${hash.slice(0, 12)}  ${type.padEnd(18)} ${who}`)
  }
  const types = events.map(({ type }) => type)
  if (types.join() !== STORY_EVENTS.join())
    throw new StoryBroken(`the journal tells another story: ${types.join(', ')}`)
  const { holds, line } = await judgeJournal(fromList(events), { workspace: remote.workspaceId })
  if (!holds) throw new StoryBroken(line)
  return line
}

async function* fromList<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

async function demonstrate(repository: Repository, scopes: Scopes, timeline: Timeline): Promise<string> {
  return withThrowAwayServer(async (server) => {
    timeline.note(`a throw-away server is starting at ${server.origin}`)
    await untilReady(server)
    const tokens = await signInTwice(server.origin, timeline)
    const agents: Agent[] = []
    const connect = async (name: string, token: string) => {
      const agent = await connectAgent(name, `${server.origin}/api/mcp`, token, timeline)
      agents.push(agent)
      return agent
    }
    try {
      const [alpha, beta] = [await connect('alpha', tokens.alpha), await connect('beta', tokens.beta)]
      const workspaceId = await playStory({ alpha, beta, scopes, timeline, gitContext: repository.gitContext })
      return await showJournal({ url: server.origin, workspaceId, token: tokens.alpha }, timeline)
    } finally {
      await Promise.all(agents.map((agent) => agent.close()))
    }
  })
}

async function main(): Promise<void> {
  const repository = readRepository(repositoryPath())
  const scopes = chooseScopes(repository.files)
  const { repoRoot, branch, headSha } = repository.gitContext
  const timeline = createTimeline(process.stdout, () => performance.now())
  timeline.heading(`Orkestrate on ${basename(repoRoot)} (${branch} @ ${headSha.slice(0, 7)})`)
  timeline.note(`${repository.files.length} tracked files; alpha will want ${shortPath(scopes.first)},`)
  timeline.note(`beta ${shortPath(scopes.shared)} and ${shortPath(scopes.second)}`)
  const verdict = await demonstrate(repository, scopes, timeline)
  console.log(`\nThe journal verifies: ${verdict}`)
}

try {
  await main()
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  if (isUsage || error instanceof RepositoryError) {
    console.error(isUsage ? `${error.message}\n${USAGE}` : error.message)
    process.exitCode = 2
  } else {
    console.error(error instanceof StoryBroken ? `\nThe demonstration failed: ${error.message}` : error)
    process.exitCode = 1
  }
}
