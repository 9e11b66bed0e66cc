import type { Context } from 'hono'
import { z } from 'zod'
import { SCOPES } from '../kernel/principal.ts'
import { ConsentPage } from '../web/pages/consent.tsx'
import { DonePage } from '../web/pages/done.tsx'
import { renderProblem } from '../web/problems.tsx'
import { renderPage } from '../web/render.ts'
import { type Destination, errorRedirect, examine, findDestination } from './authorize.ts'
import type { BrowserSession } from './browser-session.ts'
import { clientAddress } from './client-address.ts'
import { type AuthorizationRequest, type Decider, denyCode, issueCode } from './codes.ts'
import type { AuthContext } from './context.ts'
import { equalSecrets } from './crypto.ts'
import { readForm } from './form.ts'
import { AUTH_LIMITS } from './limits.ts'
import { pathWithNext } from './next-path.ts'
import { OAuthError } from './oauth-error.ts'
import { PageError } from './page-error.ts'
import { landingOf, withParameters } from './redirect-uri.ts'
import { requireSameOrigin } from './same-origin.ts'
import { newToken } from './token-format.ts'

/**
 * What travels through the consent form: the examined request, the session that it was shown to, and the code that it
 * will have, which makes the form good for one decision (codes.ts).
 */
const SealedRequest = z.object({
  sessionHash: z.string(),
  code: z.string(),
  clientId: z.string(),
  redirectUri: z.string(),
  codeChallenge: z.string(),
  resource: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  state: z.string().optional(),
  /** What a client's metadata document said when it was shown: that is what is consented to, not what it says later. */
  described: z.object({ name: z.string(), redirectUris: z.array(z.string()) }).optional(),
})

const stale = () =>
  new PageError({
    status: 403,
    title: 'This page is too old',
    happened: 'The consent page has expired or belongs to another sign-in, so nothing was allowed.',
    next: 'Start the sign-in again from your agent.',
  })

/**
 * GET /oauth/authorize: examines the request and shows the consent page; it never approves anything. Before anybody is
 * signed in the browser is sent nowhere but to our own sign-in, so that this is no open redirector (S-19; returnError).
 *
 * @throws OAuthError to be shown on a page of our own.
 */
export async function showConsent(context: AuthContext, c: Context): Promise<Response> {
  const { publicUrl } = context.config
  const { search, searchParams } = new URL(c.req.url)
  const session = await context.sessions.find(c.req.raw)
  const destination = await findDestination(context, searchParams, session?.userId)
  if (session === null || destination === null) {
    return c.redirect(pathWithNext('/login', `/oauth/authorize${search}`), 303)
  }
  try {
    const request = examine(publicUrl, searchParams, destination)
    return await renderConsent(context, c, { session, destination, request, search })
  } catch (thrown) {
    if (!(thrown instanceof OAuthError)) throw thrown
    return returnError(c, publicUrl, destination, thrown)
  }
}

/**
 * Takes the error back to the client. A browser is sent by itself to its own computer only: every other address is what
 * a client registered, and anybody can register one, so the person sees it first and decides (RFC 9700 §4.11.2).
 */
function returnError(c: Context, publicUrl: string, to: Destination, error: OAuthError): Response | Promise<Response> {
  const href = errorRedirect(publicUrl, to, error)
  const { kind, address } = landingOf(to.redirectUri)
  if (kind === 'own-computer') return c.redirect(href, 303)
  return renderProblem(c, {
    status: 400,
    title: 'This request cannot be answered',
    happened: error.message,
    next: 'Nothing was changed, and nothing was sent to anybody.',
    onward: { href, address },
  })
}

async function renderConsent(
  context: AuthContext,
  c: Context,
  shown: { session: BrowserSession; destination: Destination; request: AuthorizationRequest; search: string },
): Promise<Response> {
  const { session, destination, request, search } = shown
  const { client, state } = destination
  const { sessionHash, name, email } = session
  const { name: clientName, redirectUris, identity } = client
  const claims = {
    ...request,
    sessionHash,
    code: newToken('ac'),
    ...(state !== undefined && { state }),
    ...(identity.kind === 'metadata-document' && { described: { name: clientName, redirectUris } }),
  }
  return renderPage(
    c,
    <ConsentPage
      clientName={clientName}
      verified={identity}
      landing={landingOf(request.redirectUri)}
      scopes={request.scopes}
      person={{ name, email }}
      workspaces={await context.people.list(session.userId)}
      daysMax={AUTH_LIMITS.grantTtlSeconds / 86_400}
      sealedRequest={await context.consents.seal(claims, AUTH_LIMITS.consentTtlSeconds)}
      switchAccountPath={pathWithNext('/logout', `/oauth/authorize${search}`)}
    />,
  )
}

/**
 * POST /oauth/authorize: the person's decision. What is approved is the sealed request, which only our own page can
 * hold, for this very session and not for long (S-33): it needs no further CSRF token, and nothing in it can be changed
 * between showing and approving.
 *
 * @throws OAuthError, AppError, PageError to be shown on a page of our own.
 */
export async function decideConsent(context: AuthContext, c: Context): Promise<Response> {
  requireSameOrigin(c.req.raw, context.config.publicUrl)
  const form = await readForm(c.req, AUTH_LIMITS.formBodyBytes)
  const session = await context.sessions.find(c.req.raw)
  const opened = SealedRequest.safeParse(await context.consents.open(form.get('request') ?? ''))
  if (session === null || !opened.success || !equalSecrets(opened.data.sessionHash, session.sessionHash)) throw stale()
  const decision = form.get('decision')
  const decider = { userId: session.userId, address: clientAddress(c, context.config.trustProxy) }
  if (decision === 'allow') return allow(context, c, decider, opened.data)
  if (decision === 'deny') return deny(context, c, decider, opened.data)
  throw new OAuthError('invalid_request', 'Choose Allow or Deny.')
}

type Sealed = z.output<typeof SealedRequest>

/**
 * A form gives one code. A browser that submits it again has dropped the answer to the first submit (Chromium does so at
 * a double click, where that answer takes longer than the second click), so it is led there once more as long as the
 * client waits for it.
 */
async function allow(context: AuthContext, c: Context, decider: Decider, sealed: Sealed): Promise<Response> {
  const { redirectUri, code, state } = sealed
  const answer = withParameters(redirectUri, { code, state, iss: context.config.publicUrl })
  const allowed = await issueCode(context.database, decider, sealed)
  if (allowed === 'client_gone') throw stale()
  if (allowed === 'issued') return c.redirect(answer, 303)
  if (allowed === 'over') return renderPage(c, <DonePage />)
  c.header('Refresh', `0; url=${answer}`)
  return renderPage(c, <DonePage answer={answer} />)
}

/** As often as it is pressed, until there is something to be ended instead. */
async function deny(context: AuthContext, c: Context, decider: Decider, sealed: Sealed): Promise<Response> {
  const { redirectUri, state } = sealed
  if (!(await denyCode(context.database, decider, sealed))) return renderPage(c, <DonePage />)
  const denied = new OAuthError('access_denied', 'The person denied the request.')
  return c.redirect(errorRedirect(context.config.publicUrl, { redirectUri, state }, denied), 303)
}
