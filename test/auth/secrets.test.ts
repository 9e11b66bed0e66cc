import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { formTo, postForm, tokensOf } from '../support/oauth.ts'
import { ADA, createHarness, type Harness, redemption, refreshing } from './harness.ts'

let db: TestDatabase
let harness: Harness
beforeAll(async () => {
  db = await createTestDatabase()
  harness = createHarness(db.database, { hashesFully: true })
})
afterAll(() => db.drop())

/** Every row of every table as text. */
async function dump(): Promise<string> {
  return db.database.query(async (orm) => {
    const tables = await orm.execute<{ name: string }>(
      sql`select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    )
    const texts: string[] = []
    for (const { name } of tables) {
      const rows = await orm.execute<{ line: string }>(sql.raw(`select t::text as line from ${name} t`))
      texts.push(name, ...rows.map(({ line }) => line))
    }
    return texts.join('\n')
  })
}

test('after everything has happened no secret is in the database or in a log line (S-13, S-68, RFC 6819 §5.1.4.1.3)', async () => {
  const browser = await harness.signedIn()
  const login = await harness.login(browser)
  const pending = await harness.consent(browser, login.clientId)
  const refreshed = await tokensOf(await harness.token(refreshing(login)))
  await harness.token({ ...redemption(login.clientId, pending), code_verifier: 'x'.repeat(43) })
  await harness.token(redemption(login.clientId, login.consent))
  await postForm(harness.fetch, `${harness.publicUrl}/login`, { email: ADA.email, password: 'a wrong password' })
  const connections = await browser.open('/logout')
  const csrf = formTo(connections, '/logout').controls.find(({ name }) => name === 'csrf')?.value ?? ''

  const secrets = {
    password: ADA.password,
    wrongPassword: 'a wrong password',
    cookie: browser.cookie().split('=')[1] ?? '',
    csrf,
    accessToken: login.accessToken,
    refreshToken: login.refreshToken,
    successor: refreshed.refreshToken,
    nextAccessToken: refreshed.accessToken,
    code: login.consent.code,
    pendingCode: pending.code,
    verifier: login.consent.pkce.verifier,
  }
  const stored = await dump()
  const logged = harness.lines.map((line) => JSON.stringify(line)).join('\n')
  expect(stored).toContain('oauth_refresh_tokens')
  expect(logged).toContain('replayed')
  const found = Object.entries(secrets).filter(([, secret]) => {
    const encoded = Buffer.from(secret).toString('base64url')
    return secret.length < 10 || [secret, encoded].some((form) => stored.includes(form) || logged.includes(form))
  })
  expect(found).toEqual([])
  expect(stored).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
})

/** Where two values are compared of which one is named like a secret and neither is a literal. */
function plainComparisons(source: string): string[] {
  const comparison = /([\w$.?]+)(?:\([^()]*\))? [!=]==? ([\w$.?'"`]+)/gu
  const nameOf = (operand: string) => operand.split('.').at(-1) ?? ''
  const isSecret = (name: string) =>
    /(?:secret|password|csrf|verifier|challenge|hash|token|code|sealed)\w*$/iu.test(name)
  const isLiteral = (name: string) => /^(?:null|undefined|true|false|\d.*|['"`].*)$/u.test(name)
  const faults = [...source.matchAll(comparison)].filter((match) => {
    const names = match.slice(1).map(nameOf)
    return names.some(isSecret) && !names.some(isLiteral)
  })
  return faults.map(([text]) => text)
}

test('a secret is looked up by its hash or compared in constant time, never with === (S-14, ASVS 11.2.4)', () => {
  for (const bad of ['a.csrfToken === form.csrf', 'x !== row.tokenHash', 'password == given', 'given(x) === secret']) {
    expect(plainComparisons(bad)).toEqual([bad])
  }
  const auth = fileURLToPath(new URL('../../src/auth', import.meta.url))
  const files = readdirSync(auth, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/u.test(file))
  expect(files.length).toBeGreaterThan(30)
  const found = files.flatMap((file) =>
    plainComparisons(readFileSync(join(auth, file), 'utf8')).map((text) => `${file}: ${text}`),
  )
  expect(found).toEqual([])
})
