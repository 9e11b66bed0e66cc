import { type Context, Hono } from 'hono'
import { renderPage } from '../web/render.ts'
import { SignInPage } from '../web/pages/sign-in.tsx'
import { SignOutPage } from '../web/pages/sign-out.tsx'
import { SignUpPage } from '../web/pages/sign-up.tsx'
import { type Accounts, normalizeEmail } from './accounts.ts'
import { clientAddress } from './client-address.ts'
import type { AuthContext } from './context.ts'
import { equalSecrets, sha256 } from './crypto.ts'
import { type Parameters, readForm } from './form.ts'
import { AUTH_LIMITS } from './limits.ts'
import { pathWithNext, safeNext } from './next-path.ts'
import { OAuthError } from './oauth-error.ts'
import { requireSameOrigin } from './same-origin.ts'
import { createThrottle } from './throttle.ts'

const QUARTER_HOUR_SECONDS = 900
const TOO_MANY = 'Too many attempts. Wait a few minutes and try again.'
const WRONG = 'The e-mail address or the password is not right.'

/** /login, /signup and /logout: how a person starts and ends a browser session with an embedded account. */
export function peopleRoutes(context: AuthContext, accounts: Accounts): Hono {
  const routes = new Hono()
  signInRoutes(routes, context, accounts)
  signUpRoutes(routes, context, accounts)
  signOutRoutes(routes, context)
  return routes
}

function signInRoutes(routes: Hono, context: AuthContext, accounts: Accounts): void {
  const { publicUrl, trustProxy } = context.config
  const perAccount = createThrottle(AUTH_LIMITS.failedSignInsPer15Min, QUARTER_HOUR_SECONDS, monotonic)
  const perAddress = createThrottle(AUTH_LIMITS.signInsPerAddressPer15Min, QUARTER_HOUR_SECONDS, monotonic)
  const show = async (
    c: Context,
    shown: { next: string; email?: string; error?: string },
    status: 200 | 400 | 429 = 200,
  ) => renderPage(c, <SignInPage {...shown} signUp={await accounts.signUpState()} />, status)

  routes.get('/login', async (c) => {
    const next = safeNext(c.req.query('next'), publicUrl)
    return (await context.sessions.find(c.req.raw)) === null ? show(c, { next }) : c.redirect(next, 303)
  })

  routes.post('/login', async (c) => {
    const form = await readPersonForm(context, c)
    const next = safeNext(form.get('next'), publicUrl)
    const email = form.get('email') ?? ''
    const address = clientAddress(c, trustProxy)
    // Hashed, so that what is remembered has one size.
    const account = sha256(`${address} ${normalizeEmail(email)}`)
    const wait = perAddress.take(address) ?? perAccount.take(account)
    if (wait !== null) {
      c.header('Retry-After', String(wait))
      return show(c, { next, email, error: TOO_MANY }, 429)
    }
    const userId = await accounts.signIn({ email, password: form.get('password') ?? '' })
    if (userId === null) return show(c, { next, email, error: WRONG }, 400)
    perAccount.forget(account)
    c.header('Set-Cookie', await context.sessions.start(c.req.raw, userId))
    return c.redirect(next, 303)
  })
}

function signUpRoutes(routes: Hono, context: AuthContext, accounts: Accounts): void {
  const { publicUrl, trustProxy } = context.config
  const perAddress = createThrottle(AUTH_LIMITS.signUpsPerHour, 3_600, monotonic)
  const show = async (
    c: Context,
    shown: { next: string; email?: string; name?: string; error?: string },
    status: 200 | 400 | 429 = 200,
  ) => {
    const state = await accounts.signUpState()
    if (state === 'closed') {
      throw new OAuthError('access_denied', 'Creating accounts is closed here. Ask the person who runs this server.')
    }
    return renderPage(c, <SignUpPage {...shown} needsCode={accounts.needsCode(state)} />, status)
  }

  routes.get('/signup', async (c) => {
    const next = safeNext(c.req.query('next'), publicUrl)
    return (await context.sessions.find(c.req.raw)) === null ? show(c, { next }) : c.redirect(next, 303)
  })

  routes.post('/signup', async (c) => {
    const form = await readPersonForm(context, c)
    const shown = {
      next: safeNext(form.get('next'), publicUrl),
      email: form.get('email') ?? '',
      name: form.get('name') ?? '',
    }
    const wait = perAddress.take(clientAddress(c, trustProxy))
    if (wait !== null) {
      c.header('Retry-After', String(wait))
      return show(c, { ...shown, error: TOO_MANY }, 429)
    }
    const { email, name } = shown
    const outcome = await accounts.signUp({ email, name, password: form.get('password') ?? '', code: form.get('code') })
    if ('problem' in outcome) return show(c, { ...shown, error: outcome.problem }, 400)
    c.header('Set-Cookie', await context.sessions.start(c.req.raw, outcome.userId))
    return c.redirect(shown.next, 303)
  })
}

function signOutRoutes(routes: Hono, context: AuthContext): void {
  const { publicUrl } = context.config
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
      c.header('Set-Cookie', await context.sessions.end(c.req.raw))
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

/** @throws OAuthError access_denied when the form is not from this session. */
export function requireCsrfToken(form: Parameters, csrfToken: string): void {
  if (!equalSecrets(form.get('csrf') ?? '', csrfToken)) {
    throw new OAuthError(
      'access_denied',
      'This form belongs to another sign-in. Go back, reload the page and try again.',
    )
  }
}

function monotonic(): number {
  return performance.now()
}
