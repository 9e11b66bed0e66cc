import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from './db/client.ts'
import { openChannel } from './db/listen.ts'
import type { Log } from './kernel/log.ts'

const CHANNEL = 'ork_revoked'

/** Closing does not wait longer than this for the last statement. */
const CLOSE_MS = 1_000

/**
 * Tells every replica that less may be done in somebody's name: a token, a grant or a browser's sign-in has ended. Told
 * after the commit, never in it; what travels is a reason to look, so that one that is lost costs time and nothing else:
 * answers about tokens live for a second, and streams look by themselves every ten.
 */
export interface Revocations {
  /** Here at once. Never waits and never fails; what the others cannot be told is logged. */
  tell(userId: string): void
  /** Hears of the others' from now on, and again by itself whenever the connection was lost. */
  listen(): void
  close(): Promise<void>
}

/** @param deps.ended whose right has ended, here or on another replica; undefined: it may be anybody's, unheard */
export function createRevocations(deps: {
  database: Database
  log: Log
  ended: (userId?: string) => void
}): Revocations {
  const { database, log, ended } = deps
  const channel = openChannel(database, CHANNEL, { heard: (userId) => ended(userId), listening: () => ended() })
  const pending = new Set<string>()
  let sending: Promise<void> | null = null
  let listening = false

  // What ends while a statement is under way is told together by the next one.
  async function send(): Promise<void> {
    while (pending.size > 0) {
      const userIds = [...pending]
      pending.clear()
      await channel
        .notify(userIds)
        .catch((err: unknown) => log.warn({ err }, 'other replicas were not told of a revocation'))
    }
    sending = null
  }

  return {
    tell(userId) {
      ended(userId)
      pending.add(userId)
      sending ??= send()
    },
    listen() {
      if (!listening) channel.listen()
      listening = true
    },
    async close() {
      await Promise.race([sending, delay(CLOSE_MS, undefined, { ref: false })])
      await channel.close()
    },
  }
}
