import { onTestFinished, vi } from 'vitest'
import { judgeJournal, type Judgement } from '../../scripts/journal/judge.ts'
import { readRemoteJournal } from '../../scripts/journal/remote.ts'
import { kill, killPostmasterAfterwards, recordedPostmaster } from '../db/embedded-harness.ts'
import { type Agent, createAgent, type ToolAnswer } from '../support/agent.ts'
import { obtainTokens } from '../support/oauth.ts'
import { type ServerProcess, type ServerProcessOptions, spawnServer, untilReady } from '../support/server-process.ts'

// Each of these tests starts several processes, on a machine that others use as well.
vi.setConfig({ testTimeout: 120_000 })

/** Twice what is promised for an answer without a database, because tests share their machine. */
export const NO_HANG_MS = 4_000

/** Starts a server that is killed with the test, and does not wait for it. */
export async function launch(options: ServerProcessOptions): Promise<ServerProcess> {
  killPostmasterAfterwards(options.dataDir)
  const server = await spawnServer(options)
  onTestFinished(() => kill(server.child))
  return server
}

/** Starts a server that is killed with the test, and waits until it can serve. */
export async function running(options: ServerProcessOptions): Promise<ServerProcess> {
  const server = await launch(options)
  await untilReady(server)
  return server
}

/** The pid of the embedded PostgreSQL of a server that runs. */
export async function postmasterOf(dataDir: string): Promise<number> {
  const pid = await recordedPostmaster(dataDir)
  if (pid === undefined) throw new Error(`no PostgreSQL runs in ${dataDir}`)
  return pid
}

export interface SignedIn {
  readonly accessToken: string
  readonly agent: Agent
}

/** One person's new client, signed in through the pages. The same name is the same person. */
export async function signIn(server: Pick<ServerProcess, 'origin'>, name = 'Ada'): Promise<SignedIn> {
  const person = { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` }
  const { accessToken } = await obtainTokens(fetch, { publicUrl: server.origin, person })
  return { accessToken, agent: createAgent(fetch, `${server.origin}/api/mcp`, accessToken) }
}

export interface TeamClaim {
  readonly claimId: string
  readonly agentId: string
  readonly paths: readonly string[]
  readonly fence: number
}

/** Every live claim of the workspace, page after page, and the answer of the last page. */
export async function liveClaims(agent: Agent): Promise<{ claims: TeamClaim[]; answer: ToolAnswer }> {
  const claims: TeamClaim[] = []
  for (let page: Record<string, unknown> = {}; ;) {
    const answer = await agent.call('read_team_state', page)
    if (!answer.ok) throw new Error(answer.text)
    claims.push(...(answer['activeClaims'] as TeamClaim[]))
    if (answer['nextCursor'] === undefined) return { claims, answer }
    page = { cursor: answer['nextCursor'] }
  }
}

export function verifyJournal(server: ServerProcess, workspaceId: string, token: string): Promise<Judgement> {
  return judgeJournal(readRemoteJournal({ url: server.origin, workspaceId, token }), { workspace: workspaceId })
}
