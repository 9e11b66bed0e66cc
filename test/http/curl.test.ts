import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { REST } from '../../scripts/docs/generate.ts'
import { ALL_OPERATIONS } from '../../scripts/docs/tables.ts'
import { signInCommand } from '../../src/kernel/example.ts'
import { createAgent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { enter, visitor } from '../support/oauth.ts'
import { restClient, type RestClient } from '../support/rest.ts'
import { portOf } from '../support/server-process.ts'

// Every command of docs/rest.md, run as it stands there by a shell with the real curl, against a real server.

const EMAIL = 'ada@example.org'
const PASSWORD = 'a long password of Ada'

let t: TestApp
let server: Server
let folder: string
let ada: RestClient
let tokens: { ada: string; bob: string }
/** What a reader has filled in by now. */
const variables: Record<string, string> = {}

beforeAll(async () => {
  t = await createTestApp()
  const listening = createAdaptorServer({ fetch: t.app.http.fetch })
  listening.listen(0, '127.0.0.1')
  await new Promise((resolve) => listening.once('listening', resolve))
  server = listening as Server
  folder = mkdtempSync(join(tmpdir(), 'ork-curl-'))
  tokens = { ada: (await t.login('Ada')).accessToken, bob: (await t.login('Bob')).accessToken }
  ada = restClient(t.fetch, { authorization: `Bearer ${tokens.ada}` })
  await enter(visitor(t.fetch, t.publicUrl), { email: EMAIL, name: 'Ada', password: PASSWORD })
  Object.assign(variables, { ORKESTRATE: `http://localhost:${portOf(server)}`, TOKEN: tokens.ada, EMAIL, PASSWORD })
})
afterAll(async () => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
  await t.close()
})

const run = promisify(execFile)

/** Runs commands in a shell, where curl tells the status after what it got. */
async function shell(command: string): Promise<{ status: number; body: Record<string, unknown> | null }> {
  const script = `set -u; curl() { command curl -sS -w '\\n%{http_code}' "$@"; }; ${command}`
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, ...variables }
  const { stdout } = await run('bash', ['-c', script], { cwd: folder, env })
  const [, text = '', status = ''] = /^(.*)\n(\d{3})$/su.exec(stdout) ?? []
  return { status: Number(status), body: text === '' ? null : (JSON.parse(text) as Record<string, unknown>) }
}

