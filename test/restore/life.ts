import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { judgeJournal } from '../../scripts/journal/judge.ts'
import { readRemoteJournal } from '../../scripts/journal/remote.ts'
import { createAgent, type Agent, type ToolAnswer } from '../support/agent.ts'
import { obtainTokens } from '../support/oauth.ts'
import { restClient } from '../support/rest.ts'

/** An agent that works before the backup, after it, and once more when that work is lost. */
export interface Life {
  /** What the backup has. */
  begin(): Promise<void>
  /** What the backup has not. */
  goOn(): Promise<void>
  /** As it must be after the restore. @returns what was seen, for people */
  again(): Promise<string>
}

const succeeded = (answer: ToolAnswer): ToolAnswer => {
  strictEqual(answer.ok, true, answer.text)
  return answer
}

export async function livesAt(origin: string): Promise<Life> {
  const person = { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' }
  const { accessToken } = await obtainTokens(fetch, { publicUrl: origin, person })
  const agent = createAgent(fetch, `${origin}/api/mcp`, accessToken)
  const rest = restClient((url, init) => fetch(new URL(url, origin), init), { authorization: `Bearer ${accessToken}` })
  const given = { fences: [] as number[], versions: [] as number[] }
  let workspaceId = ''

  async function work(who: Agent, path: string, value: number): Promise<void> {
    await who.call('identify_intent', { userPrompt: 'Add a button', forceIntent: 'implement' })
    await who.call('read_team_state')
    given.fences.push(succeeded(await who.claim(path))['claim'].fence)
    const written = succeeded(await who.call('write_values', { entries: [{ key: 'k', value }] }))
    given.versions.push(written['values'][0].version)
  }

  const headOf = async () => {
    const { body } = await rest.get(`/api/workspaces/${workspaceId}/events?limit=1000`)
    return body.events.at(-1)
  }

  return {
    async begin() {
      workspaceId = succeeded(await agent.join())['workspace'].id
      await work(agent, 'src/held', 1)
    },

    async goOn() {
      for (const n of [2, 3, 4]) await work(agent, `lost/${n}`, n)
    },

    async again() {
      const beyond = { fence: Math.max(...given.fences), version: Math.max(...given.versions) }
      const back = await agent.call('read_team_state')
      // The sign-in and the session are those of the backup; its claim has ended, and the holder is told.
      succeeded(back)
      ok(
        back['alerts'].some(({ code }: { code: string }) => code === 'CLAIM_FORCE_RELEASED'),
        back.text,
      )
      deepStrictEqual(back['activeClaims'], [])
      const { body } = await rest.get(`/api/workspaces/${workspaceId}/values/k`)
      strictEqual(body.value.value, 1)
      await work(agent, 'src/held', 5)
      const [fence, version] = [given.fences.at(-1) ?? 0, given.versions.at(-1) ?? 0]
      ok(fence > beyond.fence && version > beyond.version, `${fence} after ${beyond.fence}, ${version}`)
      ok(Number.isSafeInteger(fence) && Number.isSafeInteger(version))
      const { hash } = await headOf()
      const journal = readRemoteJournal({ url: origin, workspaceId, token: accessToken })
      const { holds, line } = await judgeJournal(journal, { workspace: workspaceId, head: hash })
      ok(holds, line)
      return `${line}\nfences ${beyond.fence} before, ${fence} after`
    },
  }
}

/** `npm run restored`, as an operator calls it. @returns what it printed */
export async function restored(env: Readonly<Record<string, string>>): Promise<string> {
  const own = { PATH: process.env['PATH'], HOME: process.env['HOME'] }
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'restored'], { env: { ...own, ...env } })
  return stdout
}
