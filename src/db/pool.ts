import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { Logger } from 'drizzle-orm/logger'
import type postgres from 'postgres'
import type { Metrics } from '../kernel/metrics.ts'
import { setScope, type Scope } from './scope.ts'

/**
 * Our own pool, of clients with one connection each, because of what postgres.js 3.4.9 does when a backend dies while a
 * transaction is between two statements: it writes the next one (or its own ROLLBACK) to a socket that is gone, outside
 * of any promise, and the process ends (porsager/postgres#1208; seen here each time). So transactions are begun and
 * ended by us, no statement is sent to a connection that has closed, and a client that has lost its connection is
 * thrown away with all its state.
 *
 * And because of what it does when the socket has an error, as when PostgreSQL is killed: it rejects what was sent before
 * the `error`, and forgets what is sent between that and the `close`, as our ROLLBACK is just then. So a connection
 * rejects, as it closes, whatever was not answered.
 */

/**
 * Statements with parameters are prepared, once for each connection. Without it the driver asks for the types of the
 * parameters first, in a round trip in which nothing else is sent: what is sent together would go one by one. And
 * PostgreSQL would parse and plan each of them every time, policies included. Measured at 300 live claims, in CPU time of
 * server and database together: claim_scope 5.9 ms instead of 9.0, read_values 4.9 instead of 7.8.
 *
 * One with more parameters than this has a list in it, and hardly comes again in that length.
 */
const MAX_PREPARED_PARAMETERS = 32

/** A connection that has prepared more than this is replaced: lists have many lengths, and a statement takes 40 KB. */
const MAX_PREPARED = 250

/**
 * Plans of prepared statements are made anew after this, 10 to 20 ms of work for all that a connection uses. PostgreSQL
 * would keep one that was made while its tables were nearly empty until they are analysed, a minute or more.
 */
const PLANS_KEPT_MS = 10_000

/** What a fixed statement takes: instants as ISO text, lists and objects as JSON. */
export type Parameter = string | number | boolean | null | Uint8Array

export interface FixedStatements {
  /**
   * Sends a statement as it is written, for the few that every call needs. To build one takes the query builder longer than it
   * takes PostgreSQL to run it: 60 % of the server's CPU time in a claim_scope call (2026-11-26, profile of the same
   * statements built and written).
   */
  fixed<Row extends object>(text: string, parameters: readonly Parameter[]): Promise<Row[]>
}

/** A query builder bound to one connection. */
export type Orm = Omit<PostgresJsDatabase, 'transaction'> & FixedStatements

/** The query builder for a client, which must send everything over one connection. */
export function ormOf(client: postgres.Sql, logger?: Logger): Orm {
  const orm = drizzle(client, logger === undefined ? {} : { logger })
  return Object.assign(orm, {
    fixed: async <Row extends object>(text: string, parameters: readonly Parameter[]): Promise<Row[]> => {
      logger?.logQuery(text, [...parameters])
      return client.unsafe<Row[]>(text, [...parameters])
    },
  })
}

export interface Connection {
  readonly orm: Orm
  /** For BEGIN, COMMIT and ROLLBACK. */
  run(statement: string): Promise<void>
  /**
   * BEGIN and the scope, in one message. It is on its way when this returns, before anything else is; should it fail, the
   * connection is cut, so that what follows does not go on without them.
   *
   * @throws Error, with nothing sent, where there is no such scope
   */
  begin(statement: 'begin' | 'begin isolation level repeatable read read only', scope: Scope): Promise<void>
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
  /** It has prepared so much that a new one is better. */
  worn(): boolean
  /** To be called when it is lent: forgets plans that are too old. */
  refresh(): void
}

/**
 * @param open makes a client with one connection, which calls `onclose` when it is closed
 * @param size the most connections at the same time
 */
export function createPool(open: (onclose: () => void) => postgres.Sql, size: number, metrics: Metrics): Pool {
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
    if (closed || member.worn()) member.discard()
    else if (member.alive()) idle.push(member)
    waiting.shift()?.()
  }

  return {
    async lend(cancelled, work) {
      const acquired = metrics.timer('orkestrate_db_acquire_duration_seconds')
      const noLongerWaiting = metrics.hold('orkestrate_db_calls_waiting', {})
      const member = await acquire(cancelled).finally(noLongerWaiting)
      acquired({})
      const noLongerInUse = metrics.hold('orkestrate_db_connections_in_use', {})
      member.refresh()
      try {
        return await work(member)
      } finally {
        noLongerInUse()
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
  let plannedAt = performance.now()
  const sent = new Set<Statement>()
  const client = open(() => {
    alive = false
    for (const statement of sent) statement.reject(new ConnectionClosed('the connection to the database was closed'))
    sent.clear()
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
    const prepared = new Set<string>()
    let committed = false
    const guarded = guard(client, reserved, { prepared, sent }, () => {
      if (!alive) throw new ConnectionClosed('the connection to the database was closed')
      if (committed) throw new Error('this statement comes after the COMMIT of its transaction, and would stand alone')
    })
    return {
      client,
      orm: ormOf(guarded),
      async run(statement) {
        committed = false
        const asked = guarded.unsafe(statement)
        committed = statement === 'commit'
        await asked
      },
      begin(statement, scope) {
        // Thrown here and not in the promise: what is sent behind it must not be.
        const opening = `${statement};${setScope(scope)}`
        committed = false
        return guarded.unsafe(opening).then(
          () => undefined,
          (error: unknown) => {
            discard()
            throw error
          },
        )
      },
      discard,
      alive: () => alive,
      worn: () => prepared.size > MAX_PREPARED,
      refresh() {
        committed = false
        // Answered, all but a last COMMIT that nobody waits for.
        sent.clear()
        if (performance.now() - plannedAt < PLANS_KEPT_MS) return
        plannedAt = performance.now()
        // Nobody has to wait for it: what comes next on the connection comes after it.
        guarded.unsafe('discard plans').catch(discard)
      },
    }
  } catch (error) {
    discard()
    throw error
  }
}

/** The driver's own way to answer a statement, which its types do not show. Does nothing where it was answered. */
interface Statement {
  reject(error: Error): void
}

/**
 * The client as drizzle wants it, sending through its reserved connection, and nothing once that is gone.
 *
 * @param notes takes down what is prepared, and what is sent
 * @param mayStill throws where nothing may be sent
 */
function guard(
  client: postgres.Sql,
  reserved: postgres.ReservedSql,
  notes: { readonly prepared: Set<string>; readonly sent: Set<Statement> },
  mayStill: () => void,
): postgres.Sql {
  const noted = <Query>(asked: Query): Query => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what postgres.js makes of every statement
    notes.sent.add(asked as Statement)
    return asked
  }
  const unsafe: postgres.Sql['unsafe'] = (statement, parameters = []) => {
    mayStill()
    const prepare = parameters.length > 0 && parameters.length <= MAX_PREPARED_PARAMETERS
    if (prepare) notes.prepared.add(statement)
    return noted(reserved.unsafe(statement, parameters, { prepare }))
  }
  return new Proxy(client, {
    get: (target, key, receiver) => (key === 'unsafe' ? unsafe : (Reflect.get(target, key, receiver) as unknown)),
  })
}
