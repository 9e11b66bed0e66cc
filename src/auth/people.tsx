import { type Context, Hono } from 'hono'
import { SignOutPage } from '../web/pages/sign-out.tsx'
import { SignUpPage } from '../web/pages/sign-up.tsx'
import { renderPage } from '../web/render.ts'
import { clientAddress } from './client-address.ts'
import type { AuthContext } from './context.ts'
import { equalSecrets } from './crypto.ts'
import { normalizeEmail } from './email.ts'
import { type Parameters, readForm } from './form.ts'
import { AUTH_LIMITS } from './limits.ts'
import { pathWithNext, safeNext } from './next-path.ts'
import { OAuthError } from './oauth-error.ts'
import { PageError } from './page-error.ts'
import { requireSameOrigin } from './same-origin.ts'
import { showSignIn } from './sign-in.tsx'
import type { CountedAttempt } from './sign-in-throttle.ts'
import type { Ways } from './ways.ts'

const WRONG = 'The e-mail address or the password is not right.'

/** /login, /signup and /logout: how a person starts and ends a browser session with an embedded account. */
export function peopleRoutes(context: AuthContext, ways: Ways): Hono {
  const routes = new Hono()
  signInRoutes(routes, context, ways)
  signUpRoutes(routes, context, ways)
  signOutRoutes(routes, context)
  return routes
}

function signInRoutes(routes: Hono, context: AuthContext, ways: Ways): void {
  const { publicUrl, trustProxy, passwords } = context.config

  routes.get('/login', async (c) => {
    const next = safeNext(c.req.query('next'), publicUrl)
    if ((await context.sessions.find(c.req.raw)) !== null) return c.redirect(next, 303)
    return showSignIn(context, ways, c, { next })
  })

  routes.post('/login', async (c) => {
    const form = await readPersonForm(context, c)
    if (passwords === 'off') throw new OAuthError('access_denied', 'Nobody signs in with a password here.')
    const next = safeNext(form.get('next'), publicUrl)
    const email = form.get('email') ?? ''
    const address = clientAddress(c, trustProxy)
    const crowd = await context.countByAddress(c, 'signIns')
    const attempt = crowd === null ? await ways.throttle.take(normalizeEmail(email), address) : { waitSeconds: crowd }
    if ('waitSeconds' in attempt) {
      c.header('Retry-After', String(attempt.waitSeconds))
      return showSignIn(context, ways, c, { next, email, error: tooMany(attempt.waitSeconds) }, 429)
    }
    const cookie = await counted(attempt, () =>
      ways.accounts.signIn(
        { email, password: form.get('password') ?? '' },
        context.sessions.starting(c.req.raw, { way: 'password', address }),
      ),
    )
    if (cookie === null) {
      context.aftermath.signInFailed(normalizeEmail(email), address)
      return showSignIn(context, ways, c, { next, email, error: WRONG }, 400)
    }
    await attempt.succeeded()
    c.header('Set-Cookie', cookie)
    return c.redirect(next, 303)
  })
}

/** What to tell somebody who has to wait. */
export function tooMany(waitSeconds: number): string {
  const minutes = Math.ceil(waitSeconds / 60)
  return `Too many attempts. Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`
}

/** Does `work`, and takes the attempt back where it could not be done: then no password was tried. */
export async function counted<T>(attempt: CountedAttempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    await attempt.withdrawn()
    throw thrown
  }
}

function signUpRoutes(routes: Hono, context: AuthContext, { admission, accounts }: Ways): void {
  const { publicUrl, passwords, trustProxy } = context.config
  const show = async (
    c: Context,
    shown: { next: string; email?: string; name?: string; error?: string },
    status: 200 | 400 | 429 = 200,
  ) => {
    const state = await admission.state(shown.next)
    if (state === 'closed') {
      throw new OAuthError('access_denied', 'Creating accounts is closed here. Ask the person who runs this server.')
    }
    return renderPage(c, <SignUpPage {...shown} needsCode={admission.needsCode(state)} />, status)
  }

  routes.get('/signup', async (c) => {
    const next = safeNext(c.req.query('next'), publicUrl)
    if ((await context.sessions.find(c.req.raw)) !== null) return c.redirect(next, 303)
    return passwords === 'on' ? show(c, { next }) : c.redirect(pathWithNext('/login', next), 303)
  })

  routes.post('/signup', async (c) => {
    const form = await readPersonForm(context, c)
    if (passwords !== 'on') throw new OAuthError('access_denied', 'New people sign in without a password here.')
    const shown = {
      next: safeNext(form.get('next'), publicUrl),
      email: form.get('email') ?? '',
      name: form.get('name') ?? '',
    }
    const address = clientAddress(c, trustProxy)
    const wait = await context.countByAddress(c, 'signUps')
    if (wait !== null) {
      c.header('Retry-After', String(wait))
      return show(c, { ...shown, error: tooMany(wait) }, 429)
    }
    const { email, name } = shown
    const person = { email, name, password: form.get('password') ?? '' }
    const knowsSetUpCode = admission.isSetUpCode(form.get('code'))
    const outcome = await accounts.signUp(
      { ...person, knowsSetUpCode, next: shown.next },
      context.sessions.starting(c.req.raw, { way: 'password', address }),
    )
    if ('problem' in outcome) return show(c, { ...shown, error: outcome.problem }, 400)
    c.header('Set-Cookie', outcome.cookie)
    return c.redirect(shown.next, 303)
  })
}

function signOutRoutes(routes: Hono, context: AuthContext): void {
  const { publicUrl, trustProxy } = context.config
  routes.get('/logout', async (c) => {
    const next = safeNext(c.req.query('next'), publicUrl)
    const session = await context.sessions.find(c.req.raw)
    if (session === null) return c.redirect(pathWithNext('/login', next), 303)
    return renderPage(c, <SignOutPage email={session.email} csrfToken={session.csrfToken} next={next} />)
  })

  routes.post('/logout', async (c) => {
    const form = await readPersonForm(context, c)
    const session = await context.sessions.find(c.req.raw)
    if (session !== null) {
      requireCsrfToken(form, session.csrfToken)
      c.header('Set-Cookie', await context.sessions.end(c.req.raw, clientAddress(c, trustProxy)))
      context.sessionEnded(session.userId)
    }
    return c.redirect(pathWithNext('/login', safeNext(form.get('next'), publicUrl)), 303)
  })
}

/**
 * A form that one of our own pages posted.
 *
 * @throws AppError FORBIDDEN_ORIGIN, PAYLOAD_TOO_LARGE; OAuthError invalid_request
 */
export async function readPersonForm(context: AuthContext, c: Context): Promise<Parameters> {
  requireSameOrigin(c.req.raw, context.config.publicUrl)
  return readForm(c.req, AUTH_LIMITS.formBodyBytes)
}

/** @throws PageError when the form is not from this session. */
export function requireCsrfToken(form: Parameters, csrfToken: string): void {
  if (!equalSecrets(form.get('csrf') ?? '', csrfToken)) {
    throw new PageError({
      status: 403,
      title: 'This page is too old',
      happened: 'The form belongs to another sign-in, so nothing was changed.',
      next: 'Go back, reload the page and try again.',
    })
  }
}
