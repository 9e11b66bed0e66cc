import { randomBytes } from 'node:crypto'
import { parse, serialize } from 'hono/utils/cookie'
import { z } from 'zod'
import type { Config } from '../../config.ts'
import type { Database } from '../../db/client.ts'
import { databaseNow } from '../../db/clock.ts'
import type { Sealer } from '../../kernel/sealer.ts'
import { equalSecrets, sha256 } from '../crypto.ts'
import { AUTH_LIMITS } from '../limits.ts'
import { after, purge } from '../purge.ts'
import { spentTrips } from '../schema.ts'
import type { Trip, Upstream } from './upstream.ts'

/** What we must remember of a sign-in while the person is at the upstream. */
const Purpose = z.object({
  /** Where to go on: a path of ours (safeNext). */
  next: z.string(),
  knowsSetUpCode: z.boolean(),
  /** Not to sign in, but to add the identity to the person who is signed in with this session. */
  addInSession: z.string().optional(),
})

export type Purpose = z.infer<typeof Purpose>

const SealedTrip = Purpose.extend({
  upstream: z.string(),
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
})

/**
 * Sign-ins that are under way. Each is sealed into a cookie, so that only the browser that began it can end it, within
 * ten minutes and once (S-34): what came back is remembered until its time is over.
 */
export interface Trips {
  /** A new one, and the Set-Cookie header for it; null when `next` is too long for a cookie. */
  begin(upstream: Upstream, purpose: Purpose): Promise<{ trip: Trip; cookie: string } | null>
  /** The one that this answer of the upstream ends, for good; null when there is none. */
  end(request: Request, upstream: Upstream, answer: URLSearchParams): Promise<{ trip: Trip; purpose: Purpose } | null>
  /** The Set-Cookie header that removes the cookie. */
  readonly noCookie: string
}

export function createTrips(database: Database, config: Pick<Config, 'publicUrl'>, sealer: Sealer): Trips {
  const secure = config.publicUrl.startsWith('https:')
  const name = secure ? '__Host-ork_trip' : 'ork_trip'
  // Lax: it comes back with a navigation that the upstream's site started.
  const cookie = (value: string, maxAgeSeconds: number) =>
    serialize(name, value, { path: '/', httpOnly: true, secure, sameSite: 'Lax', maxAge: maxAgeSeconds })

  return {
    noCookie: cookie('', 0),
    async begin(upstream, purpose) {
      const trip = { state: secret(), nonce: secret(), codeVerifier: secret() }
      const sealed = await sealer.seal({ ...trip, ...purpose, upstream: upstream.id }, AUTH_LIMITS.upstreamTripSeconds)
      if (name.length + sealed.length > AUTH_LIMITS.upstreamTripCookieBytes) return null
      return { trip, cookie: cookie(sealed, AUTH_LIMITS.upstreamTripSeconds) }
    },
    async end(request, upstream, answer) {
      const sealed = parse(request.headers.get('cookie') ?? '', name)[name]
      const opened = SealedTrip.safeParse(sealed === undefined ? null : await sealer.open(sealed))
      if (!opened.success || opened.data.upstream !== upstream.id) return null
      const { state, nonce, codeVerifier } = opened.data
      if (upstream.returnsState && !isOnly(answer.getAll('state'), state)) return null
      const isFirst = await spend(database, sha256(state))
      return isFirst ? { trip: { state, nonce, codeVerifier }, purpose: Purpose.parse(opened.data) } : null
    },
  }
}

function isOnly([value, ...more]: readonly string[], expected: string): boolean {
  return value !== undefined && more.length === 0 && equalSecrets(value, expected)
}

/** 256 bits in 43 characters: enough for each of the three, and the length that a PKCE verifier must have (RFC 7636 §4.1). */
function secret(): string {
  return randomBytes(32).toString('base64url')
}

/** @returns true once. */
async function spend(database: Database, tripHash: string): Promise<boolean> {
  return database.transaction(async (tx) => {
    const now = await databaseNow(tx)
    const rows = await tx
      .insert(spentTrips)
      .values({ tripHash, expiresAt: after(now, AUTH_LIMITS.upstreamTripSeconds) })
      .onConflictDoNothing()
      .returning({ tripHash: spentTrips.tripHash })
    await purge(tx, spentTrips, { key: spentTrips.tripHash, time: spentTrips.expiresAt }, now)
    return rows.length > 0
  })
}
