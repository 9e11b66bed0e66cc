import { and, eq, isNull, lt, type SQL } from 'drizzle-orm'
import type { Orm, Tx } from '../db/client.ts'
import type { Scope } from '../kernel/principal.ts'
import { type AccountActor, entry, type NewEntry, person, SERVER } from '../modules/audit/entry.ts'
import { record } from '../modules/audit/store.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { after, ago, purge } from './purge.ts'
import { accessTokens, grants, personalTokens, refreshTokens, type RevocationReason } from './schema.ts'
import { newToken } from './token-format.ts'

export type Grant = typeof grants.$inferSelect
export type RefreshToken = typeof refreshTokens.$inferSelect

/** A minted access token as the token endpoint answers it. */
export interface IssuedAccessToken {
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly scopes: readonly Scope[]
}

/** Locks a grant, and with it everything that happens to its tokens, until the transaction ends. */
export async function lockGrant(tx: Tx, grantId: string): Promise<Grant | null> {
  const rows = await tx.select().from(grants).where(eq(grants.id, grantId)).for('update')
  return rows[0] ?? null
}

/**
 * Has the grant not been revoked? Then it is not until the transaction ends: who revokes it waits, and finds what the
 * transaction has hung on it.
 */
export async function holdGrant(tx: Tx, grantId: string): Promise<boolean> {
  const live = and(eq(grants.id, grantId), isNull(grants.revokedAt))
  const token = and(eq(personalTokens.id, grantId), isNull(personalTokens.revokedAt))
  const [ofGrant, ofToken] = await Promise.all([
    tx.select({ id: grants.id }).from(grants).where(live).for('share'),
    tx.select({ id: personalTokens.id }).from(personalTokens).where(token).for('share'),
  ])
  return ofGrant.length + ofToken.length > 0
}

/** The person who gave the grant. */
export async function userOfGrant(orm: Orm, grantId: string): Promise<string | null> {
  const [ofGrant, ofToken] = await Promise.all([
    orm.select({ userId: grants.userId }).from(grants).where(eq(grants.id, grantId)),
    orm.select({ userId: personalTokens.userId }).from(personalTokens).where(eq(personalTokens.id, grantId)),
  ])
  return (ofGrant[0] ?? ofToken[0])?.userId ?? null
}

/** Is the grant neither revoked nor past its end? */
export function isLive(grant: Grant, now: Date): boolean {
  return grant.revokedAt === null && grant.expiresAt > now
}

export async function issueAccessToken(
  tx: Tx,
  grant: Pick<Grant, 'id' | 'expiresAt'>,
  scopes: readonly Scope[],
  now: Date,
): Promise<IssuedAccessToken> {
  const accessToken = newToken('at')
  const expiresAt = earlier(after(now, AUTH_LIMITS.accessTokenTtlSeconds), grant.expiresAt)
  await tx
    .insert(accessTokens)
    .values({ tokenHash: sha256(accessToken), grantId: grant.id, scopes, issuedAt: now, expiresAt })
  await purge(tx, accessTokens, { key: accessTokens.tokenHash, time: accessTokens.expiresAt }, now)
  return { accessToken, expiresInSeconds: Math.floor((expiresAt.getTime() - now.getTime()) / 1_000), scopes }
}

export async function issueRefreshToken(
  tx: Tx,
  grant: Pick<Grant, 'id' | 'expiresAt'>,
  generation: number,
  now: Date,
): Promise<string> {
  const refreshToken = newToken('rt')
  await tx.insert(refreshTokens).values({
    tokenHash: sha256(refreshToken),
    grantId: grant.id,
    generation,
    issuedAt: now,
    expiresAt: earlier(after(now, AUTH_LIMITS.refreshIdleSeconds), grant.expiresAt),
  })
  // An old generation must be recognised as long as its grant can live.
  const columns = { key: refreshTokens.tokenHash, time: refreshTokens.expiresAt }
  await purge(tx, refreshTokens, columns, ago(now, AUTH_LIMITS.grantTtlSeconds))
  return refreshToken
}

/** The refresh token's row, whatever its state; null when there is none. */
export async function findRefreshToken(orm: Orm | Tx, token: string): Promise<RefreshToken | null> {
  const rows = await orm
    .select()
    .from(refreshTokens)
    .where(eq(refreshTokens.tokenHash, sha256(token)))
  return rows[0] ?? null
}

/**
 * Marks a refresh token as rotated and keeps its successor beside it, sealed. The sealed successors of all earlier
 * generations go: they will never be given out again.
 */
export async function markRotated(tx: Tx, token: RefreshToken, sealedSuccessor: string, now: Date): Promise<void> {
  const older = and(eq(refreshTokens.grantId, token.grantId), lt(refreshTokens.generation, token.generation))
  await tx.update(refreshTokens).set({ sealedSuccessor: null }).where(older)
  const own = eq(refreshTokens.tokenHash, token.tokenHash)
  await tx.update(refreshTokens).set({ rotatedAt: now, sealedSuccessor }).where(own)
}

/**
 * Ends a grant and so all its tokens, for good, and puts that on record: the last work of its transaction. The caller tells
 * the rest of the process after the commit.
 *
 * @returns false when it had ended before.
 */
export async function revokeGrant(tx: Tx, grantId: string, because: RevocationReason, now: Date): Promise<boolean> {
  const ended = await endGrants(tx, eq(grants.id, grantId), because, now)
  await record(tx, ended.map(grantEnded))
  return ended.length > 0
}

/** What ended, for the account log. */
export type EndedGrant = Pick<Grant, 'id' | 'userId' | 'clientId'> & { readonly because: RevocationReason }

/** Ends those grants that have not ended before. @returns them; to put them on record is the caller's. */
export async function endGrants(
  tx: Tx,
  which: SQL | undefined,
  because: RevocationReason,
  now: Date,
): Promise<EndedGrant[]> {
  const rows = await tx
    .update(grants)
    .set({ revokedAt: now, revokedBecause: because })
    .where(and(which, isNull(grants.revokedAt)))
    .returning({ id: grants.id, userId: grants.userId, clientId: grants.clientId })
  return rows.map((row) => ({ ...row, because }))
}

export function grantEnded({ id, userId, clientId, because }: EndedGrant): NewEntry {
  const by: Readonly<Record<RevocationReason, AccountActor>> = {
    client: { kind: 'client', clientId },
    person: person(userId),
    code_replayed: SERVER,
    refresh_token_reused: SERVER,
  }
  return entry(userId, 'grant.revoked', { grantId: id, clientId, because }, by[because])
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b
}
