import type { Context } from 'hono'
import { z } from 'zod'
import { SCOPES } from '../kernel/principal.ts'
import { ConsentPage } from '../web/pages/consent.tsx'
import { renderPage } from '../web/render.ts'
import { type Destination, errorRedirect, examine, findDestination } from './authorize.ts'
import type { BrowserSession } from './browser-session.ts'
import { type AuthorizationRequest, issueCode } from './codes.ts'
import type { AuthContext } from './context.ts'
import { equalSecrets } from './crypto.ts'
import { readForm } from './form.ts'
import { AUTH_LIMITS } from './limits.ts'
import { pathWithNext } from './next-path.ts'
import { OAuthError } from './oauth-error.ts'
import { destinationOf, isLoopback, withParameters } from './redirect-uri.ts'
import { requireSameOrigin } from './same-origin.ts'

/** What travels through the consent form: the examined request, and the session that it was shown to. */
const SealedRequest = z.object({
  sessionHash: z.string(),
  clientId: z.string(),
  redirectUri: z.string(),
  codeChallenge: z.string(),
  resource: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  state: z.string().optional(),
})

const stale = () =>
  new OAuthError(
    'access_denied',
    'This consent page is too old or belongs to another sign-in. Start again from your agent.',
  )

/**
 * GET /oauth/authorize: examines the request and shows the consent page; it never approves anything. Before anybody is
 * signed in the browser is sent nowhere but to our own sign-in, so that this is no open redirector (S-19).
 *
 * @throws OAuthError to be shown on a page of our own.
 */
export async function showConsent(context: AuthContext, c: Context): Promise<Response> {
  const { publicUrl } = context.config
  const { search, searchParams } = new URL(c.req.url)
  const destination = await findDestination(context, searchParams)
  const session = await context.sessions.find(c.req.raw)
  if (session === null) {
    return c.redirect(pathWithNext('/login', `/oauth/authorize${search}`), 303)
  }
  try {
    const request = examine(publicUrl, searchParams, destination)
    return await renderConsent(context, c, { session, destination, request, search })
  } catch (thrown) {
    if (!(thrown instanceof OAuthError)) throw thrown
    return c.redirect(errorRedirect(publicUrl, destination, thrown), 303)
  }
}

async function renderConsent(
  context: AuthContext,
  c: Context,
  shown: { session: BrowserSession; destination: Destination; request: AuthorizationRequest; search: string },
): Promise<Response> {
  const { session, destination, request, search } = shown
  const { state } = destination
  const claims = { ...request, sessionHash: session.sessionHash, ...(state !== undefined && { state }) }
  return renderPage(
    c,
    <ConsentPage
      clientName={destination.client.name}
      destination={destinationOf(request.redirectUri)}
      leadsToOwnComputer={isLoopback(request.redirectUri)}
      scopes={request.scopes}
      email={session.email}
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
 * @throws OAuthError, AppError to be shown on a page of our own.
 */
export async function decideConsent(context: AuthContext, c: Context): Promise<Response> {
  const { publicUrl } = context.config
  requireSameOrigin(c.req.raw, publicUrl)
  const form = await readForm(c.req, AUTH_LIMITS.formBodyBytes)
  const session = await context.sessions.find(c.req.raw)
  const opened = SealedRequest.safeParse(await context.consents.open(form.get('request') ?? ''))
  if (session === null || !opened.success || !equalSecrets(opened.data.sessionHash, session.sessionHash)) throw stale()
  const { state, redirectUri } = opened.data
  const decision = form.get('decision')
  if (decision === 'deny') {
    const denied = new OAuthError('access_denied', 'The person denied the request.')
    return c.redirect(errorRedirect(publicUrl, { redirectUri, state }, denied), 303)
  }
  if (decision !== 'allow') throw new OAuthError('invalid_request', 'Choose Allow or Deny.')
  const code = await issueCode(context.database, session.userId, opened.data)
  if (code === null) throw stale()
  return c.redirect(withParameters(redirectUri, { code, state, iss: publicUrl }), 303)
}
