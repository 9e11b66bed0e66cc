/**
 * What migrations/0001_claim_guard.sql promises: whoever writes the rows, two live claims of different sessions never
 * overlap. Everything here bypasses the application.
 */
import * as fc from 'fast-check'
import type postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { databaseErrorCode } from '../../../src/db/errors.ts'
import { EXPANDED_KEYS } from '../../../src/modules/claim/case-fold.ts'
import { overlaps } from '../../../src/modules/claim/overlap.ts'
import { parsePattern, type PathPattern } from '../../../src/modules/claim/pattern.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { openSql } from '../../support/global-setup.ts'

const EXCLUSION = '23P01'
const FOREIGN_KEY = '23503'
const CHECK = '23514'

let db: TestDatabase
let sql: postgres.Sql

beforeAll(async () => {
  db = await createTestDatabase()
  sql = openSql(db.target)
})
afterAll(async () => {
  await sql.end()
  await db.drop()
})

let workspaces = 0
let workspace = ''
beforeEach(async () => {
  workspaces += 1
  workspace = `ws-${workspaces}`
  await addWorkspace(workspace)
  // Row-level security asks for a scope of everybody; this one is the session's.
  await sql`select set_config('orkestrate.workspace_id', ${workspace}, false)`
})

async function addWorkspace(id: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select set_config('orkestrate.workspace_id', ${id}, true)`
    await tx`insert into journals (workspace_id, seq, hash, state_seq, state_hash, clock)
             values (${id}, 0, '', 0, '', clock_timestamp())`
  })
}

interface Row {
  id: string
  paths: string[]
  session: string
  mode: 'exclusive' | 'shared'
  workspace: string
  repo: string
  /** From now; negative: the lease has run out. */
  ttlSeconds: number
}

/** A claim of a session of its own, as any SQL client could write it. */
async function put(on: postgres.Sql, id: string, paths: string[], more: Partial<Row> = {}): Promise<void> {
  const row = { session: `session of ${id}`, mode: 'exclusive', workspace, repo: 'repo', ttlSeconds: 900, ...more }
  await on.begin(async (tx) => {
    await tx`select set_config('orkestrate.workspace_id', ${row.workspace}, true)`
    await tx`insert into claims (workspace_id, id, session_id, repo_id, mode, fence, reason, ttl_seconds, acquired_at, expires_at)
             values (${row.workspace}, ${id}, ${row.session}, ${row.repo}, ${row.mode}, 1, '', 900, clock_timestamp(),
                     clock_timestamp() + make_interval(secs => ${row.ttlSeconds}))`
    for (const [ordinal, path] of paths.entries()) await putPath(tx, row, id, ordinal, parsePattern(path))
  })
}

async function putPath(
  on: postgres.ISql,
  at: Pick<Row, 'workspace' | 'repo'>,
  id: string,
  ordinal: number,
  { display, kind, key, prefix }: PathPattern,
): Promise<void> {
  await on`insert into claim_paths (workspace_id, repo_id, claim_id, ordinal, display, kind, key, prefix)
           values (${at.workspace}, ${at.repo}, ${id}, ${ordinal}, ${display}, ${kind}, ${key}, ${prefix})`
}

/** The SQLSTATE with which it was refused. */
async function refusal(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(() => undefined, databaseErrorCode)
}

describe('an INSERT that bypasses the application', () => {
  test('is refused where it overlaps a live claim of another session, and the message names both', async () => {
    await put(sql, 'clm-held', ['src/auth'])
    const refused = put(sql, 'clm-new', ['docs', 'src/auth/login.ts'])
    await expect(refused).rejects.toThrow(/clm-new.*src\/auth\/login\.ts.*clm-held.*src\/auth/u)
    expect(await refusal(refused)).toBe(EXCLUSION)
    expect(await sql`select id from claims where workspace_id = ${workspace}`).toMatchObject([{ id: 'clm-held' }])
  })

  test.each([
    ['src/auth/login.ts', 'src/auth'],
    ['src', 'src/auth/login.ts'],
    ['**', 'src'],
    ['src', '**'],
    ['src/**/*.test.ts', 'src/deep/down/x.test.ts'],
    ['src/*/x.ts', 'src/?uth/*.ts'],
    ['Straße', 'STRASSE/x'],
  ])('is refused for %s beside %s', async (held, wanted) => {
    await put(sql, 'clm-held', [held])
    expect(await refusal(put(sql, 'clm-new', [wanted]))).toBe(EXCLUSION)
  })

  test.each([
    ['src/auth', 'src/authors'],
    ['src/**/*.test.ts', 'src/**/*.md'],
    ['src/auth', 'src/auth.ts'],
    ['src/*.ts', 'src/deep/x.ts'],
  ])('is allowed for %s beside %s', async (held, wanted) => {
    await put(sql, 'clm-held', [held])
    expect(await refusal(put(sql, 'clm-new', [wanted]))).toBeUndefined()
  })

  test('is allowed in another repository, in another workspace, and for the same session', async () => {
    await put(sql, 'clm-held', ['src'], { session: 'one' })
    await addWorkspace('elsewhere')
    for (const place of [{ repo: 'another' }, { workspace: 'elsewhere' }, { session: 'one' }]) {
      expect(await refusal(put(sql, 'clm-new', ['src'], place))).toBeUndefined()
      await sql`delete from claim_paths where claim_id = 'clm-new'`
      await sql`delete from claims where id = 'clm-new'`
    }
  })

  test('is allowed for shared beside shared, and refused where one of the two is exclusive', async () => {
    await put(sql, 'clm-1', ['docs'], { mode: 'shared' })
    await put(sql, 'clm-2', ['docs/a'], { mode: 'shared' })
    expect(await refusal(put(sql, 'clm-3', ['docs/b']))).toBe(EXCLUSION)
    await put(sql, 'clm-4', ['src'])
    expect(await refusal(put(sql, 'clm-5', ['src'], { mode: 'shared' }))).toBe(EXCLUSION)
  })

  test('is not held up by a lease that ran out, on record or not, or by one that ended', async () => {
    await put(sql, 'clm-lapsed', ['src'], { ttlSeconds: -1 })
    expect(await refusal(put(sql, 'clm-new', ['src']))).toBeUndefined()
    await sql`update claims set ended_at = clock_timestamp() where workspace_id = ${workspace} and id = 'clm-new'`
    expect(await refusal(put(sql, 'clm-next', ['src']))).toBeUndefined()
  })

  test('is refused in a workspace without a journal, whose lock it could not take', async () => {
    expect(await refusal(put(sql, 'clm-1', ['src'], { workspace: 'nowhere' }))).toBe(FOREIGN_KEY)
  })

  test('is refused outside READ COMMITTED, where it could not see what was committed while it waited', async () => {
    for (const level of ['repeatable read', 'serializable']) {
      const refused = sql.begin(`isolation level ${level}`, async (tx) => {
        await tx`insert into claims values (${workspace}, 'clm-1', 's', 'repo', 'shared', 1, '', 900, clock_timestamp(), clock_timestamp())`
        await putPath(tx, { workspace, repo: 'repo' }, 'clm-1', 0, parsePattern('src'))
      })
      expect(await refusal(refused)).toBe('0A000')
    }
  })

  test('is refused for a path before its claim, and for one that says another repository', async () => {
    const at = { workspace, repo: 'repo' }
    expect(await refusal(putPath(sql, at, 'clm-none', 0, parsePattern('src')))).toBe(FOREIGN_KEY)
    await put(sql, 'clm-1', ['src'])
    expect(await refusal(putPath(sql, { workspace, repo: 'x' }, 'clm-1', 1, parsePattern('a')))).toBe(FOREIGN_KEY)
  })

  test.each([
    ['a prefix that is not its own', { kind: 'literal', key: 'src/a', prefix: 'docs' }],
    ['a wildcard in a literal', { kind: 'literal', key: 'src/*', prefix: 'src/*' }],
    ['a glob without wildcard', { kind: 'glob', key: 'src', prefix: 'src' }],
    ['a key that is not folded', { kind: 'literal', key: 'Src', prefix: 'Src' }],
    ['an empty segment', { kind: 'literal', key: 'src//a', prefix: 'src//a' }],
    ['a trailing slash', { kind: 'literal', key: 'src/', prefix: 'src/' }],
    ['`**` within a segment', { kind: 'glob', key: 'src/a**', prefix: 'src' }],
    ['`**` twice in a row', { kind: 'glob', key: 'src/**/**', prefix: 'src' }],
  ] as const)('is refused for a path with %s, which no index probe would find', async (_, form) => {
    await put(sql, 'clm-1', [])
    const at = { workspace, repo: 'repo' }
    expect(await refusal(putPath(sql, at, 'clm-1', 0, { display: 'x', ...form }))).toBe(CHECK)
  })
})

describe('an UPDATE that bypasses the application', () => {
  /** Two claims that do not touch each other, and a change of the second. */
  async function change(set: string, table = 'claims', column = 'id'): Promise<string | undefined> {
    return refusal(sql.unsafe(`update ${table} set ${set} where workspace_id = '${workspace}' and ${column} = 'clm-2'`))
  }

  test('cannot bring an ended claim back over one that came after it', async () => {
    await put(sql, 'clm-2', ['src'])
    expect(await change('ended_at = clock_timestamp()')).toBeUndefined()
    await put(sql, 'clm-1', ['src'])
    expect(await change('ended_at = null')).toBe(EXCLUSION)
  })

  test('cannot extend a lease that ran out over one that came after it', async () => {
    await put(sql, 'clm-2', ['src'], { ttlSeconds: -1 })
    await put(sql, 'clm-1', ['src'])
    expect(await change(`expires_at = clock_timestamp() + interval '1 minute'`)).toBe(EXCLUSION)
  })

  test('can renew a live lease, and bring back one that is in nobody’s way', async () => {
    await put(sql, 'clm-1', ['docs'])
    await put(sql, 'clm-2', ['src'])
    expect(await change(`expires_at = expires_at + interval '1 minute'`)).toBeUndefined()
    expect(await change('ended_at = clock_timestamp()')).toBeUndefined()
    expect(await change('ended_at = null')).toBeUndefined()
  })

  test('cannot make a shared claim exclusive, or give it to somebody else, where that makes an overlap', async () => {
    await put(sql, 'clm-1', ['docs'], { mode: 'shared', session: 'one' })
    await put(sql, 'clm-2', ['docs'], { mode: 'shared', session: 'two' })
    expect(await change(`mode = 'exclusive'`)).toBe(EXCLUSION)
    expect(await change(`session_id = 'one'`)).toBeUndefined()
    expect(await change(`mode = 'exclusive'`)).toBeUndefined()
    expect(await change(`session_id = 'two'`)).toBe(EXCLUSION)
  })

  test('cannot move paths or claims into the way of others', async () => {
    await put(sql, 'clm-1', ['src'])
    await put(sql, 'clm-2', ['docs'])
    await put(sql, 'clm-3', ['src/a'], { repo: 'another' })
    expect(await change(`key = 'src/a', prefix = 'src/a'`, 'claim_paths', 'claim_id')).toBe(EXCLUSION)
    expect(await change(`kind = 'glob', key = '**', prefix = ''`, 'claim_paths', 'claim_id')).toBe(EXCLUSION)
    expect(await change(`repo_id = 'another'`, 'claim_paths', 'claim_id')).toBe(FOREIGN_KEY)
    expect(await change(`repo_id = 'another'`)).toBe(FOREIGN_KEY)
    const moved = sql`with paths as (update claim_paths set repo_id = 'repo' where workspace_id = ${workspace} and claim_id = 'clm-3')
                      update claims set repo_id = 'repo' where workspace_id = ${workspace} and id = 'clm-3'`
    expect(await refusal(moved)).toBe(EXCLUSION)
  })

  test('and a DELETE can always make room', async () => {
    await put(sql, 'clm-1', ['src'])
    await sql`delete from claims where workspace_id = ${workspace} and id = 'clm-1'`
    await put(sql, 'clm-2', ['src'])
    // Its paths were left behind: they count again from the moment their claim is back.
    const back = sql`insert into claims select workspace_id, 'clm-1', 'one', repo_id, mode, fence, reason, ttl_seconds, acquired_at, expires_at
                     from claims where workspace_id = ${workspace} and id = 'clm-2'`
    expect(await refusal(back)).toBe(EXCLUSION)
  })
})

test('of eight connections that race for overlapping paths exactly one gets in, every time', async () => {
  const connections = Array.from({ length: 8 }, () => openSql(db.target))
  const paths = [
    'src/auth',
    'src/auth/login.ts',
    'src',
    'src/**/login.ts',
    '**',
    'src/?uth/*.ts',
    'src/auth',
    'src/*/login.ts',
  ]
  for (let round = 0; round < 10; round += 1) {
    await sql`update claims set ended_at = clock_timestamp() where workspace_id = ${workspace} and ended_at is null`
    const outcomes = await Promise.all(
      connections.map((on, n) => refusal(put(on, `clm-${round}-${n}`, [paths[n] ?? '', `own/${round}-${n}`]))),
    )
    expect(outcomes.filter((code) => code === undefined)).toHaveLength(1)
    expect(outcomes.filter((code) => code === EXCLUSION)).toHaveLength(7)
  }
  await Promise.all(connections.map((on) => on.end()))
})

test('a lease that a claim was let in over stays over when the clock steps back', async () => {
  await put(sql, 'clm-lapsed', ['src'], { ttlSeconds: -1 })
  await sql`update journals set clock = clock - interval '1 hour' where workspace_id = ${workspace}`
  await put(sql, 'clm-new', ['src'])
  const [row] = await sql`select j.clock >= c.expires_at as over from journals j join claims c using (workspace_id)
                          where j.workspace_id = ${workspace} and c.id = 'clm-lapsed'`
  expect(row).toEqual({ over: true })
})

/** Few letters, so that patterns meet often; characters whose key is longer than they are, and their keys in letters. */
const word = fc
  .array(fc.constantFrom('a', 'b', 's', 'S', 't', 'ß', 'ﬁ', 'ﬃ', 'f', 'i', 'é', '😀', '_', '%', '?', '?', '*', '*'), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join('').replace(/\*+/gu, '*'))
const pattern = fc
  .array(fc.oneof({ weight: 4, arbitrary: word }, fc.constantFrom('**', '*', 'a', 'ss')), {
    minLength: 1,
    maxLength: 4,
  })
  .map((segments) => parsePattern(segments.join('/')))
const pairs = fc.array(fc.tuple(pattern, pattern), { minLength: 100, maxLength: 200 })

describe('agreement with the application', () => {
  test('the keys that one character can have are those of the case-folding table', async () => {
    const [row] = await sql<{ keys: string[] }[]>`select claim_expanded_keys() as keys`
    expect(new Set(row?.keys)).toEqual(EXPANDED_KEYS)
  })

  test('the decision on two patterns is that of overlaps(), in both orders', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async (some) => {
        const rows = await sql<{ meet: boolean }[]>`
          select claim_keys_overlap(a, b) as meet from unnest(${some.map(([a]) => a.key)}::text[], ${some.map(([, b]) => b.key)}::text[])
          with ordinality as t(a, b, n) order by n`
        expect(rows.map((row) => row.meet)).toEqual(some.map(([a, b]) => overlaps(a, b)))
        expect(rows.map((row) => row.meet)).toEqual(some.map(([a, b]) => overlaps(b, a)))
      }),
      { numRuns: 50 },
    )
  })

  test('an INSERT is refused if and only if overlaps() says that the patterns meet', async () => {
    // Puts each pair into a repository of its own and tells which second claims were refused.
    await sql`create function try_pairs(workspace text, pairs jsonb) returns boolean[] language plpgsql as $$
      declare
        pair jsonb;
        refused boolean[] := '{}';
        lease constant timestamptz := clock_timestamp() + interval '1 hour';
      begin
        for pair in select jsonb_array_elements(pairs) loop
          begin
            for side in 0 .. 1 loop
              insert into claims values (workspace, 'clm-' || side, 'ses-' || side, 'repo', 'exclusive', 1, '', 900, lease, lease);
              insert into claim_paths values (workspace, 'repo', 'clm-' || side, 0, '',
                                              pair -> side ->> 'kind', pair -> side ->> 'key', pair -> side ->> 'prefix');
            end loop;
            refused := refused || false;
          exception when exclusion_violation then
            refused := refused || true;
          end;
          delete from claim_paths where workspace_id = workspace;
          delete from claims where workspace_id = workspace;
        end loop;
        return refused;
      end $$`
    await fc.assert(
      fc.asyncProperty(pairs, async (some) => {
        const rows = some.map((pair) => pair.map(({ kind, key, prefix }) => ({ kind, key, prefix })))
        const [row] = await sql<
          { refused: boolean[] }[]
        >`select try_pairs(${workspace}, ${JSON.stringify(rows)}::text::jsonb) as refused`
        expect(row?.refused).toEqual(some.map(([a, b]) => overlaps(a, b)))
      }),
      { numRuns: 10 },
    )
  })
})
