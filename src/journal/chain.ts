import { canonicalJson, sha256, type Json } from '../kernel/canonical.ts'
import type { Actor, ExportedEvent } from './event.ts'

/** hash(0): what the first event of a workspace is chained to. */
export function genesisHash(workspaceId: string): Buffer {
  return sha256(`orkestrate:${workspaceId}`)
}

/**
 * hash(n) = SHA-256(hash(n-1) as 32 raw bytes ‖ RFC 8785 JSON of { seq, type, at, actor, payload }), `at` in ISO 8601
 * UTC with milliseconds. 6 µs for a claim of three paths (bench/chain.ts).
 */
export function eventHash(
  previous: Uint8Array,
  event: { seq: number; type: string; at: string; actor: Actor; payload: Json },
): Buffer {
  const { seq, type, at, actor, payload } = event
  return sha256(previous, canonicalJson({ seq, type, at, actor: { ...actor }, payload }))
}

/** A place in the journal that a caller has seen. */
export interface Position {
  readonly seq: number
  readonly hash: Uint8Array
}

/** `<seq>-<first 16 hex of the hash>`: the position of the last event that changed team state. */
export function formatStateHash(position: Position): string {
  return `${position.seq}-${Buffer.from(position.hash).toString('hex').slice(0, 16)}`
}

/** The two parts of a stateHash, or null for text that cannot be one. */
export function parseStateHash(text: string): { seq: number; hashPrefix: string } | null {
  const match = /^(0|[1-9]\d{0,14})-([0-9a-f]{16})$/u.exec(text)
  if (match === null) return null
  return { seq: Number(match[1]), hashPrefix: match[2] ?? '' }
}

/** What the verifier found: the chain holds up to `seq`, or the first event that does not fit and why. */
export type Verdict =
  | { readonly ok: true; readonly events: number; readonly hash: string }
  | { readonly ok: false; readonly events: number; readonly seq: number; readonly reason: string }

/**
 * Checks an exported journal, event by event, from the first. The first event (`workspace.created`) names the
 * workspace that the chain begins from, so the export alone is enough. A missing tail does not show: whoever needs to
 * know compares `events` or `hash` with a head noted earlier.
 *
 * @param workspaceId whose journal it must be; default: whosever it is
 */
export async function verifyChain(
  events: AsyncIterable<ExportedEvent> | Iterable<ExportedEvent>,
  workspaceId?: string,
): Promise<Verdict> {
  let previous: Uint8Array | null = null
  let count = 0
  for await (const event of events) {
    const broken = (reason: string): Verdict => ({ ok: false, events: count, seq: event.seq, reason })
    if (event.seq !== count + 1) return broken(`expected seq ${count + 1}`)
    if (previous === null) {
      const named = event.payload['workspaceId']
      if (event.type !== 'workspace.created' || typeof named !== 'string') {
        return broken('the first event must be workspace.created and name its workspaceId')
      }
      if (workspaceId !== undefined && named !== workspaceId) {
        return broken(`this is the journal of ${JSON.stringify(named)}, not of ${JSON.stringify(workspaceId)}`)
      }
      previous = genesisHash(named)
    }
    const hash = hashOrNull(previous, event)
    if (hash === null) return broken('it holds what has no canonical JSON, such as a lone surrogate')
    if (hash.toString('hex') !== event.hash) {
      return broken('the hash does not follow from the event before and this one')
    }
    previous = hash
    count += 1
  }
  return { ok: true, events: count, hash: previous === null ? '' : Buffer.from(previous).toString('hex') }
}

/** Null for an event that the journal could never have written: RFC 8785 section 3.2.2.2 ends there with an error. */
function hashOrNull(previous: Uint8Array, event: ExportedEvent): Buffer | null {
  try {
    return eventHash(previous, event)
  } catch {
    return null
  }
}
