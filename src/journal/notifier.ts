import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../kernel/log.ts'
import { createBell } from './bell.ts'

/** Closing does not wait longer than this for the last statement. */
const CLOSE_MS = 1_000

/**
 * Tells the other replicas which journals have moved on, at most one statement per `everyMs`: a NOTIFY per commit costs
 * more than the commit. Holds one number per workspace while a statement is under way, nothing otherwise.
 */
export interface Notifier {
  /** Never waits and never fails. What cannot be told is logged; the other replicas find it when they look. */
  tell(workspaceId: string, seq: number): void
  /** Resolves when what was told before is sent or given up. */
  close(): Promise<void>
}

export function createNotifier(deps: {
  notify: (payloads: readonly string[]) => Promise<void>
  everyMs: number
  log: Log
}): Notifier {
  const pending = new Map<string, number>()
  const closing = createBell()
  let sending: Promise<void> | null = null

  async function send(): Promise<void> {
    while (pending.size > 0) {
      await closing.rung(deps.everyMs)
      const payloads = [...pending].map(([workspaceId, seq]) => formatHead({ workspaceId, seq }))
      pending.clear()
      await deps
        .notify(payloads)
        .catch((err: unknown) => deps.log.warn({ err }, 'other replicas could not be notified'))
    }
    sending = null
  }

  return {
    tell(workspaceId, seq) {
      pending.set(workspaceId, Math.max(seq, pending.get(workspaceId) ?? 0))
      sending ??= send()
    },
    async close() {
      closing.ring()
      await Promise.race([sending, delay(CLOSE_MS, undefined, { ref: false })])
    },
  }
}

/** How far a journal is known to go. */
export interface Head {
  readonly workspaceId: string
  readonly seq: number
}

function formatHead({ workspaceId, seq }: Head): string {
  return `${workspaceId}:${seq}`
}

/** The head that a notification tells of. Anything else that was sent on the channel has a seq of NaN. */
export function parseHead(payload: string): Head {
  const colon = payload.lastIndexOf(':')
  return { workspaceId: payload.slice(0, colon), seq: Number(payload.slice(colon + 1)) }
}
