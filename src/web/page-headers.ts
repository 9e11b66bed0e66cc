import type { MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'

const ONE_YEAR = 'max-age=31536000; includeSubDomains'

/**
 * The headers of every answer, whoever it is for (S-35): its type is what it says, and there is no way here but https
 * where the public URL has that.
 */
export function baseHeaders(publicUrl: string): MiddlewareHandler {
  const isHttps = publicUrl.startsWith('https:')
  return async (c, next) => {
    await next()
    // Not c.header, which makes a finished answer anew, its body as a stream: see http/request-log.ts.
    c.res.headers.set('X-Content-Type-Options', 'nosniff')
    if (isHttps) c.res.headers.set('Strict-Transport-Security', ONE_YEAR)
  }
}

/**
 * The headers of every page for people (S-35): nothing but our own stylesheet and icon loads, no script at all, no
 * framing, no referrer, no cache.
 *
 * `formsLeadAway`: on sign-in and consent pages `form-action` is left out. Chromium applies it to every redirect that
 * follows the post: with `'self'` it would block the way back to the client, and naming the client's own address is not
 * enough either, since that may redirect once more (a local callback that ends on a vendor's "you may close this" page).
 * What the directive guards against, a form injected into the page, needs markup that our escaping does not let in.
 */
export function pageHeaders(publicUrl: string, options: { formsLeadAway?: boolean } = {}): MiddlewareHandler {
  const headers = secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
      ...(options.formsLeadAway !== true && { formAction: ["'self'"] }),
    },
    xFrameOptions: 'DENY',
    referrerPolicy: 'no-referrer',
    crossOriginOpenerPolicy: 'same-origin',
    strictTransportSecurity: publicUrl.startsWith('https:') ? ONE_YEAR : false,
  })
  return async (c, next) => {
    await headers(c, next)
    c.header('Cache-Control', 'no-store')
  }
}
