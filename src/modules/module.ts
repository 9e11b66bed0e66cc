import type { Scoped, ScopedTx } from '../db/client.ts'
import type { Actor, EventType } from '../journal/event.ts'
import type { WorkspaceTx } from '../journal/journal.ts'
import type { CallTool } from './call.ts'
import type { OfficeOperation } from './office.ts'
import type { EndReason, Session } from './session/session.ts'

/** Ends a session and everything that hangs on it, in every module. */
export type EndSession = (ws: WorkspaceTx, session: Session, reason: EndReason, actor: Actor) => Promise<void>

/** What a module lets MCP clients read by URI: one of its operations, under another address (modules/resources.ts). */
export interface WorkspaceResource {
  /** The last part of the URI, and of the operation's path. */
  readonly name: string
  readonly title: string
  readonly description: string
  readonly operation: OfficeOperation
  /** What makes it worth reading again: every event, or those that change team state. */
  readonly changesWith: 'journal' | 'team state'
}

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
  /** What people do with it over REST. */
  readonly operations?: readonly OfficeOperation[]
  /** What MCP clients read of it, and are told about. */
  readonly resources?: readonly WorkspaceResource[]
  /** How many things it keeps of a workspace, by their names: what a person is told who is about to delete it. */
  inventory?(orm: Scoped, workspaceId: string): Promise<Readonly<Record<string, number>>>
  /** Deletes all that it keeps of a workspace. */
  erase?(tx: ScopedTx, workspaceId: string, now: Date): Promise<void>
  /** The session is about to end: let go of what hangs on it. */
  onSessionEnd?(ws: WorkspaceTx, session: Session, actor: Actor): Promise<void>
}
