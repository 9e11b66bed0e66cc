/**
 * What migrations/0002_row_security.sql promises, for every table that the catalog says is a tenant's, so that a new one
 * without its policies fails here. Two workspaces of the real product, and SQL that forgot to say which one it means.
 */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Orm, type Tx } from '../../src/db/client.ts'
import { databaseErrorCode } from '../../src/db/errors.ts'
import { invites, members } from '../../src/modules/tenancy/schema.ts'
import { newId } from '../../src/kernel/ids.ts'
import { values } from '../../src/modules/values/schema.ts'
import type { Agent } from '../support/agent.ts'
import { createTestApp, type TestApp } from '../support/app.ts'
import { inEveryWorkspace } from '../support/workspaces.ts'

const REFUSED = '42501'
const READ_ONLY = '25006'

interface Table {
  /** As SQL wants it. */
  readonly name: string
  /** The column that says whose a row is. */
  readonly key: string
}

let t: TestApp
let tables: Table[]
/** Ada's and Bob's workspaces; Carl has one too, and is a member and has a session in Ada's. */
let a: string
let b: string
let c: string
let carl: string
/** A row of Bob's in each table. */
const ofBob = new Map<string, object>()
let before: string[]

beforeAll(async () => {
  t = await createTestApp()
  tables = await t.database.query((orm) =>
    orm.execute<{ name: string; key: string }>(sql`
      select quote_ident(relname) as name, attname as key from pg_class join pg_attribute on attrelid = pg_class.oid
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not attisdropped
        and (attname = 'workspace_id' or (relname = 'workspaces' and attname = 'id'))
      order by relname`),
  )
  a = await furnished(await t.agent('Ada'))
  b = await furnished(await t.agent('Bob'))
  c = await furnished(await t.agent('Carl'))
  const [person] = await t.database.query((orm) =>
    orm.execute<{ id: string }>(sql`select id from users where email = 'carl@example.org'`),
  )
  carl = person?.id ?? ''
  await t.database.write({ workspace: a }, (tx) =>
    tx.insert(members).values({ workspaceId: a, userId: carl, role: 'member', joinedAt: new Date() }),
  )
  await (await t.agent('Carl')).join({ workspaceId: a })
  for (const { name } of tables) {
    const [found] = await t.database.read({ workspace: b }, (orm) =>
      orm.execute<{ row: object }>(sql`select to_jsonb(t) as row from ${sql.raw(name)} t limit 1`),
    )
    ofBob.set(name, found?.row ?? {})
  }
  before = await everything()
  // Their triggers refuse such statements before a policy is asked (append-only.test.ts): this is of the policies alone.
  await t.database.query((orm) => orm.execute(sql`alter table events disable trigger user`))
  await t.database.query((orm) => orm.execute(sql`alter table journals disable trigger user`))
})
afterAll(() => t.close())

/** A workspace with a row in every table. */
async function furnished(agent: Agent): Promise<string> {
  await agent.ready()
  await agent.claim('src')
  await agent.call('write_values', { entries: [{ key: 'note', value: 'mine' }] })
  const workspaceId: string = (await agent.join({ agentId: agent.agentId }))['workspace'].id
  const now = new Date()
  const invite = {
    id: newId('inv'),
    role: 'member',
    maxUses: 1,
    createdBy: 'usr',
    createdAt: now,
    expiresAt: now,
  } as const
  await t.database.write({ workspace: workspaceId }, (tx) => tx.insert(invites).values({ workspaceId, ...invite }))
  return workspaceId
}

async function everything(): Promise<string[]> {
  const found: string[] = []
  for (const { name } of tables) {
    const rows = await inEveryWorkspace(t.database, (tx) =>
      tx.execute<{ row: string }>(sql`select t::text as row from ${sql.raw(name)} t`),
    )
    found.push(...rows.map(({ row }) => `${name} ${row}`))
  }
  return found.toSorted()
}

/** Whose rows an unfiltered SELECT finds. */
async function ownersIn(orm: Pick<Orm, 'execute'>, { name, key }: Table): Promise<string[]> {
  const rows = await orm.execute<{ owner: string }>(sql.raw(`select distinct ${key} as owner from ${name} order by 1`))
  return rows.map(({ owner }) => owner)
}

async function countIn(orm: Pick<Orm, 'execute'>, statement: string): Promise<number> {
  return (await orm.execute(sql.raw(`${statement} returning 1`))).length
}

