import type { Log } from '../kernel/log.ts'
import { createAnswerCache } from './answer-cache.ts'
import { type ClientDescription, documentTtlSeconds, hostOf, readClientDocument } from './client-document.ts'
import type { GuardedFetch } from './guarded-fetch.ts'
import { AUTH_LIMITS } from './limits.ts'
import { createThrottle } from './throttle.ts'

/** Clients whose id is the URL of a document about them. */
export interface ClientDocuments {
  /**
   * What the document at `clientId`, a client id that is a URL, says for the person `userId`, who wants to sign in with
   * that client. Null when it cannot be used, for whatever reason: the log has it, and nobody outside is told (S-45).
   */
  find(clientId: string, userId: string): Promise<ClientDescription | null>
}

/**
 * Fetches and remembers metadata documents, in memory, on each replica for itself. What one person or one host can make
 * us do is bounded: fetches at once and per person, one for all who ask for the same document at the same time, and a
 * pause after each failure of a host. A failure is never remembered as an answer: after the pause the host is asked again.
 *
 * @param now milliseconds of a clock that never steps back.
 */
export function createClientDocuments(fetch: GuardedFetch, log: Log, now: () => number): ClientDocuments {
  const known = createAnswerCache<ClientDescription>(
    AUTH_LIMITS.documentTtlMaxSeconds * 1_000,
    AUTH_LIMITS.documentCacheEntries,
    now,
  )
  const paused = createAnswerCache<true>(AUTH_LIMITS.documentPauseMs, AUTH_LIMITS.documentPauses, now)
  const perPerson = createThrottle(AUTH_LIMITS.documentFetchesPerPersonHour, 3_600, now)
  const underWay = new Map<string, Promise<ClientDescription | null>>()

  /** Why nothing is fetched just now, if so. */
  function hindrance(clientId: string, userId: string): string | null {
    if (paused.get(pauseKey(clientId, userId)) !== undefined) return 'its host has just failed this person'
    if (underWay.size >= AUTH_LIMITS.documentFetchesAtOnce) return 'too many fetches are under way'
    return perPerson.take(userId) === null ? null : 'this person has caused too many fetches'
  }

  async function look(clientId: string, userId: string): Promise<ClientDescription | null> {
    try {
      const answer = await fetch(new URL(clientId))
      const description = readClientDocument(clientId, answer)
      known.put(clientId, { value: description, validMs: documentTtlSeconds(answer.headers) * 1_000 })
      return description
    } catch (thrown) {
      paused.put(pauseKey(clientId, userId), { value: true, validMs: Infinity })
      refuse(clientId, thrown instanceof Error ? thrown.message : String(thrown))
      return null
    }
  }

  function refuse(clientId: string, reason: string): void {
    log.warn(
      { clientId, reason },
      'a client metadata document could not be used; where this server cannot reach the internet, set CIMD=off',
    )
  }

  return {
    async find(clientId, userId) {
      const description = known.get(clientId) ?? underWay.get(clientId)
      if (description !== undefined) return description
      const reason = hindrance(clientId, userId)
      if (reason !== null) {
        refuse(clientId, reason)
        return null
      }
      const looking = look(clientId, userId).finally(() => underWay.delete(clientId))
      underWay.set(clientId, looking)
      return looking
    },
  }
}

/** A host and a person: were it the host alone, anybody could shut a client out by asking its host for nonsense. */
function pauseKey(clientId: string, userId: string): string {
  return `${userId} ${hostOf(clientId)}`
}
