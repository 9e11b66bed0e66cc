import { and, count, eq, gt, ne, type SQL, sql } from 'drizzle-orm'
import { parse, serialize } from 'hono/utils/cookie'
import type { Config } from '../config.ts'
import type { Database, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { entry, type EntryPayloads, type NewEntry, person } from '../modules/audit/entry.ts'
import { record } from '../modules/audit/store.ts'
import { users } from '../modules/tenancy/schema.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { after, ago, purge } from './purge.ts'
import { browserSessions } from './schema.ts'
import { newToken, tokenKind } from './token-format.ts'

/** The person that a browser is signed in as. */
export interface BrowserUser {
  readonly userId: string
  readonly name: string
  readonly email: string
  /** For a hidden field of every form of this person's session; worth nothing in any other session. */
  readonly csrfToken: string
}

/** A signed-in browser, with what else inside auth is bound to this very session. */
export interface BrowserSession extends BrowserUser {
  readonly sessionHash: string
}

/** Why a session begins. */
export type Beginning = 'signed_up' | 'signed_in' | 'password_changed'

/** Where somebody comes from who signs in. */
export interface Arrival {
  /** password, or the issuer that vouched for them. */
  readonly way: string
  /** As client-address.ts says it. */
  readonly address: string
}

/**
 * Begins a session, with an id that nobody knew before (S-36), in the transaction that proved who the person is, and puts
 * that on record: so it has to be the last thing that the transaction does.
 *
 * @returns the Set-Cookie header.
 */
export type BeginSession = (tx: Tx, userId: string, now: Date, because: Beginning) => Promise<string>

export interface BrowserSessions {
  /** The session of a request, or null. */
  find(request: Request): Promise<BrowserSession | null>
  /** How a session begins for the browser that sent this request. It ends the one that the browser had. */
  starting(request: Request, arrival: Arrival): BeginSession
  /** The same, and ends every session that the person has in other browsers. */
  startingAlone(request: Request, arrival: Arrival): BeginSession
  /** How many other browsers the person is signed in with. */
  countOthers(session: Pick<BrowserSession, 'userId' | 'sessionHash'>): Promise<number>
  /** Ends all sessions of the person but this one. */
  endOthers(session: BrowserSession, address: string): Promise<void>
  /** Ends the session of a request. @returns the Set-Cookie header that removes the cookie. */
  end(request: Request, address: string): Promise<string>
}

export function createBrowserSessions(database: Database, config: Config): BrowserSessions {
  const secure = config.publicUrl.startsWith('https:')
  // Browsers disagree on Secure cookies over http://localhost, and __Host- needs Secure.
  const cookieName = secure ? '__Host-ork_session' : 'ork_session'
  const cookie = (value: string, maxAgeSeconds: number) =>
    serialize(cookieName, value, { path: '/', httpOnly: true, secure, sameSite: 'Lax', maxAge: maxAgeSeconds })
  const tokenOf = (request: Request): string | null => {
    const token = parse(request.headers.get('cookie') ?? '', cookieName)[cookieName]
    return token !== undefined && tokenKind(token) === 'bs' ? token : null
  }
  /** @returns the entries for the log of whoever's it was */
  const endSession = async (tx: Tx, request: Request, payload: SessionEnded): Promise<NewEntry[]> => {
    const token = tokenOf(request)
    if (token === null) return []
    const ended = await tx
      .delete(browserSessions)
      .where(eq(browserSessions.tokenHash, sha256(token)))
      .returning({ userId: browserSessions.userId })
    return ended.map(({ userId }) => entry(userId, 'session.ended', payload, person(userId)))
  }
  const insert = async (tx: Tx, userId: string, now: Date) => {
    const token = newToken('bs')
    const expiresAt = after(now, AUTH_LIMITS.sessionTtlSeconds)
    await tx
      .insert(browserSessions)
      .values({ tokenHash: sha256(token), userId, createdAt: now, lastSeenAt: now, expiresAt })
    await purge(tx, browserSessions, { key: browserSessions.tokenHash, time: browserSessions.expiresAt }, now)
    return cookie(token, AUTH_LIMITS.sessionTtlSeconds)
  }

  return {
    async find(request) {
      const token = tokenOf(request)
      return token === null ? null : findSession(database, token)
    },
    starting: (request, arrival) => async (tx, userId, now, because) => {
      const before = await endSession(tx, request, { reason: 'replaced', address: arrival.address })
      const cookie = await insert(tx, userId, now)
      await record(tx, [...before, ...begun(userId, because, arrival)])
      return cookie
    },
    startingAlone: (request, arrival) => async (tx, userId, now, because) => {
      const { address } = arrival
      const before = await endSession(tx, request, { reason: 'replaced', address })
      const others = await endSessions(tx, eq(browserSessions.userId, userId))
      const cookie = await insert(tx, userId, now)
      const ended = endedOthers(userId, others, 'password_changed', address)
      await record(tx, [...before, ...ended, ...begun(userId, because, arrival)])
      return cookie
    },
    countOthers: ({ userId, sessionHash }) =>
      database.query(async (orm) => {
        const live = and(othersOf(userId, sessionHash), isLiveSession(await databaseNow(orm)))
        const [row] = await orm.select({ count: count() }).from(browserSessions).where(live)
        return row?.count ?? 0
      }),
    endOthers: ({ userId, sessionHash }, address) =>
      database.transaction(async (tx) => {
        const others = await endSessions(tx, othersOf(userId, sessionHash))
        await record(tx, endedOthers(userId, others, 'person', address))
      }),
    async end(request, address) {
      await database.transaction(async (tx) =>
        record(tx, await endSession(tx, request, { reason: 'signed_out', address })),
      )
      return cookie('', 0)
    },
  }
}

type SessionEnded = EntryPayloads['session.ended']

function begun(userId: string, because: Beginning, arrival: Arrival): NewEntry[] {
  const { way, address } = arrival
  const who = person(userId)
  const before = {
    signed_up: [entry(userId, 'account.created', { way, address }, who)],
    signed_in: [],
    password_changed: [entry(userId, 'password.changed', { address }, who)],
  }[because]
  return [...before, entry(userId, 'session.began', { way, address }, who)]
}

function endedOthers(
  userId: string,
  count: number,
  reason: EntryPayloads['sessions.ended']['reason'],
  address: string,
): NewEntry[] {
  return count === 0 ? [] : [entry(userId, 'sessions.ended', { count, reason, address }, person(userId))]
}

/** @returns how many there were */
async function endSessions(tx: Tx, which: SQL | undefined): Promise<number> {
  const ended = await tx.delete(browserSessions).where(which).returning({ userId: browserSessions.userId })
  return ended.length
}

function othersOf(userId: string, sessionHash: string): SQL | undefined {
  return and(eq(browserSessions.userId, userId), ne(browserSessions.tokenHash, sessionHash))
}

/** The condition that a session is neither past its end nor idle for too long. */
export function isLiveSession(now: Date): SQL | undefined {
  const idleSince = ago(now, AUTH_LIMITS.sessionIdleSeconds)
  return and(gt(browserSessions.expiresAt, now), gt(browserSessions.lastSeenAt, idleSince))
}

async function findSession(database: Database, token: string): Promise<BrowserSession | null> {
  const sessionHash = sha256(token)
  return database.query(async (orm) => {
    const now = await databaseNow(orm)
    const live = and(eq(browserSessions.tokenHash, sessionHash), isLiveSession(now))
    const rows = await orm
      .select({ userId: users.id, name: users.name, email: users.email, lastSeenAt: browserSessions.lastSeenAt })
      .from(browserSessions)
      .innerJoin(users, eq(users.id, browserSessions.userId))
      .where(live)
    const [row] = rows
    if (row === undefined) return null
    if (row.lastSeenAt < ago(now, AUTH_LIMITS.touchSeconds)) {
      await orm
        .update(browserSessions)
        .set({ lastSeenAt: sql`clock_timestamp()` })
        .where(eq(browserSessions.tokenHash, sessionHash))
    }
    const { userId, name, email } = row
    return { userId, name, email, sessionHash, csrfToken: csrfTokenOf(token) }
  })
}

/** Derived from the session's secret, so that it needs no storage and tells nothing about that secret. */
function csrfTokenOf(token: string): string {
  return sha256(`csrf:${token}`)
}
