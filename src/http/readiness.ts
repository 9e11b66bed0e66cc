/** How one thing that serving depends on is. Only `failed` makes the server not ready. */
export interface Finding {
  readonly status: 'ok' | 'degraded' | 'failed'
  /** For a person, in a sentence; nothing that a stranger must not know. */
  readonly detail?: string
}

/** Looks at one or several things, within the bounds of a database call. Never rejects. */
export type Check = () => Promise<Readonly<Record<string, Finding>>> | Readonly<Record<string, Finding>>

export interface Readiness {
  readonly ready: boolean
  /** The first check that failed. */
  readonly reason?: string
  readonly checks: Readonly<Record<string, Finding>>
}

/** Asked more often than this, it answers what it found last. */
const KEPT_MS = 250

/**
 * Whether this replica should be sent requests, and if not, what is wrong. Not ready is only what another replica may do
 * better: a slow event loop or a lost listener is told and no reason to go, since under load all would go together.
 *
 * One look at a time and at most four a second, however many ask: the database is not asked more because of a flood.
 */
export function createReadiness(deps: {
  readonly checks: readonly Check[]
  readonly draining: () => boolean
  /** A clock that never steps back. */
  readonly nowMs: () => number
}): () => Promise<Readiness> {
  let last: Readonly<Record<string, Finding>> | null = null
  let lastAt = 0
  let looking: Promise<Readonly<Record<string, Finding>>> | null = null

  async function look(): Promise<Readonly<Record<string, Finding>>> {
    try {
      const found = await Promise.all(deps.checks.map(async (check) => check()))
      last = Object.fromEntries(found.flatMap((findings) => Object.entries(findings)))
      lastAt = deps.nowMs()
      return last
    } finally {
      looking = null
    }
  }

  return async () => {
    const isFresh = last !== null && deps.nowMs() - lastAt <= KEPT_MS
    const found = isFresh && last !== null ? last : await (looking ??= look())
    const draining: Finding = deps.draining() ? { status: 'failed', detail: 'It is stopping.' } : { status: 'ok' }
    const checks = { draining, ...found }
    const failed = Object.entries(checks).find(([, { status }]) => status === 'failed')
    return failed === undefined ? { ready: true, checks } : { ready: false, reason: failed[0], checks }
  }
}
