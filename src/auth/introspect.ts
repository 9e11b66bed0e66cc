import { and, eq } from 'drizzle-orm'
import type { Orm } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { AuthContext } from './context.ts'
import { sha256 } from './crypto.ts'
import { scopeText } from './scope.ts'
import { accessTokens, grants, refreshTokens } from './schema.ts'
import { tokenKind } from './token-format.ts'
import { isLive } from './tokens.ts'

const INACTIVE = { active: false } as const

/**
 * Token introspection (RFC 7662). The caller has shown a valid access token and may ask about tokens of its own client
 * and person, nothing else: about any other token, as about garbage, the answer is exactly `{"active":false}` (§2.2).
 */
export async function introspect(context: AuthContext, caller: Principal, token: string) {
  return context.database.query(async (orm) => {
    const found = await findToken(orm, token)
    const now = await databaseNow(orm)
    if (found === null || !isLive(found.grant, now) || found.expiresAt <= now) return INACTIVE
    if (found.grant.clientId !== caller.clientId || found.grant.userId !== caller.userId) return INACTIVE
    return {
      active: true,
      iss: context.config.publicUrl,
      sub: found.grant.userId,
      aud: found.grant.resource,
      client_id: found.grant.clientId,
      scope: scopeText(found.scopes),
      iat: seconds(found.issuedAt),
      exp: seconds(found.expiresAt),
      ...(found.kind === 'at' && { token_type: 'Bearer' }),
    }
  })
}

async function findToken(orm: Orm, token: string) {
  const kind = tokenKind(token)
  if (kind === 'at') {
    const rows = await orm
      .select({ grant: grants, token: accessTokens })
      .from(accessTokens)
      .innerJoin(grants, eq(grants.id, accessTokens.grantId))
      .where(eq(accessTokens.tokenHash, sha256(token)))
    const [row] = rows
    return row === undefined ? null : { kind, grant: row.grant, ...row.token }
  }
  if (kind === 'rt') {
    const rows = await orm
      .select({ grant: grants, token: refreshTokens })
      .from(refreshTokens)
      .innerJoin(grants, eq(grants.id, refreshTokens.grantId))
      .where(and(eq(refreshTokens.tokenHash, sha256(token))))
    const [row] = rows
    return row === undefined || row.token.rotatedAt !== null
      ? null
      : { kind, grant: row.grant, scopes: row.grant.scopes, ...row.token }
  }
  return null
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1_000)
}
