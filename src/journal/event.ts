import type { JsonObject } from '../kernel/canonical.ts'

/** Who made an event. `system` is the passage of time. */
export type Actor =
  | { readonly kind: 'system' }
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'agent'; readonly userId: string; readonly sessionId: string; readonly agentId: string }

export const SYSTEM: Actor = { kind: 'system' }

/** What an event is about, for scoped compare-and-swap. */
export interface Subject {
  /** The session whose presence, claims or state the event changed. */
  readonly sessionId?: string
  /** Repository and paths that the event is about, as the callers wrote them. */
  readonly repoId?: string
  readonly paths?: readonly string[]
}

/** One row of the type table: a kind of event, whether it changes team state, and what it is about. */
export interface EventType {
  readonly name: string
  /** True: the event moves `stateHash`. False: on record only. */
  readonly teamState: boolean
  subject(payload: JsonObject): Subject
}

/** An event type that knows what its events say. */
export interface TypedEvent<in Payload extends JsonObject> extends EventType {
  /** For the type checker alone: what `append` demands. Never called. */
  readonly accepts: (payload: Payload) => void
}

/** Declares an event type. Its name and payload are part of the protocol: add fields, never change their meaning. */
export function defineEvent<Payload extends JsonObject>(
  name: string,
  options: { teamState: boolean; subject?: (payload: Payload) => Subject },
): TypedEvent<Payload> {
  const subject = options.subject ?? (() => ({}))
  return {
    name,
    teamState: options.teamState,
    // Payloads read back from the journal were appended through this same type, so the assertion holds.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    subject: (payload) => subject(payload as Payload),
    accepts: () => undefined,
  }
}

/** An event of the journal. `hash` chains it to the one before. */
export interface JournalEvent {
  readonly seq: number
  readonly type: string
  readonly at: Date
  readonly actor: Actor
  readonly payload: JsonObject
  readonly teamState: boolean
  readonly hash: Buffer
}

/** An event as exported: enough to verify the chain offline, one a line. */
export interface ExportedEvent {
  readonly seq: number
  readonly type: string
  readonly at: string
  readonly actor: Actor
  readonly payload: JsonObject
  readonly hash: string
}

export function exportEvent(event: JournalEvent): ExportedEvent {
  const { seq, type, at, actor, payload, hash } = event
  return { seq, type, at: at.toISOString(), actor, payload, hash: hash.toString('hex') }
}
