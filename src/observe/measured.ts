import { UnknownToolError, type Dispatch } from '../kernel/dispatch.ts'
import { toAppError } from '../kernel/errors.ts'
import type { Metrics } from '../kernel/metrics.ts'
import { traced } from '../kernel/trace.ts'
import type { RateLimiter } from '../kernel/rate-limit.ts'

// What is there already, with its figures: nothing below changes what it wraps.

/** @param tools the names that a span may say; any other is `other` */
export function measuredDispatch(dispatch: Dispatch, metrics: Metrics, tools: readonly string[]): Dispatch {
  const known = new Set(tools)
  return (principal, name, input) => {
    const tool = known.has(name) ? name : 'other'
    return traced(`tool ${tool}`, { 'orkestrate.tool': tool }, async (note) => {
      const took = metrics.timer('orkestrate_tool_call_duration_seconds')
      const tell = (outcome: string) => {
        took({ tool, outcome })
        note({ 'orkestrate.outcome': outcome })
      }
      try {
        const answer = await dispatch(principal, name, input)
        tell(answer.ok ? 'ok' : answer.error.code)
        return answer
      } catch (thrown) {
        tell(thrown instanceof UnknownToolError ? 'unknown_tool' : toAppError(thrown).code)
        throw thrown
      }
    })
  }
}

export function measuredLimiter(limiter: RateLimiter, metrics: Metrics): RateLimiter {
  return async (rate, key) => {
    const decision = await limiter(rate, key)
    if (!decision.allowed) metrics.count('orkestrate_rate_limited_total', { rate: rate.name })
    return decision
  }
}

/** Counts what became of each Authorization header that `authenticate` looked at. */
export function measuredAuthentication<Asked extends string, Found>(
  authenticate: (authorization: string | undefined, resource: Asked) => Promise<Found | null>,
  metrics: Metrics,
): typeof authenticate {
  return async (authorization, resource) => {
    const count = (result: string) => metrics.count('orkestrate_authentications_total', { resource, result })
    try {
      const found = await authenticate(authorization, resource)
      count(authorization === undefined ? 'absent' : found === null ? 'refused' : 'accepted')
      return found
    } catch (thrown) {
      count('unavailable')
      throw thrown
    }
  }
}
