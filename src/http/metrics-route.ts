import { createHash, timingSafeEqual } from 'node:crypto'
import { Hono, type Context } from 'hono'
import { AppError } from '../kernel/errors.ts'

export interface MetricsRouteDeps {
  /** The figures in the text format of Prometheus; asks nobody, so it answers also while the database is away. */
  render(): string
  readonly contentType: string
  /** With it, whoever sends it may read; without it, see `local`. */
  readonly token: string | undefined
  /** Is the server for this machine alone, and the request from it? */
  local(c: Context): boolean
}

/**
 * `GET /metrics`. The figures are nobody's data, but they tell how much is going on and what fails, so they are not for
 * passers-by. Behind a proxy on the same machine every request comes from loopback, and there are proxies that say
 * nothing of whom they forward: so an address opens only a server that is not meant for others at all.
 */
export function createMetricsRoute(deps: MetricsRouteDeps): Hono {
  const app = new Hono()
  app.get('/metrics', (c) => {
    if (deps.token !== undefined) requireToken(c, deps.token)
    else if (!deps.local(c)) {
      throw new AppError('NOT_FOUND', 'Metrics are not served here. Set METRICS_TOKEN, and send it as a bearer token.')
    }
    return c.body(deps.render(), 200, { 'Content-Type': deps.contentType, 'Cache-Control': 'no-store' })
  })
  return app
}

/** @throws AppError UNAUTHENTICATED */
function requireToken(c: Context, token: string): void {
  const sent = /^Bearer +(\S+)$/iu.exec(c.req.header('authorization') ?? '')?.[1]
  if (sent !== undefined && timingSafeEqual(digest(sent), digest(token))) return
  throw new AppError('UNAUTHENTICATED', 'Send the METRICS_TOKEN of this server as a bearer token.', {
    challenge: 'Bearer realm="metrics"',
  })
}

/** Of one length, whatever was sent. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/u

/** Headers that proxies add. One of them, and the address is the proxy's. */
const FORWARDED = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip']

/** Whether a request came from this machine, as far as can be told. */
export function isFromLoopback(peer: string | undefined, header: (name: string) => string | undefined): boolean {
  return peer !== undefined && LOOPBACK.test(peer) && FORWARDED.every((name) => header(name) === undefined)
}