/** The commands of every example, under the heading of their operation. */
const page = new Map(
  readFileSync(REST, 'utf8')
    .split(/^### `/mu)
    .slice(1)
    .map((section) => [
      section.slice(0, section.indexOf('`')),
      [...section.matchAll(/^```sh\n(.*?)^```$/gmsu)].map((block) => (block[1] ?? '').trim().split('\n')),
    ]),
)
const headingOf = ({ method, path }: (typeof ALL_OPERATIONS)[number]) => `${method} ${path.replace(/:(\w+)/gu, '{$1}')}`

const ran = new Set<string>()

/** Runs an example, confirms it where it is previewed, and checks status and shape. */
async function example(name: string, index = 0) {
  const operation = ALL_OPERATIONS.find((one) => one.name === name)
  if (operation === undefined) throw new Error(`no operation is ${name}`)
  const commands = page.get(headingOf(operation))?.[index] ?? []
  ran.add(`${name} ${index}`)
  if (commands.length === 2) {
    const preview = await shell(commands[0] ?? '')
    expect(preview).toMatchObject({ status: 200, body: { preview: true, effects: expect.any(Object) } })
    variables['CONFIRM_TOKEN'] = String(preview.body?.['confirmToken'])
  }
  const { status, body } = await shell(commands.at(-1) ?? '')
  expect([name, operation.statuses.includes(status as 200), body]).toEqual([name, true, expect.any(Object)])
  const parsed = operation.output.safeParse(body)
  expect([name, parsed.error?.issues ?? []]).toEqual([name, []])
  // oxlint-disable-next-line typescript/no-explicit-any -- see RestAnswer
  return body as any
}

test('curl is there', async () => {
  expect((await run('curl', ['--version'])).stdout).toMatch(/^curl /u)
})

test('the original service’s calls: create, switch and the other actions of POST /api/workspaces', async () => {
  const made = await example('workspaceAction')
  variables['WORKSPACE_ID'] = made.workspace.id
  for (const action of [1, 2, 3, 4, 5, 6])
    expect(await example('workspaceAction', action)).not.toHaveProperty('preview')
})

test('workspaces and their policy', async () => {
  variables['WORKSPACE_ID'] = (await ada.post('/api/workspaces', { name: 'Widgets' })).body.workspace.id
  for (const name of ['listWorkspaces', 'getWorkspace', 'getPolicy', 'changePolicy']) await example(name)
  for (const index of [0, 1, 2]) expect(await example('updateWorkspace', index)).toHaveProperty('workspace')
})

test('the account’s log', async () => {
  expect((await example('getAudit')).entries.length).toBeGreaterThan(0)
})

test('invitations and members', async () => {
  const at = `/api/workspaces/${variables['WORKSPACE_ID']}`
  const { invite } = await example('createInvite')
  variables['INVITE_ID'] = invite.id
  await example('listInvites')
  await example('revokeInvite')
  const { link } = (await ada.post(`${at}/invites`, { role: 'member' })).body
  Object.assign(variables, { INVITE_SECRET: link.split('/').at(-1), TOKEN: tokens.bob })
  await example('acceptInvite')
  variables['TOKEN'] = tokens.ada
  const { members } = await example('listMembers')
  variables['USER_ID'] = members.find(({ name }: { name: string }) => name === 'Bob').userId
  await example('changeMember')
  expect(await example('removeMember')).toMatchObject({ removed: { reason: 'removed' } })
})

test('repositories', async () => {
  variables['REPO_ID'] = (await example('bindRepository')).repo.id
  await example('listRepos')
  expect(await example('unbindRepository')).toMatchObject({ unbound: { id: variables['REPO_ID'] } })
})

test('agents at work, their claims, their state and the journal', async () => {
  const agent = createAgent(t.fetch, `${t.publicUrl}/api/mcp`, tokens.ada)
  await ada.post(`/api/workspaces/${variables['WORKSPACE_ID']}/repos`, { repoUrl: 'git@github.com:acme/widgets.git' })
  await agent.ready()
  const { claim } = await agent.claim('src/a')
  variables['CLAIM_ID'] = claim.claimId
  for (const name of ['listClaims', 'listRuns', 'getState', 'listEvents']) await example(name)
  variables['SESSION_ID'] = (await example('listSessions')).sessions[0].id
  await example('forceReleaseClaim')
  expect(await example('endSession')).toMatchObject({ ended: { agentId: agent.agentId } })
})

test('values', async () => {
  variables['KEY'] = 'theme'
  for (const name of ['putValue', 'getValue', 'listValues', 'deleteValue']) await example(name)
  expect(await example('deleteValues')).toMatchObject({ deleted: { prefix: 'drafts/' } })
})

test('handing a workspace over, and deleting it', async () => {
  const at = `/api/workspaces/${variables['WORKSPACE_ID']}`
  const { link } = (await ada.post(`${at}/invites`, { role: 'admin' })).body
  await restClient(t.fetch, { authorization: `Bearer ${tokens.bob}` }).post('/api/invites/accept', {
    secret: link.split('/').at(-1),
  })
  await example('transferOwnership')
  variables['TOKEN'] = tokens.bob
  expect(await example('deleteWorkspace')).toHaveProperty('deleted')
  variables['TOKEN'] = tokens.ada
})

test('tokens and connections, by a person who signed in with curl', async () => {
  expect(readFileSync(REST, 'utf8')).toContain(signInCommand('$ORKESTRATE'))
  const script = `${signInCommand('$ORKESTRATE')} -s -o sign-in.html -w '%{http_code}'`
  const env = { PATH: process.env['PATH'] ?? '', ...variables }
  expect((await run('bash', ['-c', script], { cwd: folder, env })).stdout).toBe('303')
  variables['TOKEN_ID'] = (await example('createToken')).token.id
  await example('listTokens')
  await example('revokeToken')
  const { connections } = await example('listConnections')
  variables['CONNECTION_ID'] = connections[0].id
  await example('endConnection')
  await example('endEverything')
})

test('that was every command on the page', () => {
  const all = ALL_OPERATIONS.flatMap(({ name, examples }) => examples.map((_one, index) => `${name} ${index}`))
  expect([...ran].toSorted()).toEqual(all.toSorted())
  expect([...page.keys()].toSorted()).toEqual(ALL_OPERATIONS.map(headingOf).toSorted())
})
