import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type postgres from 'postgres'

/**
 * Our own pool, of clients with one connection each, because of what postgres.js 3.4.9 does when a backend dies while a
 * transaction is between two statements: it writes the next one (or its own ROLLBACK) to a socket that is gone, outside
 * of any promise, and the process ends (porsager/postgres#1208; seen here each time). So transactions are begun and
 * ended by us, no statement is sent to a connection that has closed, and a client that has lost its connection is
 * thrown away with all its state.
 */

/** A query builder bound to one connection. */
export type Orm = Omit<PostgresJsDatabase, 'transaction'>

export interface Connection {
  readonly orm: Orm
  /** For BEGIN, COMMIT and ROLLBACK. */
  run(statement: string): Promise<void>
  /** Cuts the connection: whatever waits on it is rejected, and nobody gets it again. */
  discard(): void
}

export interface Pool {
  /**
   * Runs `work` on a connection that nobody else has meanwhile, waiting for one where all are lent.
   *
   * @param cancelled asked when a connection is there: a caller that has gone gets none, and is rejected
   */
  lend<T>(cancelled: () => boolean, work: (connection: Connection) => Promise<T>): Promise<T>
  /** Resolves when every connection is closed; those that are lent are closed as they come back. */
  close(): Promise<void>
}

/** What the driver says of a connection that is gone, so that it is translated like it (db/errors.ts). */
class ConnectionClosed extends Error {
  readonly code = 'CONNECTION_CLOSED'
}

interface Member extends Connection {
  readonly client: postgres.Sql
  alive(): boolean
}

/**
 * @param open makes a client with one connection, which calls `onclose` when it is closed
 * @param size the most connections at the same time
 */
export function createPool(open: (onclose: () => void) => postgres.Sql, size: number): Pool {
  const idle: Member[] = []
  const waiting: (() => void)[] = []
  let lent = 0
  let closed = false

  async function acquire(cancelled: () => boolean): Promise<Member> {
    for (;;) {
      if (closed || cancelled()) {
        // Woken for a connection that it does not take: the next one may.
        waiting.shift()?.()
        throw new ConnectionClosed('no connection to the database')
      }
      if (lent < size) break
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    }
    lent += 1
    for (let member = idle.pop(); member !== undefined; member = idle.pop()) if (member.alive()) return member
    try {
      return await createMember(open)
    } catch (error) {
      lent -= 1
      waiting.shift()?.()
      throw error
    }
  }

  function giveBack(member: Member): void {
    lent -= 1
    if (closed) member.discard()
    else if (member.alive()) idle.push(member)
    waiting.shift()?.()
  }

  return {
    async lend(cancelled, work) {
      const member = await acquire(cancelled)
      try {
        return await work(member)
      } finally {
        giveBack(member)
      }
    },

    async close() {
      closed = true
      for (const wake of waiting.splice(0)) wake()
      await Promise.all(idle.splice(0).map((member) => member.client.end({ timeout: 0 })))
    },
  }
}

async function createMember(open: (onclose: () => void) => postgres.Sql): Promise<Member> {
  let alive = true
  const client = open(() => {
    alive = false
  })
  const discard = () => {
    alive = false
    // The network may be gone: nobody waits for this.
    client.end({ timeout: 0 }).catch(() => undefined)
  }
  try {
    // Reserved for good: what waits in the client's own queue when the connection dies is sent again on the next one,
    // outside of the transaction that it belonged to (seen under kill -9). A reserved connection's queue dies with it.
    // The statement before it: without array types to ask for, a first `reserve` never resolves (postgres.js 3.4.9).
    await client.unsafe('select 1')
    const reserved = await client.reserve()
    const guarded = guard(client, reserved, () => alive)
    return {
      client,
      orm: drizzle(guarded),
      async run(statement) {
        await guarded.unsafe(statement)
      },
      discard,
      alive: () => alive,
    }
  } catch (error) {
    discard()
    throw error
  }
}

/** The client as drizzle wants it, sending through its reserved connection, and nothing once that is gone. */
function guard(client: postgres.Sql, reserved: postgres.ReservedSql, alive: () => boolean): postgres.Sql {
  return new Proxy(client, {
    get(target, key, receiver) {
      if (key === 'unsafe' && !alive()) throw new ConnectionClosed('the connection to the database was closed')
      return Reflect.get(key === 'unsafe' ? reserved : target, key, receiver) as unknown
    },
  })
}
