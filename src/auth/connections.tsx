import { and, eq, isNotNull } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import { databaseNow } from '../db/clock.ts'
import { record } from '../modules/audit/store.ts'
import { ConnectionsPage, EndAllPage } from '../web/pages/connections.tsx'
import { renderPage } from '../web/render.ts'
import { clientAddress } from './client-address.ts'
import type { AuthContext } from './context.ts'
import { required } from './form.ts'
import {
  endConnection,
  endEverything,
  endToken,
  holdEverything,
  listConnections,
  listTokens,
  tellEnded,
} from './own-connections.ts'
import { clients, grants } from './schema.ts'
import { signedIn } from './signed-in.ts'

const PATH = '/account/connections'
const END_ALL_PATH = `${PATH}/end`
/** More than anybody has; the page says that there are more. */
const LISTED_MAX = 200

/** /account: what acts in a person's name, and how to end it (S-40). */
export function connectionRoutes(context: AuthContext): Hono {
  const { onPage, onForm } = signedIn(context, PATH)
  const addressOf = (c: Context) => clientAddress(c, context.config.trustProxy)
  const routes = new Hono()
  routes.get(
    PATH,
    onPage(async (c, session) => {
      const listed = await listConnections(context, session.userId, { limit: LISTED_MAX })
      const ended = await findEnded(context, session.userId, c.req.query('ended'))
      const tokens = await listTokens(context, session.userId)
      const otherBrowsers = await context.sessions.countOthers(session)
      const { csrfToken } = session
      const shown = { ...listed, tokens, csrfToken, ended, otherBrowsers }
      return renderPage(c, <ConnectionsPage person={session} {...shown} />)
    }),
  )
  routes.post(
    PATH,
    onForm(async (c, session, form) => {
      const tokenId = form.get('tokenId')
      if (tokenId !== undefined) {
        await endToken(context, session.userId, tokenId)
        return c.redirect(PATH, 303)
      }
      const grantId = required(form, 'grantId')
      await endConnection(context, session.userId, grantId)
      return c.redirect(`${PATH}?${new URLSearchParams({ ended: grantId }).toString()}`, 303)
    }),
  )
  routes.get(
    END_ALL_PATH,
    onPage(async (c, session) => {
      const listed = await listConnections(context, session.userId, { limit: LISTED_MAX })
      const tokens = await listTokens(context, session.userId)
      return renderPage(c, <EndAllPage csrfToken={session.csrfToken} tokens={tokens} {...listed} />)
    }),
  )
  routes.post(
    END_ALL_PATH,
    onForm(async (c, session) => {
      await endAllConnections(context, session.userId, addressOf(c))
      return c.redirect(PATH, 303)
    }),
  )
  routes.post(
    '/account/browsers',
    onForm(async (c, session) => {
      await context.sessions.endOthers(session, addressOf(c))
      context.sessionEnded(session.userId)
      return c.redirect(PATH, 303)
    }),
  )
  return routes
}

/** The client's name of a connection that this person has ended; the address that names it may be anybody's words. */
async function findEnded(context: AuthContext, userId: string, grantId: string | undefined): Promise<string | null> {
  if (grantId === undefined || grantId.includes('\0')) return null
  const own = and(eq(grants.id, grantId), eq(grants.userId, userId), isNotNull(grants.revokedAt))
  const rows = await context.database.query((orm) =>
    orm.select({ name: clients.name }).from(grants).innerJoin(clients, eq(clients.id, grants.clientId)).where(own),
  )
  return rows[0]?.name ?? null
}

/**
 * All connections and tokens at once: when the first agent notices, none of the others can go on. Browsers stay signed in;
 * they have a button of their own.
 */
async function endAllConnections(context: AuthContext, userId: string, address: string): Promise<void> {
  const ended = await context.database.write({ user: userId }, async (tx) => {
    const now = await databaseNow(tx)
    const held = { ...(await holdEverything(context, tx, userId, now)), browsers: [] }
    await record(tx, await endEverything(tx, held, { userId, address, now }))
    return held
  })
  await tellEnded(context, userId, ended)
}
