import { and, desc, eq, gt, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { Config } from '../config.ts'
import type { Database, Orm, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import { type Principal, type Scope, SCOPES } from '../kernel/principal.ts'
import { type AccountActor, entry, type NewEntry } from '../modules/audit/entry.ts'
import { record } from '../modules/audit/store.ts'
import { checkBound } from '../modules/tenancy/founding.ts'
import { users } from '../modules/tenancy/schema.ts'
import { memberOf } from '../modules/tenancy/store.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { after } from './purge.ts'
import { personalTokens } from './schema.ts'
import { newToken } from './token-format.ts'

export type PersonalToken = typeof personalTokens.$inferSelect

/** What sessions and logs say of the client where there is none: whoever holds the token. */
const CLIENT_ID = 'personal-access-token'

/** A token for ever lasts that long in caches, which ask again long before. */
const FOR_EVER_MS = 86_400_000

/** Who a personal access token stands for, judged by the database's clock in the statement that reads. */
export async function findPersonalToken(
  orm: Orm,
  tokenHash: string,
): Promise<{ value: Principal; validMs: number } | null> {
  const [row] = await orm
    .select({
      userId: users.id,
      userName: users.name,
      grantId: personalTokens.id,
      clientName: personalTokens.name,
      scopes: personalTokens.scopes,
      workspaceId: personalTokens.onlyWorkspaceId,
      remainingMs: sql<
        number | null
      >`(extract(epoch from ${personalTokens.expiresAt} - clock_timestamp()) * 1000)::float8`,
      touchDue: sql<boolean>`coalesce(${personalTokens.lastUsedAt} < clock_timestamp() - ${AUTH_LIMITS.touchSeconds} * interval '1 second', true)`,
    })
    .from(personalTokens)
    .innerJoin(users, eq(users.id, personalTokens.userId))
    .where(and(eq(personalTokens.tokenHash, tokenHash), isNull(personalTokens.revokedAt)))
  if (row === undefined || (row.remainingMs !== null && row.remainingMs <= 0)) return null
  const { remainingMs, touchDue, ...principal } = row
  if (touchDue) {
    await orm
      .update(personalTokens)
      .set({ lastUsedAt: sql`clock_timestamp()` })
      .where(eq(personalTokens.id, principal.grantId))
  }
  return { value: { ...principal, clientId: CLIENT_ID }, validMs: remainingMs ?? FOR_EVER_MS }
}

/** A new secret, which says whether it is of a server on the internet or of one on somebody's own machine. */
export function newPersonalToken({ loopbackOnly }: Pick<Config, 'loopbackOnly'>): string {
  return newToken(loopbackOnly ? 'test' : 'live')
}

/** What somebody wants a new token to be. */
export interface TokenWish {
  readonly id: string
  readonly secret: string
  readonly userId: string
  /** Already clean (displayName). */
  readonly name: string
  readonly scopes: readonly Scope[]
  /** The only workspace that it opens; null for all of the person's. */
  readonly workspaceId: string | null
  /** Null: it does not end by itself. */
  readonly expiresInDays: number | null
  /** Who makes it, for the record. */
  readonly actor: AccountActor
}

/**
 * Makes the token that is wished for, once: with the id of one of the person's that is there already it answers with that
 * one, as it is now.
 *
 * @param beside done in the same transaction, where the token is new
 * @throws AppError WORKSPACE_NOT_FOUND, WORKSPACE_LIMIT
 */
export async function makePersonalToken(
  database: Database,
  wish: TokenWish,
  beside: (tx: Tx, token: PersonalToken, now: Date) => Promise<void> = async () => undefined,
): Promise<{ token: PersonalToken; now: Date }> {
  const { id, secret, userId, name, workspaceId, expiresInDays } = wish
  if (workspaceId !== null) {
    const member = await database.read({ user: userId }, (orm) => memberOf(orm, workspaceId, userId))
    if (member === null) throw new AppError('WORKSPACE_NOT_FOUND')
  }
  return database.transaction(async (tx) => {
    // One after the other, so that a person who makes several at once has no more than they may.
    await tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).for('update')
    const now = await databaseNow(tx)
    const known = await personalTokenById(tx, userId, id)
    if (known !== null) return { token: known, now }
    checkBound('tokens of a person', (await livePersonalTokens(tx, userId, now)).length, LIMITS.tokensPerUser)
    const token = await insertPersonalToken(tx, secret, {
      id,
      userId,
      name,
      scopes: SCOPES.filter((scope) => wish.scopes.includes(scope)),
      onlyWorkspaceId: workspaceId,
      createdAt: now,
      expiresAt: expiresInDays === null ? null : after(now, expiresInDays * 86_400),
    })
    await beside(tx, token, now)
    const made = {
      tokenId: id,
      name,
      scopes: token.scopes,
      workspaceId,
      expiresAt: token.expiresAt?.toISOString() ?? null,
    }
    await record(tx, [entry(userId, 'token.created', made, wish.actor)])
    return { token, now }
  })
}

/** One of the person's tokens, whatever its state; null for somebody else's. */
export async function personalTokenById(orm: Orm | Tx, userId: string, id: string): Promise<PersonalToken | null> {
  const own = and(eq(personalTokens.id, id), eq(personalTokens.userId, userId))
  const [row] = await orm.select().from(personalTokens).where(own)
  return row ?? null
}

/** The row alone: bounds, and the record of who made it, are makePersonalToken's. */
export async function insertPersonalToken(
  tx: Tx,
  token: string,
  row: Omit<PersonalToken, 'tokenHash' | 'lastFour' | 'prefix' | 'lastUsedAt' | 'revokedAt'>,
): Promise<PersonalToken> {
  const prefix = token.slice(0, token.lastIndexOf('_') + 1)
  const stored = {
    ...row,
    tokenHash: sha256(token),
    prefix,
    lastFour: token.slice(-4),
    lastUsedAt: null,
    revokedAt: null,
  }
  await tx.insert(personalTokens).values(stored)
  return stored
}

/** The person's tokens that still open something, the newest first; with `lock` nobody else changes them meanwhile. */
export async function livePersonalTokens(
  orm: Orm,
  userId: string,
  now: Date,
  lock?: 'update',
): Promise<PersonalToken[]> {
  const unexpired = or(isNull(personalTokens.expiresAt), gt(personalTokens.expiresAt, now))
  const found = orm
    .select()
    .from(personalTokens)
    .where(and(eq(personalTokens.userId, userId), isNull(personalTokens.revokedAt), unexpired))
    .orderBy(desc(personalTokens.createdAt), desc(personalTokens.id))
  return lock === undefined ? found : found.for(lock)
}

/**
 * Ends a token, and puts on record who did.
 *
 * @returns the token that ended by it; null for somebody else's, and for one that had ended
 */
export async function revokePersonalToken(
  database: Database,
  userId: string,
  id: string,
  actor: AccountActor,
): Promise<PersonalToken | null> {
  return database.transaction(async (tx) => {
    const ended = await endPersonalTokens(tx, and(eq(personalTokens.id, id), eq(personalTokens.userId, userId)))
    await record(
      tx,
      ended.map((token) => personalTokenEnded(token, actor)),
    )
    return ended[0] ?? null
  })
}

/** Ends those tokens that were not revoked before. @returns them; to put them on record is the caller's. */
export async function endPersonalTokens(tx: Tx, which: SQL | undefined): Promise<PersonalToken[]> {
  return tx
    .update(personalTokens)
    .set({ revokedAt: sql`clock_timestamp()` })
    .where(and(which, isNull(personalTokens.revokedAt)))
    .returning()
}

export function personalTokenEnded({ id, userId, name }: PersonalToken, actor: AccountActor): NewEntry {
  return entry(userId, 'token.revoked', { tokenId: id, name }, actor)
}

/** What lists and answers show of a token; never the token. */
export function viewOfToken(token: PersonalToken) {
  const { id, name, prefix, lastFour, scopes, onlyWorkspaceId, createdAt, expiresAt, lastUsedAt } = token
  return {
    id,
    name,
    prefix,
    lastFour,
    scopes: [...scopes] satisfies Scope[],
    workspaceId: onlyWorkspaceId,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  }
}
