import { and, asc, desc, eq, gt, inArray, isNull, sql, type SQL } from 'drizzle-orm'
import type { OfUser, ScopedTx, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { entry, type NewEntry, person } from '../modules/audit/entry.ts'
import { identityOf } from './clients.ts'
import { isLiveSession } from './browser-session.ts'
import type { ActingAgent, AuthContext } from './context.ts'
import { endPersonalTokens, livePersonalTokens, personalTokenEnded, revokePersonalToken } from './personal-tokens.ts'
import { landingOf } from './redirect-uri.ts'
import { authorizationCodes, browserSessions, clients, grants, personalTokens } from './schema.ts'
import { endGrants, grantEnded, revokeGrant } from './tokens.ts'

// What acts in a person's name, and how they end it: for their page and for REST.

/** The person's grants that open something, the newest first, from `before` on, with the agents that came with them. */
export async function listConnections(
  context: AuthContext,
  userId: string,
  { limit, before }: { limit: number; before?: string | undefined },
) {
  const rows = await context.database.query(async (orm) => {
    const live = and(eq(grants.userId, userId), isNull(grants.revokedAt), gt(grants.expiresAt, await databaseNow(orm)))
    return (
      orm
        .select({
          grantId: grants.id,
          clientId: clients.id,
          clientName: clients.name,
          redirectUri: grants.redirectUri,
          scopes: grants.scopes,
          createdAt: grants.createdAt,
          lastUsedAt: grants.lastUsedAt,
          expiresAt: grants.expiresAt,
        })
        .from(grants)
        .innerJoin(clients, eq(clients.id, grants.clientId))
        .where(before === undefined ? live : and(live, olderThan(userId, before)))
        // Ids lie together by time, but do not sort by it: in base32, digits come after letters.
        .orderBy(desc(grants.createdAt), desc(grants.id))
        .limit(limit + 1)
    )
  })
  const shown = rows.slice(0, limit)
  const grantIds = shown.map(({ grantId }) => grantId)
  const agents = await context.people.agentsOf(userId, grantIds)
  const connections = shown.map(({ clientId, redirectUri, ...row }) => ({
    ...row,
    verified: identityOf(clientId),
    landing: landingOf(redirectUri),
    agents: agents.get(row.grantId) ?? 0,
  }))
  return { connections, more: rows.length > shown.length }
}

/** Grants of the person's that come after this one in the order of the newest first; none after somebody else's. */
function olderThan(userId: string, grantId: string): SQL {
  return sql`(${grants.createdAt}, ${grants.id}) < (
    select last.created_at, last.id from ${grants} last where last.id = ${grantId} and last.user_id = ${userId})`
}

/** The person's own tokens, which programs hold, with the agents that came with them. */
export async function listTokens(context: AuthContext, userId: string) {
  const tokens = await context.database.query(async (orm) => livePersonalTokens(orm, userId, await databaseNow(orm)))
  const ids = tokens.map(({ id }) => id)
  const agents = await context.people.agentsOf(userId, ids)
  const names = new Map((await context.people.list(userId)).map((room) => [room.workspaceId, room.workspaceName]))
  return tokens.map((token) => ({
    ...token,
    agents: agents.get(token.id) ?? 0,
    workspaceName: names.get(token.onlyWorkspaceId ?? '') ?? null,
  }))
}

/** Ends the token if it is this person's; somebody else's is like none. */
export async function endToken(context: AuthContext, userId: string, tokenId: string): Promise<void> {
  const revoked = await revokePersonalToken(context.database, userId, tokenId, person(userId))
  if (revoked !== null) await context.grantRevoked(revoked.id)
}

/**
 * Ends the grant if it is this person's; somebody else's is like none.
 *
 * @returns the client's name; null where there was nothing to end
 */
export async function endConnection(context: AuthContext, userId: string, grantId: string): Promise<string | null> {
  const ended = await context.database.transaction(async (tx) => {
    const [own] = await tx
      .select({ name: clients.name })
      .from(grants)
      .innerJoin(clients, eq(clients.id, grants.clientId))
      .where(and(eq(grants.id, grantId), eq(grants.userId, userId)))
      .for('update', { of: grants })
    return own !== undefined && (await revokeGrant(tx, grantId, 'person', await databaseNow(tx))) ? own.name : null
  })
  if (ended !== null) await context.grantRevoked(grantId)
  return ended
}

/** All that acts in a person's name, as it is held for them to end. */
export interface Everything {
  readonly connections: readonly { readonly id: string; readonly clientName: string }[]
  readonly tokens: readonly { readonly id: string; readonly name: string }[]
  readonly agents: readonly ActingAgent[]
  /** Consents that no client has redeemed yet: each would become a connection in a moment. */
  readonly consents: readonly string[]
  /** Hashes of the sessions of signed-in browsers. */
  readonly browsers: readonly string[]
}

/**
 * Reads all of it, and locks it until the transaction ends: until then no agent joins by it, and no client redeems a
 * consent. The order matters: a consent that is being redeemed is waited for, and is a connection after that.
 */
export async function holdEverything(
  context: AuthContext,
  tx: ScopedTx<OfUser>,
  userId: string,
  now: Date,
): Promise<Everything> {
  const consents = await openConsents(tx, userId, now)
  const connections = await tx
    .select({ id: grants.id, clientName: clients.name })
    .from(grants)
    .innerJoin(clients, eq(clients.id, grants.clientId))
    .where(and(eq(grants.userId, userId), isNull(grants.revokedAt), gt(grants.expiresAt, now)))
    .orderBy(asc(grants.id))
    .for('update', { of: grants })
  const held = await livePersonalTokens(tx, userId, now, 'update')
  const browsers = await tx
    .select({ hash: browserSessions.tokenHash })
    .from(browserSessions)
    .where(and(eq(browserSessions.userId, userId), isLiveSession(now)))
    .orderBy(asc(browserSessions.tokenHash))
    .for('update')
  const tokens = held.map(({ id, name }) => ({ id, name }))
  const by = [...connections, ...tokens].map(({ id }) => id)
  const agents = await context.people.agentsBy(tx, by)
  return { connections, tokens, agents, consents, browsers: browsers.map(({ hash }) => hash) }
}

async function openConsents(tx: Tx, userId: string, now: Date): Promise<string[]> {
  const { codeHash, redeemedAt, expiresAt } = authorizationCodes
  const rows = await tx
    .select({ codeHash })
    .from(authorizationCodes)
    .where(and(eq(authorizationCodes.userId, userId), isNull(redeemedAt), gt(expiresAt, now)))
    .orderBy(asc(codeHash))
    .for('update')
  return rows.map((row) => row.codeHash)
}

/**
 * Ends what is held. Whoever calls it puts what it gives on record, last, and calls `tellEnded` after the commit.
 *
 * @param by `address`: where the person asked from; null where they asked over REST
 */
export async function endEverything(
  tx: Tx,
  ended: Everything,
  { userId, address, now }: { userId: string; address: string | null; now: Date },
): Promise<NewEntry[]> {
  const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id)
  const { codeHash } = authorizationCodes
  await tx
    .update(authorizationCodes)
    .set({ expiresAt: now })
    .where(inArray(codeHash, [...ended.consents]))
  await tx.delete(browserSessions).where(inArray(browserSessions.tokenHash, [...ended.browsers]))
  const endedGrants = await endGrants(tx, inArray(grants.id, ids(ended.connections)), 'person', now)
  const tokens = await endPersonalTokens(tx, inArray(personalTokens.id, ids(ended.tokens)))
  const who = person(userId)
  const counts = { grants: endedGrants.length, tokens: tokens.length, browsers: ended.browsers.length, address }
  return [
    ...endedGrants.map(grantEnded),
    ...tokens.map((token) => personalTokenEnded(token, who)),
    entry(userId, 'access.ended', counts, who),
  ]
}

/** Forgets the ended tokens and browsers on every replica, and ends the agents that came with them. */
export async function tellEnded(
  context: AuthContext,
  userId: string,
  { connections, tokens, browsers }: Everything,
): Promise<void> {
  if (browsers.length > 0) context.sessionEnded(userId)
  for (const { id } of [...connections, ...tokens]) await context.grantRevoked(id)
}
