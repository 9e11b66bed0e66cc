import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from 'hono'
import { SignInPage } from '../web/pages/sign-in.tsx'
import { renderPage } from '../web/render.ts'
import type { UpstreamChoice } from '../web/upstreams.tsx'
import type { AuthContext } from './context.ts'
import { AUTH_LIMITS } from './limits.ts'
import { awayError, type Upstream, UpstreamError } from './upstream/upstream.ts'
import type { Ways } from './ways.ts'

/** The sign-in page with the ways that are open now, and perhaps what went wrong before. */
export async function showSignIn(
  context: AuthContext,
  ways: Ways,
  c: Context,
  shown: { next: string; email?: string; error?: string },
  status: 200 | 400 | 429 | 503 = 200,
): Promise<Response> {
  const { passwords } = context.config
  const [state, withPassword, upstreams] = await Promise.all([
    ways.admission.state(shown.next),
    passwords === 'on' || (passwords === 'existing' && ways.accounts.any()),
    choices(context, ways.upstreams),
  ])
  return renderPage(
    c,
    <SignInPage
      {...shown}
      isFirst={state === 'first'}
      needsCode={ways.admission.needsCode(state)}
      withPassword={withPassword}
      canSignUp={passwords === 'on' && state !== 'closed'}
      upstreams={upstreams}
    />,
    status,
  )
}

/** The upstreams, each with the reason why nobody can be sent there just now. */
export function choices(context: AuthContext, upstreams: readonly Upstream[]): Promise<UpstreamChoice[]> {
  return Promise.all(
    upstreams.map(async (upstream) => {
      const { id, name } = upstream
      try {
        await withinPatience(upstream)
        return { id, name, problem: undefined }
      } catch (thrown) {
        return { id, name, problem: toldError(context, upstream, thrown).message }
      }
    }),
  )
}

/** @throws UpstreamError also when it takes longer than a page may wait. */
async function withinPatience(upstream: Upstream): Promise<void> {
  const late = new AbortController()
  try {
    const tooLong = delay(AUTH_LIMITS.upstreamPatienceMs, undefined, { signal: late.signal }).then(() => {
      throw awayError(upstream.name, { why: 'it takes too long' })
    })
    await Promise.race([upstream.ready(), tooLong])
  } finally {
    late.abort()
  }
}

/**
 * Logs why an upstream could not be used.
 *
 * @returns what to tell the person.
 * @throws whatever was thrown that says nothing about the upstream.
 */
export function toldError(context: AuthContext, upstream: Upstream, thrown: unknown): UpstreamError {
  if (!(thrown instanceof UpstreamError)) throw thrown
  const { fault, message, facts } = thrown
  const level = fault === 'refused' ? 'info' : 'warn'
  context.log[level]({ upstream: upstream.id, fault, ...facts }, message)
  return thrown
}
