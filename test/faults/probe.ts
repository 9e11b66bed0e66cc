import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExportedEvent } from '../../src/journal/event.ts'

/** One call, and how it went. */
export interface Sample {
  readonly kind: 'read' | 'write' | 'ready' | 'alive'
  /** On the clock of `performance`. */
  readonly at: number
  readonly ms: number
  /** 0 where there was no answer at all. */
  readonly status: number
  /** The error's code, where the answer names one; with its reason, where it has one. */
  readonly code: string | undefined
  readonly retryAfter: string | null
}

/** Somebody who calls steadily, whatever became of the calls before, and takes down how each one goes. */
export interface Probe {
  readonly samples: readonly Sample[]
  /** Writes that were acknowledged and that the journal does not have, in sentences. */
  lost(events: readonly ExportedEvent[]): string[]
  /** Resolves when a write has been acknowledged that began after this call; with how long that took, Infinity for never. */
  recovered(): Promise<number>
  /** Calls no more, and waits for what is under way. */
  stop(): Promise<void>
}

const GIVE_UP_MS = 30_000

/** No machine is that slow. */
const NEVER_MS = 120_000

export function startProbe(options: {
  origin: string
  workspaceId: string
  token: () => string
  /** Between two rounds of one call of each kind. */
  everyMs: number
  kinds?: readonly Sample['kind'][]
}): Probe {
  const { origin, workspaceId, kinds = ['read', 'write', 'ready', 'alive'] } = options
  const samples: Sample[] = []
  const acknowledged: { readonly key: string; readonly sha256: string }[] = []
  const underWay = new Set<Promise<void>>()
  const headers = () => ({ authorization: `Bearer ${options.token()}`, 'content-type': 'application/json' })
  const workspace = `${origin}/api/workspaces/${workspaceId}`
  let count = 0
  const stopping = new AbortController()

  function request(kind: Sample['kind']): [string, RequestInit, acknowledge: () => void] {
    if (kind === 'ready') return [`${origin}/readyz`, {}, () => undefined]
    if (kind === 'alive') return [`${origin}/healthz`, {}, () => undefined]
    if (kind === 'read') return [`${workspace}/state`, { headers: headers() }, () => undefined]
    count += 1
    // A few keys: their number is bounded.
    const key = `probe-${count % 20}`
    const value = `write ${count}`
    const sha256 = createHash('sha256').update(JSON.stringify(value)).digest('hex')
    const init = { method: 'PUT', headers: headers(), body: JSON.stringify(value) }
    return [`${workspace}/values/${key}`, init, () => acknowledged.push({ key, sha256 })]
  }

  async function call(kind: Sample['kind']): Promise<void> {
    const [url, init, acknowledge] = request(kind)
    const at = performance.now()
    const outcome = await fetch(url, { ...init, signal: AbortSignal.timeout(GIVE_UP_MS) })
      .then(async (response) => {
        const text = await response.text()
        if (response.ok) acknowledge()
        const named = (field: string) => new RegExp(`"${field}":"([\\w -]+)"`, 'u').exec(text)?.[1]
        const code = [named('code'), named('reason')].filter((part) => part !== undefined).join(' ') || undefined
        return { status: response.status, code, retryAfter: response.headers.get('retry-after') }
      })
      .catch(() => ({ status: 0, code: undefined, retryAfter: null }))
    samples.push({ kind, at, ms: performance.now() - at, ...outcome })
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      for (const kind of kinds) {
        const calling = call(kind).finally(() => underWay.delete(calling))
        underWay.add(calling)
      }
      await delay(options.everyMs)
    }
    await Promise.all(underWay)
  })()

  return {
    samples,
    lost(events) {
      const written = new Set(
        events
          .filter(({ type }) => type === 'value.written')
          .map(({ payload }) => JSON.stringify([payload['key'], payload['sha256']])),
      )
      return acknowledged
        .filter(({ key, sha256 }) => !written.has(JSON.stringify([key, sha256])))
        .map(({ key, sha256 }) => `an acknowledged write of ${key} is lost: ${sha256}`)
    },
    async recovered() {
      const from = performance.now()
      for (;;) {
        const done = samples.find(
          ({ kind, at, status }) => kind === 'write' && at >= from && status < 300 && status > 0,
        )
        if (done !== undefined) return done.at + done.ms - from
        if (performance.now() - from > NEVER_MS) return Infinity
        await delay(20)
      }
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}