function insertCopy({ name }: Table, row: object | undefined) {
  return sql`insert into ${sql.raw(name)} select (jsonb_populate_record(null::${sql.raw(name)}, ${JSON.stringify(row)}::jsonb)).*`
}

/** The SQLSTATE with which it was refused. */
const refusal = (work: Promise<unknown>): Promise<string | undefined> => work.then(() => undefined, databaseErrorCode)

test('every tenant’s table of the product is among those looked at, with rows of every workspace', async () => {
  expect(tables.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'workspaces',
      'members',
      'repos',
      'sessions',
      'claims',
      'claim_paths',
      'runs',
      '"values"',
      'invites',
      'events',
      'journals',
    ]),
  )
  for (const table of tables) {
    for (const workspace of [a, b, c]) {
      expect(await t.database.read({ workspace }, (orm) => ownersIn(orm, table)), table.name).toEqual([workspace])
    }
  }
})

describe.each<[string, (work: (tx: Orm) => Promise<unknown>) => Promise<unknown>]>([
  ['without a scope', (work) => t.database.query(work)],
  ['in a transaction without a scope', (work) => t.database.transaction(work)],
  ['in the scope of a workspace that is named by nothing', (work) => t.database.write({ workspace: '' }, work)],
  ['in the scope of a workspace that there is not', (work) => t.database.write({ workspace: 'ws_none' }, work)],
  ['in the scope of a person that is named by nothing', (work) => t.database.write({ user: '' }, work)],
])('%s', (_, within) => {
  test('every table is empty, and nothing can be changed or added', async () => {
    for (const table of tables) {
      const { name, key } = table
      expect(await within((orm) => ownersIn(orm, table)), name).toEqual([])
      expect(await within((orm) => countIn(orm, `update ${name} set ${key} = ${key}`)), name).toBe(0)
      expect(await within((orm) => countIn(orm, `delete from ${name}`)), name).toBe(0)
      expect(await refusal(within((orm) => orm.execute(insertCopy(table, ofBob.get(name))))), name).toBe(REFUSED)
      const unnamed = { ...ofBob.get(name), [key]: '' }
      expect(await refusal(within((orm) => orm.execute(insertCopy(table, unnamed)))), name).toBe(REFUSED)
    }
    expect(await everything()).toEqual(before)
  })
})

describe('in the scope of a workspace', () => {
  const inA = <T>(work: (tx: Tx) => Promise<T>) => t.database.write({ workspace: a }, work)

  test('a SELECT that names another one, or none, finds its own rows alone', async () => {
    for (const table of tables) {
      expect(await inA((tx) => ownersIn(tx, table)), table.name).toEqual([a])
      const others = sql.raw(`select 1 from ${table.name} where ${table.key} <> '${a}'`)
      expect(await inA((tx) => tx.execute(others)), table.name).toHaveLength(0)
    }
  })

  test('nothing of another one can be changed, deleted, locked or added', async () => {
    for (const table of tables) {
      const { name, key } = table
      const ofB = `${name} where ${key} = '${b}'`
      expect(await inA((tx) => countIn(tx, `update ${name} set ${key} = ${key} where ${key} = '${b}'`)), name).toBe(0)
      expect(await inA((tx) => countIn(tx, `delete from ${ofB}`)), name).toBe(0)
      expect(await inA((tx) => tx.execute(sql.raw(`select 1 from ${ofB} for update`))), name).toHaveLength(0)
      expect(await refusal(inA((tx) => tx.execute(insertCopy(table, ofBob.get(name))))), name).toBe(REFUSED)
    }
    expect(await everything()).toEqual(before)
  })

  test('no row can be moved to another one', async () => {
    for (const { name, key } of tables) {
      expect(await refusal(inA((tx) => countIn(tx, `update ${name} set ${key} = '${b}'`))), name).toBe(REFUSED)
    }
    const taken = { workspaceId: b, key: 'note', value: 'taken', bytes: 1, version: 1, updatedAt: new Date() }
    const upsert = (tx: Tx) =>
      tx
        .insert(values)
        .values({ ...taken, updatedBy: 'a' })
        .onConflictDoUpdate({ target: [values.workspaceId, values.key], set: { value: 'taken' } })
    expect(await refusal(inA(upsert))).toBe(REFUSED)
    expect(await everything()).toEqual(before)
  })

  test('the claim guard still sees all that it must: a second claim is refused, one next to it is not', async () => {
    const [claim] = await inA((tx) => tx.execute<{ id: string }>(sql`select id from claims`))
    const second = (path: string) => (tx: Tx) =>
      tx.execute(sql`
        with claim as (insert into claims select workspace_id, 'clm_second', 'ses_other', repo_id, mode, fence, reason,
          ttl_seconds, acquired_at, expires_at from claims where id = ${claim?.id} returning workspace_id, id, repo_id)
        insert into claim_paths select workspace_id, repo_id, id, 0, ${path}, 'literal', ${path}, ${path} from claim`)
    expect(await refusal(inA(second('src/deep')))).toBe('23P01')
    const nextToIt = inA(async (tx) => {
      await second('docs')(tx)
      throw new Error('taken back')
    })
    await expect(nextToIt).rejects.toThrow('taken back')
  })
})

