import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ConfigError, loadConfig } from '../src/config.ts'
import { secretKeys } from '../src/secret-key.ts'
import { authorizePath, createHarness, refreshing } from './auth/harness.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { formTo, newPkce, postForm, tokensOf, type VisitedPage } from './support/oauth.ts'

const OLD = 'the old key with more than thirty-two characters'
const NEW = 'the new key with more than thirty-two characters'

/** Reads a file in the moment in which it appears, on a thread that does nothing else. */
const WATCHER = `
  const { existsSync, readFileSync } = require('node:fs')
  const { parentPort, workerData } = require('node:worker_threads')
  parentPort.postMessage('ready')
  while (!existsSync(workerData));
  parentPort.postMessage(readFileSync(workerData, 'utf8'))
`

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ork-key-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

describe('SECRET_KEY', () => {
  test('is one key or several, the first of which seals', () => {
    expect(loadConfig({ SECRET_KEY: OLD }).secretKeys).toEqual([OLD])
    const several = loadConfig({ SECRET_KEY: ` ${'n'.repeat(32)} ,${'o'.repeat(32)}` })
    expect(several.secretKeys).toEqual(['n'.repeat(32), 'o'.repeat(32)])
  })

  test('is refused where one of its keys could be guessed, and the message does not show it', () => {
    for (const short of ['short', `${OLD},short`, `${OLD},`]) {
      const load = () => loadConfig({ SECRET_KEY: short })
      expect(load).toThrow(ConfigError)
      expect(load).toThrow(/SECRET_KEY.*: each key needs at least 32 characters/)
      expect(load).not.toThrow(/short/)
    }
  })

  test('is required in production with DATABASE_URL: replicas that each make one would not open each other’s forms', () => {
    const env = { NODE_ENV: 'production', DATABASE_URL: 'postgres://ork@db/ork' }
    expect(() => loadConfig(env)).toThrow(/SECRET_KEY: required in production with DATABASE_URL/)
    expect(() => loadConfig({ ...env, SECRET_KEY: '' })).toThrow(ConfigError)
    expect(loadConfig({ ...env, SECRET_KEY: OLD }).secretKeys).toEqual([OLD])
    expect(loadConfig({ ...env, NODE_ENV: 'development' }).secretKeys).toEqual([])
    expect(loadConfig({ NODE_ENV: 'production' }).secretKeys).toEqual([])
  })
})

describe('without SECRET_KEY', () => {
  test('a key of 384 bits is made in DATA_DIR that only its owner may read, and every later start has the same', async () => {
    const dataDir = join(await emptyFolder(), 'data')
    const [key = ''] = await secretKeys({ secretKeys: [], dataDir })
    expect(Buffer.from(key, 'base64url')).toHaveLength(48)
    const path = join(dataDir, 'secret-key')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await secretKeys({ secretKeys: [], dataDir })).toEqual([key])
    expect(await readFile(path, 'utf8')).toBe(`${key}\n`)
    const [other] = await secretKeys({ secretKeys: [], dataDir: await emptyFolder() })
    expect(other).not.toBe(key)
  })

  test('first starts at once all have one key, whole, and leave nothing else behind', async () => {
    const dataDir = await emptyFolder()
    const keys = await Promise.all(Array.from({ length: 20 }, () => secretKeys({ secretKeys: [], dataDir })))
    expect(new Set(keys.flat()).size).toBe(1)
    expect(await readdir(dataDir)).toEqual(['secret-key'])
  })

  test('it is there whole from its first moment: no other start reads a part of it', async () => {
    const dataDir = await emptyFolder()
    const watcher = new Worker(WATCHER, { eval: true, workerData: join(dataDir, 'secret-key') })
    await once(watcher, 'message')
    const [[seen], [key]] = await Promise.all([once(watcher, 'message'), secretKeys({ secretKeys: [], dataDir })])
    expect(seen).toBe(`${key}\n`)
  })

  test('a file that holds no key stops the start, with what to do', async () => {
    const dataDir = await emptyFolder()
    await writeFile(join(dataDir, 'secret-key'), '\n')
    await expect(secretKeys({ secretKeys: [], dataDir })).rejects.toThrow(/delete it to have a new one made/)
  })

  test('and with it no file is read or made', async () => {
    const dataDir = await emptyFolder()
    expect(await secretKeys({ secretKeys: [NEW, OLD], dataDir })).toEqual([NEW, OLD])
    expect(await readdir(dataDir)).toEqual([])
  })
})

describe('exchanging the key', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await createTestDatabase()
  })
  afterAll(() => db.drop())

  const under = (...secretKeys: string[]) => createHarness(db.database, { secretKeys })
  type Server = ReturnType<typeof under>

  /** A signed-in person with the consent page open, and the answer to pressing Allow at some server. */
  async function consentPage(server: Server) {
    const browser = await server.signedIn()
    const client_id = await server.register()
    const page = await browser.open(authorizePath({ client_id, code_challenge: newPkce().challenge }))
    const request = sealedIn(page)
    return {
      allowAt: (other: Server) =>
        postForm(
          other.fetch,
          `${other.publicUrl}/oauth/authorize`,
          { request, decision: 'allow' },
          { cookie: browser.cookie() },
        ),
    }
  }

  const sealedIn = (page: VisitedPage) =>
    formTo(page, '/oauth/authorize').controls.find(({ name }) => name === 'request')?.value ?? ''

  test('a consent page that was shown under the old key can be answered while that key still opens', async () => {
    const page = await consentPage(under(OLD))
    expect((await page.allowAt(under(NEW, OLD))).status).toBe(303)
  })

  test('new pages are sealed with the first key alone', async () => {
    const page = await consentPage(under(NEW, OLD))
    expect((await page.allowAt(under(OLD))).status).toBe(403)
    expect((await page.allowAt(under(NEW))).status).toBe(303)
  })

  test('once the old key is dropped such a page is refused, on a page that says what to do, as no fault of ours', async () => {
    const page = await consentPage(under(OLD))
    const server = under(NEW)
    const refused = await page.allowAt(server)
    expect([refused.status, refused.headers.get('location')]).toEqual([403, null])
    expect(await refused.text()).toContain('Start the sign-in again from your agent.')
    expect(server.lines).toEqual([])
  })

  test('it ends no sign-in: sessions, access tokens, refresh tokens and their grace do not hang on it', async () => {
    const before = under(OLD)
    const browser = await before.signedIn()
    const login = await before.login(browser)
    const successor = await tokensOf(await before.token(refreshing(login)))
    const after = under(NEW)
    expect(await after.auth.authenticate(`Bearer ${login.accessToken}`, 'mcp')).not.toBeNull()
    expect((await tokensOf(await after.token(refreshing(login)))).refreshToken).toBe(successor.refreshToken)
    const request = new Request(after.publicUrl, { headers: { cookie: browser.cookie() } })
    expect(await after.auth.browserUser(request)).not.toBeNull()
  })
})
