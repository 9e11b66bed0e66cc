/**
 * What a client knows of its calls. A load generator that counts answers never notices the call that got none; the
 * ledger has an entry for each call before it is sent, and asks at the end what became of it.
 */
import type { FetchLike } from '../support/oauth.ts'

export interface Account {
  readonly sent: number
  /** Whole answers of the kind that a working server gives; whether they say the right thing is for the checkers. */
  readonly answered: number
  /** No answer, a broken one, or one that a call of ours does not deserve; each with what came. */
  readonly failed: readonly string[]
  /** Neither answered nor failed: the call is lost. */
  readonly unreported: readonly string[]
}

export interface Ledger {
  /** `fetch`, entered: answered once the whole body is there. Not for streams that go on. */
  readonly fetch: FetchLike
  /** Forgets what was before, none of which may be under way: getting ready is not what is asked about. */
  begin(): void
  account(): Account
}

/** The server bounds a call by 8 s; past this nobody waits any more, and the call has failed. */
const TIMEOUT_MS = 20_000

/** Refusals of the server's own making. A good call gets any other 4xx only if it asked for it. */
const UNDESERVED = new Set([401, 408, 421, 425, 429])
const INTERNAL = /"code":"(?:INTERNAL|UNAVAILABLE|RATE_LIMITED)"/u

export function createLedger(): Ledger {
  const open = new Map<number, string>()
  let failed: string[] = []
  let sent = 0

  return {
    async fetch(url, init = {}) {
      sent += 1
      const entry = sent
      const name = `${init.method ?? 'GET'} ${new URL(url).pathname}`
      open.set(entry, name)
      const fail = (what: string) => {
        open.delete(entry)
        failed.push(`${name}: ${what}`)
      }
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), ...init })
        const body = await response.text()
        const { status, headers, statusText } = response
        if (status >= 500 || UNDESERVED.has(status) || INTERNAL.test(body)) fail(`${status} ${body.slice(0, 300)}`)
        open.delete(entry)
        return new Response(status === 204 || status === 304 ? null : body, { status, headers, statusText })
      } catch (error) {
        fail(reasonOf(error))
        throw error
      }
    },
    begin() {
      if (open.size > 0) throw new Error('calls are under way')
      failed = []
      sent = 0
    },
    account: () => ({
      sent,
      answered: sent - failed.length - open.size,
      failed: [...failed],
      unreported: [...open.values()],
    }),
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/** What is wrong with the account where every call has to be answered, one sentence each. */
export function faultsOf({ sent, answered, failed, unreported }: Account): string[] {
  return [
    ...(sent > 0 ? [] : ['no call was sent']),
    ...failed.slice(0, 10).map((each) => `failed: ${each}`),
    ...(failed.length > 10 ? [`and ${failed.length - 10} failed calls more`] : []),
    ...unreported.slice(0, 10).map((each) => `unreported: ${each}`),
    ...(sent === answered + failed.length + unreported.length ? [] : ['the account does not add up']),
  ]
}
