import { and, eq, gt, sql } from 'drizzle-orm'
import { parse, serialize } from 'hono/utils/cookie'
import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
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

export interface BrowserSessions {
  /** The session of a request, or null. */
  find(request: Request): Promise<BrowserSession | null>
  /**
   * Starts a session, with an id that nobody knew before (S-36), and ends the one that the browser had.
   *
   * @returns the Set-Cookie header.
   */
  start(request: Request, userId: string): Promise<string>
  /** Ends the session of a request. @returns the Set-Cookie header that removes the cookie. */
  end(request: Request): Promise<string>
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

  return {
    async find(request) {
      const token = tokenOf(request)
      return token === null ? null : findSession(database, token)
    },
    async start(request, userId) {
      const previous = tokenOf(request)
      const token = newToken('bs')
      await database.transaction(async (tx) => {
        const now = await databaseNow(tx)
        const expiresAt = after(now, AUTH_LIMITS.sessionTtlSeconds)
        if (previous !== null) await tx.delete(browserSessions).where(eq(browserSessions.tokenHash, sha256(previous)))
        await tx
          .insert(browserSessions)
          .values({ tokenHash: sha256(token), userId, createdAt: now, lastSeenAt: now, expiresAt })
        await purge(tx, browserSessions, { key: browserSessions.tokenHash, time: browserSessions.expiresAt }, now)
      })
      return cookie(token, AUTH_LIMITS.sessionTtlSeconds)
    },
    async end(request) {
      const token = tokenOf(request)
      if (token !== null) {
        await database.query((orm) => orm.delete(browserSessions).where(eq(browserSessions.tokenHash, sha256(token))))
      }
      return cookie('', 0)
    },
  }
}

async function findSession(database: Database, token: string): Promise<BrowserSession | null> {
  const sessionHash = sha256(token)
  return database.query(async (orm) => {
    const now = await databaseNow(orm)
    const live = and(
      eq(browserSessions.tokenHash, sessionHash),
      gt(browserSessions.expiresAt, now),
      gt(browserSessions.lastSeenAt, ago(now, AUTH_LIMITS.sessionIdleSeconds)),
    )
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
