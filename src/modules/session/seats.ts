import type { Principal } from '../../kernel/principal.ts'

/** Where the session is that a caller speaks for. */
export interface Seat {
  readonly workspaceId: string
  /** The session's. */
  readonly id: string
  /** How often agents had joined as this person when it was found. */
  readonly joins: number
}

/** The most that are remembered; about 200 bytes each. */
const MOST = 20_000

/**
 * Remembers which session the calls of a grant are for, so that it is not looked up for each of them, in a transaction of its
 * own: a third of the statements of a claim_scope call, and half of an `unchanged` read (2026-11-27).
 *
 * It is a guess, which a call proves under the lock of the workspace: the session must still be live and this grant's, and
 * nobody may have joined as this person since, on any replica. Otherwise the same agentId, or none, may mean another session.
 */
export interface Seats {
  of(principal: Principal, agentId: string | undefined): Seat | null
  keep(principal: Principal, agentId: string | undefined, seat: Seat): void
  forget(principal: Principal, agentId: string | undefined): void
}

export function createSeats(): Seats {
  const seats = new Map<string, Seat>()
  const key = ({ grantId }: Principal, agentId = '') => `${grantId} ${agentId}`
  return {
    of: (principal, agentId) => seats.get(key(principal, agentId)) ?? null,
    keep(principal, agentId, seat) {
      const [oldest] = seats.keys()
      if (seats.size >= MOST && oldest !== undefined) seats.delete(oldest)
      seats.set(key(principal, agentId), seat)
    },
    forget(principal, agentId) {
      seats.delete(key(principal, agentId))
    },
  }
}
