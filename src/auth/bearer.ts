import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Config } from '../config.ts'
import type { Database, Orm } from '../db/client.ts'
import { type Principal, SCOPES } from '../kernel/principal.ts'
import { users } from '../modules/tenancy/schema.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { resourceMetadataUrl } from './metadata.ts'
import { opens, type Resource } from './resource.ts'
import { accessTokens, clients, grants } from './schema.ts'
import { createTokenCache } from './token-cache.ts'
import { tokenKind } from './token-format.ts'

/** What is known about a valid access token. */
export interface ProvenToken {
  readonly principal: Principal
  readonly resource: string
}

export interface Bearer {
  /**
   * The caller behind an Authorization header; null when it is missing, malformed, unknown, expired, revoked, or for
   * another resource.
   *
   * @throws AppError UNAVAILABLE when the database is away and nothing recent is known about the token.
   */
  authenticate(authorization: string | undefined, resource: Resource): Promise<Principal | null>
  /** Forgets every proven token. */
  forget(): void
}

/** RFC 6750 §2.1; the scheme compares without case. */
export function bearerToken(authorization: string | undefined): string | null {
  return /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? '')?.[1] ?? null
}

/** RFC 9728 §5.1 and RFC 6750 §3: where to find out how to sign in, and which scopes to ask for. */
export function challenge(publicUrl: string, tokenSent: boolean): string {
  const parameters = [`resource_metadata="${resourceMetadataUrl(publicUrl)}"`, `scope="${SCOPES.join(' ')}"`]
  if (tokenSent) parameters.unshift('error="invalid_token"')
  return `Bearer ${parameters.join(', ')}`
}

export function createBearer(database: Database, config: Config): Bearer {
  const cache = createTokenCache<ProvenToken>(AUTH_LIMITS.tokenCacheMs, AUTH_LIMITS.tokenCacheEntries, () =>
    performance.now(),
  )
  return {
    async authenticate(authorization, resource) {
      const token = bearerToken(authorization)
      if (token === null || tokenKind(token) !== 'at') return null
      const tokenHash = sha256(token)
      const proven =
        cache.get(tokenHash) ??
        (await cache.fill(tokenHash, () => database.query((orm) => findAccessToken(orm, tokenHash))))
      return proven !== null && opens(config.publicUrl, proven.resource, resource) ? proven.principal : null
    },
    forget: () => cache.clear(),
  }
}

/** Judged by the database's clock, in the statement that reads. */
async function findAccessToken(orm: Orm, tokenHash: string) {
  const rows = await orm
    .select({
      userId: users.id,
      userName: users.name,
      grantId: grants.id,
      clientId: clients.id,
      clientName: clients.name,
      scopes: accessTokens.scopes,
      resource: grants.resource,
      remainingMs: sql<number>`(extract(epoch from ${accessTokens.expiresAt} - clock_timestamp()) * 1000)::float8`,
      touchDue: sql<boolean>`coalesce(${grants.lastUsedAt} < clock_timestamp() - ${AUTH_LIMITS.touchSeconds} * interval '1 second', true)`,
    })
    .from(accessTokens)
    .innerJoin(grants, eq(grants.id, accessTokens.grantId))
    .innerJoin(users, eq(users.id, grants.userId))
    .innerJoin(clients, eq(clients.id, grants.clientId))
    .where(and(eq(accessTokens.tokenHash, tokenHash), isNull(grants.revokedAt)))
  const [row] = rows
  if (row === undefined || row.remainingMs <= 0) return null
  const { remainingMs, touchDue, resource, ...principal } = row
  if (touchDue) {
    await orm
      .update(grants)
      .set({ lastUsedAt: sql`clock_timestamp()` })
      .where(eq(grants.id, principal.grantId))
  }
  return { value: { principal, resource }, validMs: remainingMs }
}
