import type { Scoped } from '../db/client.ts'
import type { WorkspaceTx } from '../journal/journal.ts'
import type { Log } from '../kernel/log.ts'
import type { Principal } from '../kernel/principal.ts'
import type { z } from 'zod'
import { defineTool, type Tool, type ToolDefinition } from '../kernel/tool.ts'
import type { Claim } from './claim/claim.ts'
import type { Confirmations } from './confirmation.ts'
import type { Session } from './session/session.ts'
import type { Member } from './tenancy/tenancy.ts'
import type { Run } from './workflow/run.ts'

/**
 * What a tool's handler gets: who calls, in which workspace, under its lock. `session`, `claims` and `run` are the
 * caller's own; a handler that changes them puts a new value here (never mutates the old one) and registers the write
 * with `ws.write`, so that the advice after it is right without reading again.
 */
export interface Call {
  readonly principal: Principal
  readonly ws: WorkspaceTx
  readonly member: Member
  readonly log: Log
  /** For what destroys much at once. */
  readonly confirmations: Confirmations
  /** False only for the join that created the session. */
  readonly resumed: boolean
  /** The caller's session as it is stored. */
  readonly stored: Session
  session: Session
  /** Live claims of the session, the oldest first. */
  claims: readonly Claim[]
  run: Run | null
}

/** Where a tool can ask ahead: what most likely is the session of the call. If it is not, what was asked is forgotten. */
export interface Asking {
  readonly orm: Scoped
  readonly workspaceId: string
  readonly sessionId: string
}

export type CallTool = Tool<Call, Asking>

/** `defineTool` for the tools of this product. */
export function callTool<Input extends z.ZodObject, Output extends z.ZodObject, Known = undefined>(
  tool: ToolDefinition<Call, Asking, Input, Output, Known>,
): CallTool {
  return defineTool(tool)
}
