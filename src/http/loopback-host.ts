import type { MiddlewareHandler } from 'hono'
import { AppError } from '../kernel/errors.ts'

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])$/u

/**
 * Takes only what was sent to a loopback name: for a server that is meant for its own machine. Any site can let its own
 * name lead to 127.0.0.1 (DNS rebinding); its pages are then same-origin with this server, and could make the first
 * account here. Such requests say the site's name in Host.
 *
 * For servers with a public URL this would protect nothing: a proxy puts there what it likes (nginx the name of its
 * upstream), cookies and certificates are bound to the public name, and nothing of ours is decided by Host.
 */
export function loopbackHostsOnly(): MiddlewareHandler {
  return async (c, next) => {
    if (!LOOPBACK_HOST.test(new URL(c.req.url).hostname)) {
      throw new AppError('FORBIDDEN_ORIGIN', 'This server answers on loopback addresses only, such as localhost.')
    }
    await next()
  }
}
