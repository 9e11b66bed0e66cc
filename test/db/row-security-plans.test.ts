import type postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database, Last } from '../../src/db/client.ts'
import { ormOf } from '../../src/db/pool.ts'
import { setScope, type Scope } from '../../src/db/scope.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { createTestDatabase } from '../support/database.ts'
import { openSql } from '../support/global-setup.ts'

interface Statement {
  readonly scope: Scope
  readonly query: string
  readonly params: readonly unknown[]
}

let t: TestApp
let sql: postgres.Sql
const statements: Statement[] = []
beforeAll(async () => {
  const db = await createTestDatabase()
  sql = openSql(db.target)
  t = await createTestApp({ db: { ...db, database: recording(db.database) } })
})
afterAll(async () => {
  await sql.end()
  await t.close()
})

/** The database, on one connection, taking down each statement and its scope. */
function recording(database: Database): Database {
  let scope: Scope = { system: true }
  const orm = ormOf(sql, { logQuery: (query, params) => statements.push({ scope, query, params }) })
  const run = async <T>(within: Scope, work: (handle: never, last: Last) => Promise<T>): Promise<T> => {
    scope = within
    await sql.unsafe('begin')
    try {
      await sql.unsafe(setScope(within))
      const sent: Promise<unknown>[] = []
      const result = await work(orm as never, (last) => sent.push(last))
      await Promise.all(sent)
      return result
    } finally {
      await sql.unsafe('commit')
    }
  }
  return { ...database, read: run, write: run }
}

type Plan = { readonly 'Index Name'?: string; readonly 'Index Cond'?: string; readonly Plans?: readonly Plan[] }

const byName = (a = '', b = '') => a.localeCompare(b)

/** What the indexes are asked, as `index: columns`. The subplans of policies themselves are left out. */
function lookups(plan: Plan & { readonly 'Parent Relationship'?: string }): string[] {
  if (plan['Parent Relationship'] === 'SubPlan') return []
  const columns = [...(plan['Index Cond'] ?? '').matchAll(/\(+(\w+)\)?(?:::\w+)? (?:=|<|>|<=|>=) /gu)].map(
    ([, name]) => name,
  )
  const own = plan['Index Name'] === undefined ? [] : [`${plan['Index Name']}: ${columns.sort(byName).join(' ')}`]
  return [...own, ...(plan.Plans ?? []).flatMap(lookups)].sort(byName)
}

/** A policy may ask the same column once more. */
const distinct = (asked: readonly string[]) => asked.map((one) => one.replace(/(?<= )(\w+)(?: \1)+(?= |$)/gu, '$1'))

async function lookupsOf({ scope, query, params }: Statement, prepare: string): Promise<string[]> {
  await sql.unsafe('begin')
  try {
    await sql.unsafe(prepare)
    await sql.unsafe(setScope(scope))
    const [row] = await sql.unsafe(`explain (format json) ${query}`, params as never[])
    return lookups(row?.['QUERY PLAN'][0].Plan)
  } finally {
    await sql.unsafe('rollback')
  }
}

test('no index is lost to a policy: every statement of a call asks the same of the same indexes as without', async () => {
  const agent = await t.agent('Ada')
  await agent.ready()
  await agent.claim('src', 'docs/**/*.md')
  await agent.call('write_values', { entries: [{ key: 'note', value: 'mine' }] })
  await agent.call('read_values', { prefix: 'no' })
  await agent.call('read_team_state')
  await t.app.journal.due(10)
  const different = [...new Map(statements.map((statement) => [statement.query, statement])).values()]
  expect(different.length).toBeGreaterThan(30)

  const tables = await sql`select quote_ident(relname) as name from pg_class where relrowsecurity`
  const open = tables.map(({ name }) => `alter table ${name} disable row level security;`).join(' ')
  const asked: string[] = []
  for (const statement of different) {
    const walled = await lookupsOf(statement, 'set local enable_seqscan = off')
    const unwalled = await lookupsOf(statement, `set local enable_seqscan = off; ${open}`)
    expect(distinct(walled), statement.query).toEqual(distinct(unwalled))
    asked.push(...walled)
  }
  expect(asked).toContain('journals_by_due: next_due_at')
  expect(asked).toContain('values_by_key: key key key workspace_id')
})
