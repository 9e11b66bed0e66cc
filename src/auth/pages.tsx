import { Hono } from 'hono'
import { toAppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import { pageHeaders } from '../web/page-headers.ts'
import { DonePage } from '../web/pages/done.tsx'
import type { Problem } from '../web/pages/problem.tsx'
import { problemOf, renderProblem } from '../web/problems.tsx'
import { renderPage } from '../web/render.ts'
import { ACCOUNT_LOG_PATH, accountLogRoutes } from './account-log.tsx'
import { limitedByAddress } from './address-limits.ts'
import { connectionRoutes } from './connections.tsx'
import { decideConsent, showConsent } from './consent.tsx'
import type { AuthContext } from './context.ts'
import { OAuthError, type OAuthErrorCode, withoutParameters } from './oauth-error.ts'
import { PageError } from './page-error.ts'
import { newTokenRoutes } from './new-token.tsx'
import { PASSWORD_PATH } from './next-path.ts'
import { passwordRoutes } from './password.tsx'
import { peopleRoutes } from './people.tsx'
import { upstreamRoutes } from './upstream/routes.tsx'
import type { Ways } from './ways.ts'

/** Pages with a form that ends on another site: a client's, or an upstream's. */
const LEADING_AWAY = ['/login', '/signup', '/auth/start', `${PASSWORD_PATH}/*`, '/oauth/authorize']
/** Where a sign-in ends that has nowhere else to lead. */
const DONE_PATH = '/oauth/done'
const STAYING = [
  '/logout',
  '/auth/callback/*',
  '/account/connections',
  '/account/connections/*',
  '/account/browsers',
  ACCOUNT_LOG_PATH,
  '/account/tokens/*',
  DONE_PATH,
]

/** Everything of this area that people see; whatever goes wrong is told on a page. */
export function pageRoutes(context: AuthContext, ways: Ways): Hono {
  const { publicUrl } = context.config
  const routes = new Hono()
  routes.onError((thrown, c) => renderProblem(c, problemIn(thrown, context.log)))
  const leadingAway = pageHeaders(publicUrl, { formsLeadAway: true })
  for (const path of LEADING_AWAY) routes.use(path, leadingAway)
  const staying = pageHeaders(publicUrl)
  for (const path of STAYING) routes.use(path, staying)
  // After the headers, which a refusal has too.
  routes.use(limitedByAddress(context))

  routes.get('/oauth/authorize', (c) => showConsent(context, c))
  routes.post('/oauth/authorize', (c) => decideConsent(context, c))
  routes.get(DONE_PATH, (c) => renderPage(c, <DonePage />))
  routes.route('/', peopleRoutes(context, ways))
  routes.route('/', passwordRoutes(context, ways))
  routes.route('/', upstreamRoutes(context, ways))
  routes.route('/', connectionRoutes(context))
  routes.route('/', accountLogRoutes(context))
  routes.route('/', newTokenRoutes(context))
  return routes
}

type Advice = Pick<Problem, 'title' | 'next'>

/** What a refusal in OAuth's words means for the person that it keeps from going on; its message says what happened. */
const ADVICE: Readonly<Partial<Record<OAuthErrorCode, Advice>>> = {
  access_denied: { title: 'This is not allowed', next: 'Nothing was changed. Go back to try another way.' },
}

const CANNOT_GO_ON: Advice = {
  title: 'This request cannot be answered',
  next:
    'Nothing was changed, and nothing was sent to anybody. If it happens again, remove this server from your agent’s ' +
    'settings and add it anew. If you came by a link that somebody gave you, close this window.',
}

function problemIn(thrown: unknown, log: Log): Problem {
  if (thrown instanceof PageError) return thrown.problem
  if (thrown instanceof OAuthError) {
    const { code, message, retryAfterSeconds } = thrown
    // A page has no caller to authenticate: what is 401 in JSON is a request that cannot be answered.
    const status = thrown.status === 401 ? 400 : thrown.status
    return { ...(ADVICE[code] ?? CANNOT_GO_ON), status, happened: message, retryAfterSeconds }
  }
  const error = toAppError(thrown)
  if (error.code === 'INTERNAL') log.error({ err: withoutParameters(error.cause ?? error) }, 'a page failed')
  return problemOf(error)
}
