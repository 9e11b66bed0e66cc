import { AsyncLocalStorage } from 'node:async_hooks'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, type ScopedTx } from '../../src/db/client.ts'
import { createJournal, type Journal, type WorkspaceTx } from '../../src/journal/journal.ts'
import { createQueue } from '../../src/journal/queue.ts'
import { defineEvent, SYSTEM } from '../../src/journal/event.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { deferred } from '../support/deferred.ts'

const done = defineEvent<{ by: string }>('test.done', { teamState: true })
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let db: TestDatabase
let journal: Journal
beforeAll(async () => {
  db = await createTestDatabase()
  journal = createJournal({ database: db.database, eventTypes: [done], expire: [], log: quiet })
})
afterAll(async () => {
  await journal.close()
  await db.drop()
})

const found = () => journal.found({ user: 'usr_test' }, async (_tx, begin) => (await begin(new Date())).workspaceId)

const transactionOf = async ({ tx }: WorkspaceTx): Promise<string> => {
  const [row] = await tx.execute<{ id: string }>(sql`select pg_current_xact_id()::text as id`)
  return row?.id ?? ''
}

const note = (by: string) => async (ws: WorkspaceTx) => {
  ws.append(done, { by }, SYSTEM)
  return transactionOf(ws)
}

/** Occupies the workspace until it is told to go on, so that what is asked meanwhile waits for the next turn. */
async function occupied(workspace: string) {
  const [begun, over] = [deferred(), deferred()]
  const first = journal.change({ workspace }, async (ws) => {
    begun.resolve()
    await over.promise
    return transactionOf(ws)
  })
  await begun.promise
  return { first, end: () => over.resolve() }
}

const recorded = async (workspace: string) =>
  (await journal.read(workspace, 0, 100)).map(({ seq, payload }) => [seq, payload['by']])

describe('a write whose second statement waits for the answer to the first', () => {
  const rows = () => db.database.query((orm) => orm.execute<{ n: number }>(sql`select n from steps order by n`))
  beforeAll(() => db.database.query((orm) => orm.execute(sql`create table steps (n int primary key)`)))

  const steps = (...numbers: number[]) =>
    async function inSteps(tx: ScopedTx): Promise<void> {
      for (const n of numbers) await tx.execute(sql`insert into steps values (${n})`)
    }

  test('is committed as a whole, or not at all', async () => {
    const workspace = await found()
    const change = (write: (tx: ScopedTx) => Promise<void>) =>
      journal.change({ workspace }, async (ws) => {
        ws.append(done, { by: 'steps' }, SYSTEM)
        ws.writeInSteps(write)
      })
    await expect(change(steps(1, 1))).rejects.toThrow('duplicate key')
    expect([await rows(), await recorded(workspace)]).toEqual([[], []])
    await change(steps(1, 2))
    expect([await rows(), await recorded(workspace)]).toEqual([[{ n: 1 }, { n: 2 }], [[1, 'steps']]])
  })

  test('never has a part that stands alone behind the commit: without saying that it has steps it is refused', async () => {
    const workspace = await found()
    const hidden = journal.change({ workspace }, async (ws) => ws.write(steps(3, 4)))
    const reason: unknown = expect.stringContaining('after the COMMIT')
    await expect(hidden).rejects.toMatchObject({ cause: { message: reason } })
    expect(await rows()).not.toContainEqual({ n: 4 })
  })
})

