import type { Actor, EventType } from '../journal/event.ts'
import type { WorkspaceTx } from '../journal/journal.ts'
import type { CallTool } from './call.ts'
import type { EndReason, Session } from './session/session.ts'

/** Ends a session and everything that hangs on it, in every module. */
export type EndSession = (ws: WorkspaceTx, session: Session, reason: EndReason, actor: Actor) => Promise<void>

/**
 * A domain: its tools, the types of its events, and what it does when time passes or a session ends. Adding a domain is
 * a folder, one line in modules/index.ts, and one migration.
 */
export interface Module {
  readonly name: string
  readonly tools: readonly CallTool[]
  readonly events: readonly EventType[]
  /** Ends what is due at ws.now, with its events; returns when to look again, or null. */
  expire?(ws: WorkspaceTx, endSession: EndSession): Promise<Date | null>
  /** The session is about to end: let go of what hangs on it. */
  onSessionEnd?(ws: WorkspaceTx, session: Session, actor: Actor): Promise<void>
}
