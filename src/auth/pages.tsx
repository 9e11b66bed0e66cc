import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { AppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import { pageHeaders } from '../web/page-headers.ts'
import { MessagePage } from '../web/pages/message.tsx'
import { renderPage } from '../web/render.ts'
import type { Accounts } from './accounts.ts'
import { connectionRoutes } from './connections.tsx'
import { decideConsent, showConsent } from './consent.tsx'
import type { AuthContext } from './context.ts'
import { toOAuthError } from './oauth-error.ts'
import { peopleRoutes } from './people.tsx'

/** Everything of this area that people see; whatever goes wrong is told on a page. */
export function pageRoutes(context: AuthContext, accounts: Accounts): Hono {
  const { publicUrl } = context.config
  const routes = new Hono()
  routes.onError((thrown, c) => {
    const { title, message, status } = describe(thrown, context.log)
    return renderPage(c, <MessagePage title={title} message={message} />, status)
  })
  const leadingAway = pageHeaders(publicUrl, { formsLeadAway: true })
  for (const path of ['/login', '/signup', '/oauth/authorize']) routes.use(path, leadingAway)
  const staying = pageHeaders(publicUrl)
  for (const path of ['/logout', '/account/connections']) routes.use(path, staying)

  routes.get('/oauth/authorize', (c) => showConsent(context, c))
  routes.post('/oauth/authorize', (c) => decideConsent(context, c))
  routes.route('/', peopleRoutes(context, accounts))
  routes.route('/', connectionRoutes(context))
  return routes
}

const TITLES: Readonly<Record<number, string>> = {
  403: 'This is not allowed',
  500: 'Something went wrong',
  503: 'Try again in a moment',
}

function describe(thrown: unknown, log: Log): { title: string; message: string; status: ContentfulStatusCode } {
  if (thrown instanceof AppError && thrown.code === 'FORBIDDEN_ORIGIN') {
    return { title: 'This is not allowed', message: thrown.message, status: 403 }
  }
  const error = toOAuthError(thrown, log)
  // A page has no caller to authenticate: what is 401 in JSON is a request that cannot be answered.
  const status = error.status === 401 ? 400 : error.status
  return { title: TITLES[status] ?? 'This request cannot be answered', message: error.message, status }
}