describe('commands that come while one runs', () => {
  test('share the next transaction, in the order in which they came', async () => {
    const workspace = await found()
    const { first, end } = await occupied(workspace)
    const later = ['a', 'b', 'c'].map((by) => journal.change({ workspace }, note(by)))
    end()
    const [alone, ...together] = await Promise.all([first, ...later])
    expect(new Set(together).size).toBe(1)
    expect(together).not.toContain(alone)
    expect(await recorded(workspace)).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ])
  })

  test('see what the one before them left, as if it had been committed', async () => {
    const workspace = await found()
    const { end } = await occupied(workspace)
    const seen = ['a', 'b'].map((by) =>
      journal.change({ workspace }, async (ws) => {
        const rows = await ws.tx.execute(sql`select seq from events where workspace_id = ${workspace}`)
        ws.append(done, { by }, SYSTEM)
        return { rows: rows.length, next: ws.nextSeq }
      }),
    )
    end()
    expect(await Promise.all(seen)).toEqual([
      { rows: 0, next: 2 },
      { rows: 1, next: 3 },
    ])
  })

  test('a refusal among them takes nothing back but its own', async () => {
    const workspace = await found()
    const { end } = await occupied(workspace)
    const before = journal.change({ workspace }, note('before'))
    const refused = journal.change({ workspace }, async (ws) => {
      ws.append(done, { by: 'refused' }, SYSTEM)
      await Promise.resolve()
      throw new AppError('CLAIM_NOT_FOUND')
    })
    const after = journal.change({ workspace }, note('after'))
    end()
    await expect(refused).rejects.toThrow(expect.objectContaining({ code: 'CLAIM_NOT_FOUND' }))
    expect(await before).toBe(await after)
    expect(await recorded(workspace)).toEqual([
      [1, 'before'],
      [2, 'after'],
    ])
  })

  test('what a refused one did to fences is taken back too', async () => {
    const workspace = await found()
    const { end } = await occupied(workspace)
    const refused = journal.change({ workspace }, async (ws) => {
      ws.raiseFences()
      return Promise.reject(new AppError('CLAIM_NOT_FOUND'))
    })
    const after = journal.change({ workspace }, async (ws) => Promise.resolve(ws.nextFence))
    end()
    await expect(refused).rejects.toMatchObject({ code: 'CLAIM_NOT_FOUND' })
    expect(await after).toBe(1)
  })

  test.each([
    [
      'a refusal after something was sent',
      /claim/i,
      async (ws: WorkspaceTx) => {
        ws.append(done, { by: 'half' }, SYSTEM)
        await ws.flush()
        throw new AppError('CLAIM_NOT_FOUND')
      },
    ],
    ['a statement that fails', /22012/, async (ws: WorkspaceTx) => ws.tx.execute(sql`select 1 / 0`)],
    [
      'a write that fails',
      /22012/,
      async (ws: WorkspaceTx) => {
        ws.write((tx) => tx.execute(sql`select 1 / 0`))
        return Promise.resolve()
      },
    ],
    [
      'a bug',
      /a bug/,
      async () => {
        await Promise.resolve()
        throw new TypeError('a bug')
      },
    ],
  ])('%s spoils no other’s change', async (_name, said: RegExp, spoil: (ws: WorkspaceTx) => Promise<unknown>) => {
    const workspace = await found()
    const { end } = await occupied(workspace)
    const before = journal.change({ workspace }, note('before'))
    const spoiled = journal.change({ workspace }, spoil)
    const after = journal.change({ workspace }, note('after'))
    end()
    await expect(spoiled).rejects.toThrow(said)
    await Promise.all([before, after])
    const events = await journal.read(workspace, 0, 100)
    expect(new Set(events.map(({ payload }) => payload['by']))).toEqual(new Set(['after', 'before']))
    expect(events).toHaveLength(2)
  })

  test('each runs in the context of its own request', async () => {
    const workspace = await found()
    const request = new AsyncLocalStorage<string>()
    const { end } = await occupied(workspace)
    const seen = ['one', 'two'].map((id) =>
      request.run(id, () =>
        journal.change({ workspace }, async ({ tx }) => {
          await tx.execute(sql`select 1`)
          return request.getStore()
        }),
      ),
    )
    end()
    expect(await Promise.all(seen)).toEqual(['one', 'two'])
  })

  test('other workspaces do not wait', async () => {
    const [busy, free] = await Promise.all([found(), found()])
    const { first, end } = await occupied(busy)
    await journal.change({ workspace: free }, note('free'))
    expect(await recorded(free)).toEqual([[1, 'free']])
    end()
    await first
  })

  test('when the database is away, all that wait are told so with the one that noticed', async () => {
    const database = connect({ host: '/nonexistent', port: 1, database: 'none', username: 'none' })
    const away = createJournal({ database, eventTypes: [], expire: [], log: quiet })
    const started = performance.now()
    const calls = Array.from({ length: 5 }, () => away.change({ workspace: 'ws_any' }, note('never')))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as AppError).code)).toEqual(
      Array.from({ length: 5 }, () => 'UNAVAILABLE'),
    )
    // One wait for a connection, not one for each turn.
    expect(performance.now() - started).toBeLessThan(2_900)
    await database.close()
  })
})

describe('the line', () => {
  const createLine = (most: number) => {
    const turns: { items: readonly string[]; end: (error?: Error) => void }[] = []
    const refused: [string, unknown][] = []
    const queue = createQueue<string>({
      most,
      patienceMs: 100,
      run: (_key, items) =>
        new Promise((resolve, reject) => {
          turns.push({ items, end: (error) => (error === undefined ? resolve() : reject(error)) })
        }),
      refuse: (item, error) => refused.push([item, error]),
    })
    const latest = () => turns.at(-1)
    return { queue, turns, refused, latest }
  }

  test('runs the first at once, and the others in turns of bounded size', async () => {
    const { queue, turns, latest } = createLine(2)
    for (const item of ['1', '2', '3', '4', '5']) queue.add('key', item)
    for (const count of [1, 2, 3]) {
      await vi.waitFor(() => expect(turns).toHaveLength(count))
      latest()?.end()
    }
    queue.add('key', '6')
    await vi.waitFor(() => expect(turns).toHaveLength(4))
    expect(turns.map(({ items }) => items)).toEqual([['1'], ['2', '3'], ['4', '5'], ['6']])
  })

  test('what has waited too long is refused, and never run', async () => {
    vi.useFakeTimers()
    try {
      const { queue, turns, refused, latest } = createLine(2)
      queue.add('key', 'slow')
      queue.add('key', 'late')
      await vi.advanceTimersByTimeAsync(99)
      queue.add('key', 'in time')
      await vi.advanceTimersByTimeAsync(1)
      expect(refused).toEqual([['late', undefined]])
      latest()?.end()
      await vi.advanceTimersByTimeAsync(0)
      expect(turns.map(({ items }) => items)).toEqual([['slow'], ['in time']])
    } finally {
      vi.useRealTimers()
    }
  })

  test('a turn that cannot be had is told to all that wait for the next, and the one after that is tried', async () => {
    const { queue, turns, refused, latest } = createLine(2)
    for (const item of ['1', '2', '3', '4']) queue.add('key', item)
    const away = new Error('away')
    latest()?.end(away)
    await vi.waitFor(() => expect(refused).toHaveLength(4))
    expect(refused).toEqual(['1', '2', '3', '4'].map((item) => [item, away]))
    queue.add('key', '5')
    await vi.waitFor(() => expect(turns).toHaveLength(2))
    expect(latest()?.items).toEqual(['5'])
  })
})
