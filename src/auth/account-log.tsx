import { Hono } from 'hono'
import { readNewest } from '../modules/audit/store.ts'
import { AccountLogPage } from '../web/pages/account-log.tsx'
import { renderPage } from '../web/render.ts'
import type { AuthContext } from './context.ts'
import { AUTH_LIMITS } from './limits.ts'
import { pathWithNext } from './next-path.ts'

export const ACCOUNT_LOG_PATH = '/account/log'

/** /account/log: a person's own account log, to be read. */
export function accountLogRoutes({ sessions, database }: AuthContext): Hono {
  const routes = new Hono()
  routes.get(ACCOUNT_LOG_PATH, async (c) => {
    const session = await sessions.find(c.req.raw)
    if (session === null) return c.redirect(pathWithNext('/login', ACCOUNT_LOG_PATH), 303)
    const { userId } = session
    const before = positionIn(c.req.query('before'))
    const shown = AUTH_LIMITS.logEntriesShown
    const rows = await database.read({ user: userId }, (orm) => readNewest(orm, userId, before, shown + 1))
    const entries = rows.slice(0, shown)
    const page = { userId, entries, more: rows.length > shown, older: before !== null }
    return renderPage(c, <AccountLogPage {...page} />)
  })
  return routes
}

/** Where an older page begins; what is no position is the newest page. */
function positionIn(before: string | undefined): number | null {
  return /^[1-9]\d{0,14}$/u.test(before ?? '') ? Number(before) : null
}