describe('in the scope of a person', () => {
  /** What Carl sees; everything else is empty for him. */
  const visible = (): Record<string, string[]> => ({
    members: [a, c].toSorted(),
    workspaces: [a, c].toSorted(),
    repos: [a, c].toSorted(),
    sessions: [a, c].toSorted(),
  })

  test('memberships, those workspaces with their repositories, and own sessions are visible, and nothing else', async () => {
    for (const table of tables) {
      const owners = await t.database.read({ user: carl }, (orm) => ownersIn(orm, table))
      expect(owners, table.name).toEqual(visible()[table.name] ?? [])
    }
    for (const table of ['members', 'sessions']) {
      const people = await t.database.read({ user: carl }, (orm) =>
        orm.execute(sql`select distinct user_id as "userId" from ${sql.raw(table)}`),
      )
      expect(people, table).toEqual([{ userId: carl }])
    }
  })

  test('nothing can be changed, not even one’s own role, and nobody makes himself a member', async () => {
    const ofCarl = <T>(work: (tx: Tx) => Promise<T>) => t.database.write({ user: carl }, work)
    for (const table of tables) {
      const { name, key } = table
      expect(await ofCarl((tx) => countIn(tx, `update ${name} set ${key} = ${key}`)), name).toBe(0)
      expect(await ofCarl((tx) => countIn(tx, `delete from ${name}`)), name).toBe(0)
      const own = { ...ofBob.get(name), user_id: carl }
      expect(await refusal(ofCarl((tx) => tx.execute(insertCopy(table, own)))), name).toBe(REFUSED)
    }
    expect(await everything()).toEqual(before)
  })

  test('with a workspace both are visible, and the workspace alone can be changed', async () => {
    const outcome = await t.database.write({ workspace: b, user: carl }, async (tx) => ({
      seen: await ownersIn(tx, { name: 'sessions', key: 'workspace_id' }),
      changed: await tx.execute(sql`update sessions set branch = branch returning workspace_id as owner`),
    }))
    expect(outcome).toEqual({ seen: [a, b, c].toSorted(), changed: [{ owner: b }] })
  })
})

test('in the scope of the system the heads of all journals can be read, and nothing else; nothing can be changed', async () => {
  const bySystem = <T>(work: (tx: Tx) => Promise<T>) => t.database.write({ system: true }, work)
  for (const table of tables) {
    const { name, key } = table
    expect(await bySystem((tx) => ownersIn(tx, table)), name).toEqual(name === 'journals' ? [a, b, c].toSorted() : [])
    expect(await bySystem((tx) => countIn(tx, `update ${name} set ${key} = ${key}`)), name).toBe(0)
    expect(await bySystem((tx) => countIn(tx, `delete from ${name}`)), name).toBe(0)
    expect(await bySystem((tx) => tx.execute(sql.raw(`select 1 from ${name} for update`))), name).toHaveLength(0)
    expect(await refusal(bySystem((tx) => tx.execute(insertCopy(table, ofBob.get(name))))), name).toBe(REFUSED)
  }
  expect(await everything()).toEqual(before)
})

test.each(["it's", "x'; set local orkestrate.system = 'on", "\\'; rollback; --", '\\', 'zażółć', '$1', '%s'])(
  'a scope is of the id alone, whatever that is made of: %j',
  async (id) => {
    const settings = await t.database.read({ workspace: id, user: id }, (orm) =>
      orm.execute(sql`select current_setting('orkestrate.workspace_id') as workspace,
        current_setting('orkestrate.user_id') as person, current_setting('orkestrate.system') as system,
        current_setting('transaction_isolation') as isolation`),
    )
    expect(settings).toEqual([{ workspace: id, person: id, system: '', isolation: 'repeatable read' }])
  },
)

