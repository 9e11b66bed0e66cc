import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Config } from '../config.ts'
import type { Database, Orm } from '../db/client.ts'
import { AppError } from '../kernel/errors.ts'
import { type Principal, type Scope, SCOPES } from '../kernel/principal.ts'
import { users } from '../modules/tenancy/schema.ts'
import { createAnswerCache } from './answer-cache.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { resourceMetadataUrl } from './metadata.ts'
import { opens, type Resource } from './resource.ts'
import { findPersonalToken } from './personal-tokens.ts'
import { accessTokens, clients, grants } from './schema.ts'
import { scopeText } from './scope.ts'
import { type TokenKind, tokenKind } from './token-format.ts'

/** What is known about a valid access token. */
export interface ProvenToken {
  readonly principal: Principal
  /** Null: whatever is ours. */
  readonly resource: string | null
}

export interface Bearer {
  /**
   * The caller behind an Authorization header; null when it is missing, malformed, unknown, expired, revoked, or for
   * another resource.
   *
   * @throws AppError UNAVAILABLE when the database is away and nothing recent is known about the token.
   */
  authenticate(authorization: string | undefined, resource: Resource): Promise<Principal | null>
  /** Forgets every proven token of the person, or of everybody. */
  forget(userId?: string): void
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

/**
 * Refuses a token that was not granted what the request needs. The challenge names that and what the token has already
 * (RFC 6750 §3.1): clients ask for exactly what a challenge says, and would lose the one by asking for the other.
 *
 * @throws AppError FORBIDDEN_SCOPE
 */
export function requireScope(
  publicUrl: string,
  { scopes }: { readonly scopes: readonly string[] },
  scope: Scope,
): void {
  if (scopes.includes(scope)) return
  const parameters = [
    'error="insufficient_scope"',
    `resource_metadata="${resourceMetadataUrl(publicUrl)}"`,
    `scope="${scopeText([...scopes, scope])}"`,
  ]
  throw new AppError('FORBIDDEN_SCOPE', 'The token lacks the scope that this request needs.', {
    details: { requiredScope: scope },
    challenge: `Bearer ${parameters.join(', ')}`,
  })
}

/** @param onProven called whenever a token is looked up, before what is found is remembered */
export function createBearer(database: Database, config: Config, onProven: () => void): Bearer {
  const cache = createAnswerCache<ProvenToken>(AUTH_LIMITS.tokenCacheMs, AUTH_LIMITS.tokenCacheEntries, () =>
    performance.now(),
  )
  const prove = async (token: string, tokenHash: string): Promise<ProvenToken | null> => {
    const find = LOOKUPS[tokenKind(token) ?? 'rt']
    return find === null ? null : cache.fill(tokenHash, () => database.query((orm) => find(orm, tokenHash)))
  }
  return {
    async authenticate(authorization, resource) {
      const token = bearerToken(authorization)
      if (token === null) return null
      const tokenHash = sha256(token)
      onProven()
      const proven = cache.get(tokenHash) ?? (await prove(token, tokenHash))
      if (proven === null) return null
      const fits = proven.resource === null || opens(config.publicUrl, proven.resource, resource)
      return fits ? proven.principal : null
    },
    forget: (userId) => cache.clear(({ principal }) => userId === undefined || principal.userId === userId),
  }
}

type Lookup = (orm: Orm, tokenHash: string) => Promise<{ value: ProvenToken; validMs: number } | null>

/** How each kind of secret that may stand in an Authorization header is looked up. */
const LOOKUPS: Readonly<Record<TokenKind, Lookup | null>> = {
  at: findAccessToken,
  live: findPersonal,
  test: findPersonal,
  rt: null,
  ac: null,
  bs: null,
}

/** A personal token opens what its person's agents and programs may use: MCP and REST. */
async function findPersonal(orm: Orm, tokenHash: string) {
  const found = await findPersonalToken(orm, tokenHash)
  return found === null ? null : { ...found, value: { principal: found.value, resource: null } }
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
  if (touchDue) await touch(orm, principal.grantId)
  return { value: { principal: { ...principal, workspaceId: null }, resource }, validMs: remainingMs }
}

/** Notes that the grant was used; not while a refresh holds its lock, which no call has to wait for. */
async function touch(orm: Orm, grantId: string): Promise<void> {
  const free = orm
    .select({ id: grants.id })
    .from(grants)
    .where(eq(grants.id, grantId))
    .for('update', { skipLocked: true })
  await orm
    .update(grants)
    .set({ lastUsedAt: sql`clock_timestamp()` })
    .where(inArray(grants.id, free))
}
