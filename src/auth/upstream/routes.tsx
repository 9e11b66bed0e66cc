import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { renderProblem } from '../../web/problems.tsx'
import { clientAddress } from '../client-address.ts'
import type { AuthContext } from '../context.ts'
import { equalSecrets } from '../crypto.ts'
import type { Parameters } from '../form.ts'
import { PASSWORD_PATH, pathWithNext, safeNext } from '../next-path.ts'
import { OAuthError } from '../oauth-error.ts'
import { readPersonForm, tooMany } from '../people.tsx'
import { showSignIn, toldError } from '../sign-in.tsx'
import type { Ways } from '../ways.ts'
import type { Purpose } from './trips.ts'
import type { Upstream, UpstreamFault, UpstreamPerson } from './upstream.ts'

const STATUS: Readonly<Record<UpstreamFault, ContentfulStatusCode>> = { refused: 400, away: 503, misconfigured: 503 }

/**
 * /auth/start and /auth/callback/<upstream>: to an upstream and back. A form of our own page starts it, so that no
 * other site can sign somebody in; what starts it is no more than a redirect, and consent to a client is asked for
 * afterwards, however often the upstream lets the person through without a word (S-31).
 */
export function upstreamRoutes(context: AuthContext, ways: Ways): Hono {
  const { publicUrl } = context.config
  const routes = new Hono()

  routes.post('/auth/start', async (c) => {
    const form = await readPersonForm(context, c)
    const upstream = upstreamOf(ways, form)
    const next = safeNext(form.get('next'), publicUrl)
    const wait = await context.countByAddress(c, 'signIns')
    if (wait !== null) {
      c.header('Retry-After', String(wait))
      return showSignIn(context, ways, c, { next, error: tooMany(wait) }, 429)
    }
    const knowsSetUpCode = ways.admission.isSetUpCode(form.get('code'))
    // Asked here, so that nobody goes all the way for nothing; what decides is asked again at the end.
    if (!knowsSetUpCode && ways.admission.needsCode(await ways.admission.state(next))) {
      const error = 'The set-up code is not right. The server printed it when it started.'
      return showSignIn(context, ways, c, { next, error }, 400)
    }
    try {
      return await sendAway(ways, c, upstream, { next, knowsSetUpCode })
    } catch (thrown) {
      const { fault, message } = toldError(context, upstream, thrown)
      return showSignIn(context, ways, c, { next, error: message }, fault === 'refused' ? 400 : 503)
    }
  })

  routes.get('/auth/callback/:upstream', async (c) => {
    const upstream = ways.upstreams.find(({ id }) => id === c.req.param('upstream'))
    return upstream === undefined ? c.notFound() : comeBack(context, ways, c, upstream)
  })
  return routes
}

/** @throws OAuthError invalid_request when the form names none that is offered. */
export function upstreamOf(ways: Ways, form: Parameters): Upstream {
  const upstream = ways.upstreams.find(({ id }) => id === form.get('upstream'))
  if (upstream === undefined) throw new OAuthError('invalid_request', 'This way to sign in is not offered here.')
  return upstream
}

/** Begins a sign-in at an upstream. @throws UpstreamError, OAuthError invalid_request */
export async function sendAway(ways: Ways, c: Context, upstream: Upstream, purpose: Purpose): Promise<Response> {
  const begun = await ways.trips.begin(upstream, purpose)
  if (begun === null) {
    throw new OAuthError(
      'invalid_request',
      'The request of your agent is too long to be kept meanwhile. Sign in on the start page, then start again from your agent.',
    )
  }
  const to = await upstream.begin(begun.trip)
  c.header('Set-Cookie', begun.cookie)
  return c.redirect(to.href, 303)
}

async function comeBack(context: AuthContext, ways: Ways, c: Context, upstream: Upstream): Promise<Response> {
  const { publicUrl } = context.config
  const callback = new URL(`/auth/callback/${upstream.id}${new URL(c.req.url).search}`, publicUrl)
  const ended = await ways.trips.end(c.req.raw, upstream, callback.searchParams)
  if (ended === null) return showFailure(c, STRAY)
  const { trip, purpose } = ended
  c.header('Set-Cookie', ways.trips.noCookie, { append: true })
  const finish = purpose.addInSession === undefined ? signIn : addIdentity
  try {
    return await finish(context, ways, c, await upstream.finish(callback, trip), purpose)
  } catch (thrown) {
    const { fault, message } = toldError(context, upstream, thrown)
    return showFailure(c, { message, status: STATUS[fault], purpose })
  }
}

async function signIn(
  context: AuthContext,
  ways: Ways,
  c: Context,
  person: UpstreamPerson,
  purpose: Purpose,
): Promise<Response> {
  const arrival = { way: person.issuer, address: clientAddress(c, context.config.trustProxy) }
  const outcome = await ways.identities.signIn(person, purpose, context.sessions.starting(c.req.raw, arrival))
  if ('problem' in outcome) {
    return showFailure(c, { message: `You have no account here yet. ${outcome.problem}`, status: 403, purpose })
  }
  c.header('Set-Cookie', outcome.cookie, { append: true })
  return c.redirect(purpose.next, 303)
}

/** Only to the person who asked for it, in the session that they asked from. */
async function addIdentity(
  context: AuthContext,
  ways: Ways,
  c: Context,
  person: UpstreamPerson,
  purpose: Purpose,
): Promise<Response> {
  const session = await context.sessions.find(c.req.raw)
  if (session === null || !equalSecrets(session.sessionHash, purpose.addInSession ?? '')) return showFailure(c, STRAY)
  const problem = await ways.identities.add(session.userId, person, clientAddress(c, context.config.trustProxy))
  return problem === null
    ? c.redirect(PASSWORD_PATH, 303)
    : showFailure(c, { message: `This was not added. ${problem}`, status: 409, purpose })
}

interface Failure {
  readonly message: string
  readonly status: ContentfulStatusCode
  readonly purpose?: Purpose
}

/** An answer that belongs to no sign-in of this browser: it signs nobody in, whoever it is about (S-34). */
const STRAY: Failure = {
  message:
    'It is over already, or was started more than ten minutes ago, in another browser, or before another one in this. ' +
    'Nobody was signed in by it.',
  status: 400,
}

function showFailure(c: Context, { message, status, purpose }: Failure): Promise<Response> {
  const again =
    purpose?.addInSession === undefined
      ? { href: pathWithNext('/login', purpose?.next ?? '/'), label: 'Sign in again' }
      : { href: PASSWORD_PATH, label: 'How you sign in' }
  const next = 'Nothing was changed. You may try it again.'
  return renderProblem(c, { status, title: 'This sign-in cannot be finished', happened: message, next, again })
}
