import { and, desc, eq, gt, isNull } from 'drizzle-orm'
import { Hono } from 'hono'
import { databaseNow } from '../db/clock.ts'
import { ConnectionsPage } from '../web/pages/connections.tsx'
import { renderPage } from '../web/render.ts'
import type { AuthContext } from './context.ts'
import { required } from './form.ts'
import { pathWithNext } from './next-path.ts'
import { readPersonForm, requireCsrfToken } from './people.tsx'
import { destinationOf } from './redirect-uri.ts'
import { clients, grants } from './schema.ts'
import { revokeGrant } from './tokens.ts'

const PATH = '/account/connections'
/** More than anybody has; the page says nothing of those beyond. */
const LISTED_MAX = 200

/** /account/connections: what acts in a person's name, and how to end it (S-40). */
export function connectionRoutes(context: AuthContext): Hono {
  const routes = new Hono()
  routes.get(PATH, async (c) => {
    const session = await context.sessions.find(c.req.raw)
    if (session === null) return c.redirect(pathWithNext('/login', PATH), 303)
    const connections = await listConnections(context, session.userId)
    return renderPage(
      c,
      <ConnectionsPage email={session.email} csrfToken={session.csrfToken} connections={connections} />,
    )
  })
  routes.post(PATH, async (c) => {
    const form = await readPersonForm(context, c)
    const session = await context.sessions.find(c.req.raw)
    if (session === null) return c.redirect(pathWithNext('/login', PATH), 303)
    requireCsrfToken(form, session.csrfToken)
    await endConnection(context, session.userId, required(form, 'grantId'))
    return c.redirect(PATH, 303)
  })
  return routes
}

async function listConnections(context: AuthContext, userId: string) {
  const rows = await context.database.query(async (orm) => {
    const live = and(eq(grants.userId, userId), isNull(grants.revokedAt), gt(grants.expiresAt, await databaseNow(orm)))
    return orm
      .select({
        grantId: grants.id,
        clientName: clients.name,
        redirectUri: grants.redirectUri,
        scopes: grants.scopes,
        createdAt: grants.createdAt,
        lastUsedAt: grants.lastUsedAt,
      })
      .from(grants)
      .innerJoin(clients, eq(clients.id, grants.clientId))
      .where(live)
      .orderBy(desc(grants.createdAt))
      .limit(LISTED_MAX)
  })
  return rows.map(({ grantId, clientName, redirectUri, scopes, createdAt, lastUsedAt }) => {
    const destination = destinationOf(redirectUri)
    return { grantId, clientName, destination, scopes, createdAt, lastUsedAt }
  })
}

/** Ends the grant if it is this person's; somebody else's is like none. */
async function endConnection(context: AuthContext, userId: string, grantId: string): Promise<void> {
  const revoked = await context.database.transaction(async (tx) => {
    const own = await tx
      .select({ id: grants.id })
      .from(grants)
      .where(and(eq(grants.id, grantId), eq(grants.userId, userId)))
      .for('update')
    return own.length > 0 && (await revokeGrant(tx, grantId, 'person', await databaseNow(tx)))
  })
  if (revoked) await context.grantRevoked(grantId)
}
