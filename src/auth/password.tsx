import { type Context, Hono } from 'hono'
import { PasswordChangedPage, PasswordPage } from '../web/pages/password.tsx'
import { renderPage } from '../web/render.ts'
import type { ProvenAccount } from './accounts.ts'
import type { BrowserSession } from './browser-session.ts'
import { clientAddress } from './client-address.ts'
import type { AuthContext } from './context.ts'
import { normalizeEmail } from './email.ts'
import { type Parameters, required } from './form.ts'
import { PASSWORD_PATH, pathWithNext } from './next-path.ts'
import { faultOfPassword } from './passwords.ts'
import { counted, readPersonForm, requireCsrfToken, tooMany } from './people.tsx'
import { choices, toldError } from './sign-in.tsx'
import { sendAway, upstreamOf } from './upstream/routes.tsx'
import type { Ways } from './ways.ts'

/** A signed-in person at the page. */
interface Visit {
  readonly context: AuthContext
  readonly ways: Ways
  readonly c: Context
  readonly session: BrowserSession
}

/** What is wrong with a form of the page. */
interface Complaint {
  readonly error: string
  readonly status: 400 | 429 | 503
}

/**
 * /account/password: the person's password, and where else they prove who they are. What a stolen session must not be
 * enough for asks for the password: changing it, and adding another way in.
 */
export function passwordRoutes(context: AuthContext, ways: Ways): Hono {
  const routes = new Hono()
  routes.get(PASSWORD_PATH, async (c) => {
    const session = await context.sessions.find(c.req.raw)
    return session === null ? toSignIn(c) : show({ context, ways, c, session })
  })
  const post = (path: string, handle: (visit: Visit, form: Parameters) => Promise<Response>) =>
    routes.post(path, async (c) => {
      const form = await readPersonForm(context, c)
      const session = await context.sessions.find(c.req.raw)
      if (session === null) return toSignIn(c)
      requireCsrfToken(form, session.csrfToken)
      return handle({ context, ways, c, session }, form)
    })
  post(PASSWORD_PATH, change)
  post(`${PASSWORD_PATH}/add`, add)
  post(`${PASSWORD_PATH}/remove`, remove)
  return routes
}

function toSignIn(c: Context): Response {
  return c.redirect(pathWithNext('/login', PASSWORD_PATH), 303)
}

async function show(visit: Visit, complaint?: Complaint): Promise<Response> {
  const { context, ways, c, session } = visit
  const [hasPassword, identities, upstreams] = await Promise.all([
    usesPassword(visit),
    ways.identities.of(session.userId),
    choices(context, ways.upstreams),
  ])
  const nameOf = (issuer: string) => ways.upstreams.find((one) => one.issuer === issuer)?.name ?? new URL(issuer).host
  const page = (
    <PasswordPage
      email={session.email}
      csrfToken={session.csrfToken}
      hasPassword={hasPassword}
      identities={identities.map((identity) => ({ ...identity, name: nameOf(identity.issuer) }))}
      upstreams={upstreams}
      error={complaint?.error}
    />
  )
  return renderPage(c, page, complaint?.status)
}

async function usesPassword({ context, ways, session }: Visit): Promise<boolean> {
  return context.config.passwords !== 'off' && ways.accounts.has(session.userId)
}

/**
 * Changes the password. The person's other browsers are signed out, for whoever knows the old password may be signed in
 * there, and this one gets a new session. Their agents stay: each was let in by a consent, not by the password, and a
 * change for good measure should not stop work that is under way. The page that follows leads to them.
 */
async function change(visit: Visit, form: Parameters): Promise<Response> {
  const { context, ways, c, session } = visit
  if (!(await usesPassword(visit))) return show(visit, { error: 'You have no password here.', status: 400 })
  const [current, next] = [form.get('current') ?? '', form.get('next') ?? '']
  const fault = next === current ? 'This is the password that you have.' : faultOfPassword(next, session.email)
  if (fault !== null) return show(visit, { error: fault, status: 400 })
  const account = await prove(visit, current)
  if ('error' in account) return show(visit, account)
  const arrival = { way: 'password', address: clientAddress(c, context.config.trustProxy) }
  const outcome = await ways.accounts.changePassword(account, next, context.sessions.startingAlone(c.req.raw, arrival))
  if ('problem' in outcome) return show(visit, { error: outcome.problem, status: 400 })
  context.sessionEnded(session.userId)
  c.header('Set-Cookie', outcome.cookie)
  return renderPage(c, <PasswordChangedPage />)
}

/** Goes to an upstream to add who the person is there. */
async function add(visit: Visit, form: Parameters): Promise<Response> {
  const { context, ways, c, session } = visit
  const upstream = upstreamOf(ways, form)
  if (await usesPassword(visit)) {
    const account = await prove(visit, form.get('current') ?? '')
    if ('error' in account) return show(visit, account)
  }
  try {
    const purpose = { next: PASSWORD_PATH, knowsSetUpCode: false, addInSession: session.sessionHash }
    return await sendAway(ways, c, upstream, purpose)
  } catch (thrown) {
    return show(visit, { error: toldError(context, upstream, thrown).message, status: 503 })
  }
}

async function remove(visit: Visit, form: Parameters): Promise<Response> {
  const { context, ways, c, session } = visit
  const key = { issuer: required(form, 'issuer'), subject: required(form, 'subject') }
  const problem = await ways.identities.remove(session.userId, key, clientAddress(c, context.config.trustProxy))
  return problem === null ? c.redirect(PASSWORD_PATH, 303) : show(visit, { error: problem, status: 400 })
}

/** The person's account, if that is their password; tries count like those of the sign-in page. */
async function prove({ context, ways, c, session }: Visit, password: string): Promise<ProvenAccount | Complaint> {
  const address = clientAddress(c, context.config.trustProxy)
  const attempt = await ways.throttle.take(normalizeEmail(session.email), address)
  if ('waitSeconds' in attempt) {
    c.header('Retry-After', String(attempt.waitSeconds))
    return { error: tooMany(attempt.waitSeconds), status: 429 }
  }
  const account = await counted(attempt, () => ways.accounts.prove(session.userId, password))
  if (account === null) {
    context.aftermath.passwordNotKnown(session.userId, address)
    return { error: 'The current password is not right.', status: 400 }
  }
  await attempt.succeeded()
  return account
}
