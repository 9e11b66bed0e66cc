import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../support/app.ts'
import { type GoTrue, startGoTrue } from '../support/gotrue.ts'
import { visitor } from '../support/oauth.ts'
import { type OidcUpstream, startOidcUpstream, throughUpstream, upstreamBrowser } from '../support/oidc-upstream.ts'
import { callbacks, leave, throughGoogle } from './upstream.ts'

let oidc: OidcUpstream
let supabase: GoTrue
let product: TestApp
/** The codes, states and cookies of both sign-ins, too. */
const passing: string[] = []
beforeAll(async () => {
  oidc = await startOidcUpstream(callbacks('oidc'))
  supabase = await startGoTrue(callbacks('supabase'))
  product = await createTestApp({ env: { ...oidc.env, ...supabase.env } })
  const ways = [
    ['oidc', (url: string) => throughUpstream(upstreamBrowser(), url, 'ada')],
    ['supabase', (url: string) => throughGoogle(upstreamBrowser(), url, 'ada@gmail.example')],
  ] as const
  for (const [id, through] of ways) {
    const browser = visitor(product.fetch, product.publicUrl)
    const away = await leave(browser, id, { next: '/account/password' })
    passing.push(browser.cookie().split('=')[1] ?? '')
    const back = await through(away)
    passing.push(
      ...[away, back].flatMap((url) => ['code', 'state', 'nonce'].map((n) => new URL(url).searchParams.get(n) ?? '')),
    )
    expect((await browser.open(back)).text).toContain('How you sign in')
  }
})
afterAll(async () => {
  await product.close()
  await oidc.close()
  await supabase.close()
})

test('no token of an upstream opens anything here (S-06, MCP token passthrough)', async () => {
  const tokens = [...oidc.tokens, ...supabase.tokens]
  // ID token and access token of the one; access, refresh and Google's own token of the other.
  expect(tokens.length).toBeGreaterThanOrEqual(5)
  expect(tokens.filter((token) => token.split('.').length === 3).length).toBeGreaterThanOrEqual(2)
  const initialize = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })
  for (const token of tokens) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' }
    const answers = await Promise.all([
      product.fetch('/api/mcp', { method: 'POST', headers, body: initialize }),
      product.fetch('/api/mcp', { headers }),
      product.fetch('/api/workspaces', { headers }),
      product.fetch('/api/oauth/introspect', {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        body: `token=${token}`,
      }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401])
  }
})

test('no token, code, state or cookie of a sign-in elsewhere is stored or logged (S-06, S-13, S-68, ASVS 16.2.5)', async () => {
  const stored = await product.database.query(async (orm) => {
    const tables = await orm.execute<{ name: string }>(
      sql`select format('%I', tablename) as name from pg_tables where schemaname = 'public'`,
    )
    const texts = []
    for (const { name } of tables) {
      const rows = await orm.execute<{ line: string }>(sql.raw(`select t::text as line from ${name} t`))
      texts.push(name, ...rows.map(({ line }) => line))
    }
    return texts.join('\n')
  })
  expect(stored).toContain('ada@gmail.example')
  const logged = product.logLines.join('\n')
  const secrets = [...oidc.tokens, ...supabase.tokens, ...passing].filter((secret) => secret.length > 10)
  expect(secrets.length).toBeGreaterThan(10)
  expect(secrets.filter((secret) => stored.includes(secret) || logged.includes(secret))).toEqual([])
})