describe('a scope ends with its transaction', () => {
  const endings: Record<string, (tx: Pick<Orm, 'execute'>) => Promise<unknown>> = {
    'that commits': () => Promise.resolve(),
    'that is rolled back': () => Promise.reject(new Error('refused')),
    'that an error ends': (tx) => tx.execute(sql`select 1 / 0`),
    'that is cancelled': async (tx) => {
      await tx.execute(sql`set local statement_timeout = 1`)
      await tx.execute(sql`select pg_sleep(20)`)
    },
    'whose backend is killed': async (tx) => {
      const pid = await backend(tx)
      await t.database.query((orm) => orm.execute(sql`select pg_terminate_backend(${pid}), pg_sleep(0.1)`))
    },
  }

  const backend = async (orm: Pick<Orm, 'execute'>) =>
    (await orm.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`))[0]?.pid ?? 0

  test.each(Object.keys(endings))('%s: the next one on that connection has none', async (ending) => {
    const one = connect(t.db.target, { poolSize: 1 })
    const used = await one.query(backend)
    for (const kind of ['read', 'write'] as const) {
      const scope = { workspace: a, user: carl }
      await refusal(one[kind](scope, async (tx) => endings[ending]?.(tx)))
      for (const table of tables) {
        expect(await one.query((orm) => ownersIn(orm, table)), table.name).toEqual([])
        expect(await one.transaction((tx) => ownersIn(tx, table)), table.name).toEqual([])
        expect(await one.read({ workspace: b }, (orm) => ownersIn(orm, table)), table.name).toEqual([b])
      }
    }
    // All of that was on the same connection, unless it was the one that died.
    expect((await one.query(backend)) === used).toBe(!ending.includes('killed'))
    await one.close()
  })

  test('and calls that take turns on two connections never see each other’s', async () => {
    const two = connect(t.db.target, { poolSize: 2, acquireTimeoutMs: 20_000, totalTimeoutMs: 20_000 })
    const table = { name: 'events', key: 'workspace_id' }
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, async (_, turn): Promise<[string, string[]]> => {
        const workspace = [a, b, c][turn % 3] ?? ''
        if (turn % 4 === 0) return ['', await two.query((orm) => ownersIn(orm, table))]
        if (turn % 4 === 1) return [workspace, await two.read({ workspace }, (orm) => ownersIn(orm, table))]
        return [workspace, await two.write({ workspace }, (tx) => ownersIn(tx, table))]
      }),
    )
    for (const [workspace, seen] of outcomes) expect(seen).toEqual(workspace === '' ? [] : [workspace])
    await two.close()
  })
})

describe('BEGIN, the scope and the first statements go in one burst', () => {
  test('and yet those statements are in the transaction, which only reads where it was asked to read', async () => {
    const twice = async (tx: Pick<Orm, 'execute'>) => {
      const began = sql`select pg_current_xact_id_if_assigned() as xid, transaction_timestamp()::text as began`
      const [one, two] = await Promise.all([tx.execute(began), tx.execute(began)])
      return [one?.[0]?.['began'], two?.[0]?.['began']]
    }
    for (const kind of ['read', 'write'] as const) {
      const [one, two] = await t.database[kind]({ workspace: a }, twice)
      expect(one).toBe(two)
    }
    const writing = t.database.read({ workspace: a }, (orm) => orm.execute(sql`delete from "values"`))
    expect(await refusal(writing)).toBe(READ_ONLY)
  })

  test('and nothing is done behind a scope that cannot be, not even what needs none', async () => {
    // PostgreSQL has no text with NUL.
    const refused = t.database.write({ workspace: `${a}\0` }, (tx) =>
      tx.execute(sql`update users set name = 'changed'`).catch(() => 'hidden'),
    )
    await expect(refused).rejects.toThrow('NUL')
    const changed = await t.database.query((orm) => orm.execute(sql`select 1 from users where name = 'changed'`))
    expect(changed).toHaveLength(0)
  })
})

test('a tool’s SQL that forgot its WHERE sees and changes its own workspace alone', async () => {
  const seen = await t.app.journal.change({ workspace: a }, async (ws) => {
    ws.write((tx) => tx.update(values).set({ value: 'changed' }))
    return ws.tx.select().from(values)
  })
  expect(seen.map((value) => value.workspaceId)).toEqual([a])
  const stored = await inEveryWorkspace(t.database, (tx) => tx.select().from(values))
  const byWorkspace = Object.fromEntries(stored.map(({ workspaceId, value }) => [workspaceId, value]))
  expect(byWorkspace).toEqual({ [a]: 'changed', [b]: 'mine', [c]: 'mine' })
})
