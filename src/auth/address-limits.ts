import type { Context, MiddlewareHandler } from 'hono'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Rate, RateLimiter } from '../kernel/rate-limit.ts'
import { clientAddress } from './client-address.ts'

/** What is counted by the address that it comes from, since nobody has shown yet who they are. */
export type AddressRate = 'requests' | 'registrations' | 'signUps' | 'signIns'

/** Looked up at each request: main sets the bounds after this is loaded. */
const RATES: Readonly<Record<AddressRate, () => Rate>> = {
  requests: () => ({ name: 'requests of an address', limit: LIMITS.addressRequestsPerMinute, windowSeconds: 60 }),
  registrations: () => ({ name: 'registrations', limit: LIMITS.registrationsPerHour, windowSeconds: 3_600 }),
  signUps: () => ({ name: 'sign-ups', limit: LIMITS.signUpsPerHour, windowSeconds: 3_600 }),
  signIns: () => ({ name: 'sign-ins', limit: LIMITS.signInsPer15Min, windowSeconds: 900 }),
}

/**
 * Counts a request by its address, on all replicas together; without the database each replica counts by itself.
 *
 * @returns the seconds to wait, at least one; null where it may go on
 */
export type CountByAddress = (c: Context, rate: AddressRate) => Promise<number | null>

/** @param limiter one of its own, so that a flood of addresses pushes out none of the tokens that are counted elsewhere */
export function createAddressLimits(limiter: RateLimiter, config: { readonly trustProxy: boolean }): CountByAddress {
  return async (c, rate) => {
    const { allowed, resetMs } = await limiter(RATES[rate](), clientAddress(c, config.trustProxy))
    return allowed ? null : Math.max(1, Math.ceil(resetMs / 1_000))
  }
}

/**
 * Before what people see: every page asks the database for something, also for those who are not signed in.
 *
 * @throws AppError RATE_LIMITED
 */
export function limitedByAddress(context: { readonly countByAddress: CountByAddress }): MiddlewareHandler {
  return async (c, next) => {
    const seconds = await context.countByAddress(c, 'requests')
    if (seconds === null) return next()
    throw new AppError('RATE_LIMITED', `Too many requests from this address. Try again in ${seconds} s.`, {
      retryAfterMs: seconds * 1_000,
    })
  }
}
