import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import type { Config } from '../config.ts'
import type { AddressRate } from './address-limits.ts'
import { type Bearer, challenge } from './bearer.ts'
import type { AuthContext } from './context.ts'
import { readForm, readText, required } from './form.ts'
import { introspect } from './introspect.ts'
import { AUTH_LIMITS } from './limits.ts'
import { authorizationServerMetadata, protectedResourceMetadata } from './metadata.ts'
import { PASSWORD_PATH } from './next-path.ts'
import { OAuthError, renderOAuthError, toOAuthError } from './oauth-error.ts'
import { register } from './register.ts'
import { revoke } from './revoke.ts'
import { token } from './token.ts'

const WELL_KNOWN = '/.well-known'

/**
 * The endpoints that programs talk to: all JSON, no cookies, so that any origin may call them (S-29).
 */
export function endpointRoutes(context: AuthContext, bearer: Bearer): Hono {
  const routes = new Hono()
  routes.onError((thrown, c) => renderOAuthError(c, toOAuthError(thrown, context.log)))
  metadataRoutes(routes, context.config)
  post(context, routes, '/api/oauth/register', registerEndpoint(context))
  post(context, routes, '/api/oauth/token', async (c) => {
    return c.json(await token(context, await readForm(c.req, AUTH_LIMITS.oauthBodyBytes)))
  })
  post(context, routes, '/api/oauth/revoke', async (c) => {
    await revoke(context, await readForm(c.req, AUTH_LIMITS.oauthBodyBytes))
    return c.body(null, 200)
  })
  post(context, routes, '/api/oauth/introspect', async (c) => {
    const authorization = c.req.header('authorization')
    const caller = await bearer.authenticate(authorization, 'rest')
    if (caller === null) {
      c.header('WWW-Authenticate', challenge(context.config.publicUrl, authorization !== undefined))
      throw new OAuthError('invalid_client', 'Introspection needs an access token of the same client and person.')
    }
    const form = await readForm(c.req, AUTH_LIMITS.oauthBodyBytes)
    return c.json(await introspect(context, caller, required(form, 'token')))
  })
  return routes
}

/** Static documents; every other well-known address is a JSON 404, since clients probe several and parse what comes. */
function metadataRoutes(routes: Hono, config: Config): void {
  const { publicUrl } = config
  const documents = [
    ['/oauth-protected-resource', protectedResourceMetadata(publicUrl)],
    ['/oauth-protected-resource/api/mcp', protectedResourceMetadata(publicUrl)],
    ['/oauth-authorization-server', authorizationServerMetadata(config)],
  ] as const
  routes.use(`${WELL_KNOWN}/*`, cors({ origin: '*', allowMethods: ['GET'] }))
  for (const [path, document] of documents) {
    routes.get(WELL_KNOWN + path, (c) => {
      c.header('Cache-Control', 'public, max-age=300')
      return c.json(document)
    })
  }
  // For password managers (W3C, A Well-Known URL for Changing Passwords).
  routes.get(`${WELL_KNOWN}/change-password`, (c) => c.redirect(PASSWORD_PATH, 303))
  routes.all(`${WELL_KNOWN}/*`, (c) => c.json({ error: 'not_found' }, 404))
}

function registerEndpoint(context: AuthContext): (c: Context) => Promise<Response> {
  return async (c) => {
    await admit(context, c, 'registrations')
    return c.json(await register(context, await readText(c.req, AUTH_LIMITS.oauthBodyBytes)), 201)
  }
}

/** @throws OAuthError temporarily_unavailable for an address that does this too often */
async function admit(context: AuthContext, c: Context, rate: AddressRate): Promise<void> {
  const retryAfterSeconds = await context.countByAddress(c, rate)
  if (retryAfterSeconds === null) return
  throw new OAuthError('temporarily_unavailable', `Too many ${rate} from this address. Try again later.`, {
    status: 429,
    retryAfterSeconds,
  })
}

/** A POST-only endpoint whose answers nobody may keep. */
function post(context: AuthContext, routes: Hono, path: string, handler: (c: Context) => Promise<Response>): void {
  routes.use(path, cors({ origin: '*', allowMethods: ['POST'], exposeHeaders: ['WWW-Authenticate', 'Retry-After'] }))
  routes.post(path, async (c) => {
    c.header('Cache-Control', 'no-store')
    await admit(context, c, 'requests')
    return handler(c)
  })
  routes.all(path, (c) => {
    c.header('Allow', 'POST')
    return renderOAuthError(c, new OAuthError('invalid_request', 'Use POST.', { status: 405 }))
  })
}
