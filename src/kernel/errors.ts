/**
 * Every refusal and failure that a caller can see, in one closed table.
 *
 * `status` is the HTTP status of the REST and OAuth-free routes (RFC 9457), `retryable` says whether the same call may
 * succeed later without the caller changing anything, `recovery` are the steps that an agent which knows nothing else
 * should take next. The three renderers (MCP result, problem+json, OAuth) are lookups in this table; none branches on
 * a code. Adding a code = adding a row.
 */
export interface ErrorRow {
  readonly status: number
  readonly retryable: boolean
  readonly title: string
  readonly recovery: readonly string[]
}

const row = (status: number, retryable: boolean, title: string, ...recovery: string[]): ErrorRow => ({
  status,
  retryable,
  title,
  recovery,
})

export const ERRORS = {
  // The call itself
  INVALID_INPUT: row(
    400,
    false,
    'The input does not fit the schema.',
    'Correct the fields listed in `issues` and call again.',
  ),
  PAYLOAD_TOO_LARGE: row(413, false, 'The request body is too large.', 'Send a smaller request.'),
  UNSUPPORTED_MEDIA_TYPE: row(415, false, 'The content type is not supported.', 'Send application/json.'),
  NOT_FOUND: row(404, false, 'There is no such thing, or you may not see it.', 'Check the id or the address.'),
  METHOD_NOT_ALLOWED: row(
    405,
    false,
    'This address does not take that method.',
    'Use one of the methods in `allowed`.',
  ),
  RATE_LIMITED: row(429, true, 'Too many calls.', 'Wait `retryAfterMs` milliseconds and call again.'),

  // Who is calling
  UNAUTHENTICATED: row(401, false, 'A valid access token is required.', 'Sign in again.'),
  FORBIDDEN_SCOPE: row(
    403,
    false,
    'The token lacks the scope this tool needs.',
    'Ask your user to sign in again and grant the scope named in `requiredScope`.',
  ),
  FORBIDDEN_ROLE: row(
    403,
    false,
    'Your role in this workspace does not allow this.',
    'Ask an owner or admin of the workspace for a higher role. Reading stays possible.',
  ),
  FORBIDDEN_ORIGIN: row(403, false, 'Requests from this origin are not accepted.', 'Call from an allowed origin.'),

  FORBIDDEN_TOKEN: row(
    403,
    false,
    'No token may do this, whatever its scopes.',
    'Do it in a browser where you are signed in.',
  ),

  // Conditions of REST
  PRECONDITION_FAILED: row(
    412,
    false,
    'The thing has another version than the call expects.',
    'Read it again, reconsider, and repeat the call with its current ETag.',
  ),
  IDEMPOTENCY_MISMATCH: row(
    422,
    false,
    'This Idempotency-Key was used for another call.',
    'Use a new key for a new call; the same key only to repeat the same call.',
  ),
  IDEMPOTENCY_IN_PROGRESS: row(
    409,
    true,
    'A call with this Idempotency-Key is under way.',
    'Wait `retryAfterMs` milliseconds and repeat the call with the same key.',
  ),
  CONFIRM_INVALID: row(
    409,
    false,
    'This confirmToken does not belong to this call, or is too old.',
    'Call without confirmToken to see what would happen now, and confirm with the token of that answer.',
  ),
  CONFIRM_STALE: row(
    409,
    false,
    'Something happened since the preview.',
    'Call without confirmToken to see what would happen now, and confirm with the token of that answer.',
  ),

  // Workspaces
  LAST_OWNER: row(
    409,
    false,
    'A workspace needs an owner, and this is the only one.',
    'Make another member an owner first, or delete the workspace.',
  ),
  ALREADY_MEMBER: row(409, false, 'This person is a member already.', 'Change the role of the member instead.'),
  INVITE_INVALID: row(
    410,
    false,
    'This invitation is not valid: unknown, used up, expired, taken back, or for another address.',
    'Ask whoever invited you for a new one.',
  ),
  WORKSPACE_LIMIT: row(
    409,
    false,
    'The workspace has as many of these as it may have.',
    'Remove some that are no longer needed, then try again.',
  ),

  // Presence
  NOT_JOINED: row(
    409,
    false,
    'No live session: this agent has not joined a workspace, or its session ended.',
    'Call join_workspace with the git context of your checkout.',
  ),
  AGENT_AMBIGUOUS: row(
    409,
    false,
    'Several sessions share this sign-in.',
    'Repeat the call with `agentId` set to your own id, one of `candidates`.',
  ),
  AGENT_TAKEN: row(
    409,
    false,
    'Another agent uses this agentId.',
    'Call join_workspace with another agentId, or leave it out to get a new one.',
  ),
  SESSION_LIMIT: row(
    409,
    false,
    'Too many live sessions share this sign-in.',
    'Join with the agentId of one of your live sessions, or wait until idle ones end.',
  ),
  WORKSPACE_NOT_FOUND: row(
    404,
    false,
    'There is no such workspace, or you are not a member.',
    'Leave workspaceId out, or use one of your own workspaces.',
  ),
  WORKSPACE_AMBIGUOUS: row(
    409,
    false,
    'Several of your workspaces hold this repository.',
    'Repeat join_workspace with workspaceId set to one of `candidates`.',
  ),
  REPO_MISMATCH: row(
    409,
    false,
    'This repository is not bound to the workspace.',
    'Join from a checkout of one of `boundRepos`, or ask an owner or admin to bind this repository.',
  ),

  // Workflow
  WORKFLOW_REQUIRED: row(
    409,
    false,
    'No task is declared yet.',
    'Call identify_intent with the task you were given, then follow nextRequiredTool.',
  ),
  WORKFLOW_STEP_VIOLATION: row(
    409,
    false,
    'This tool is not allowed in the current phase.',
    'Call the tool named in nextRequiredTool first.',
  ),
  WORKFLOW_RESYNC_REQUIRED: row(
    409,
    false,
    'The team state changed; read it before writing.',
    'Call read_team_state, then repeat this call with the stateHash it returns.',
  ),
  INTENT_DISALLOWS_WRITE: row(
    409,
    false,
    'The declared intent does not edit files.',
    'If you need to edit, call identify_intent again with forceIntent "implement"; otherwise go on without claiming.',
  ),

  // Team state
  STATE_HASH_UNKNOWN: row(
    409,
    false,
    'This stateHash is not a position of this workspace.',
    'Call read_team_state and use the stateHash it returns.',
  ),
  STATE_CHANGED: row(
    409,
    false,
    'The team state changed in a way that touches this call.',
    'Look at `changes`, reconsider, and repeat the call with the stateHash given here.',
  ),

  // Claims
  PATH_INVALID: row(
    400,
    false,
    'A path is not a valid repository-relative path.',
    'Use paths relative to the repository root with `/` separators, such as src/auth or src/**/*.test.ts.',
  ),
  SCOPE_CONFLICT: row(
    409,
    true,
    'Another session holds an overlapping claim.',
    'Claim only the paths in `freePaths` (call claim_scope with those), or',
    'work on something else until the holder releases or the lease expires, then try again.',
  ),
  CLAIM_NOT_FOUND: row(
    404,
    false,
    'You hold no claim with this id.',
    'Call read_team_state and use the claimId of a claim marked `mine`.',
  ),
  CLAIM_EXPIRED: row(
    410,
    false,
    'This claim has expired.',
    'Call read_team_state, then claim_scope again before you edit further.',
  ),
  FOOTPRINT_OUTSIDE_CLAIM: row(
    409,
    false,
    'The footprint names paths outside your live claims.',
    'Claim the paths in `missing` with claim_scope first, or leave them out of the footprint.',
  ),
  CLAIM_LIMIT: row(409, false, 'Too many live claims.', 'Release claims that you no longer need, then claim again.'),

  // Values
  VERSION_CONFLICT: row(
    409,
    false,
    'A value has another version than expected.',
    'Merge with `current` and write again with its version as expectedVersion.',
  ),
  VALUES_LIMIT: row(409, false, 'The workspace holds too many values.', 'Delete values that are no longer needed.'),

  // Ourselves
  UNAVAILABLE: row(503, true, 'The service cannot reach its database just now.', 'Wait a moment and call again.'),
  INTERNAL: row(
    500,
    true,
    'An unexpected error; nothing was changed.',
    'Call again; if it keeps failing, report the requestId.',
  ),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** Public facts about a refusal, rendered beside `code` and `message`. Must hold no secret. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * A refusal or failure that the caller is meant to see. `message` and `details` are public; `cause` is for the log only.
 * Throwing one before a write is the only way to refuse; anything else that is thrown is a bug and shown as INTERNAL.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails
  readonly retryAfterMs: number | undefined
  /** For WWW-Authenticate, where the answer is 401, or 403 for want of a scope. */
  readonly challenge: string | undefined

  constructor(
    code: ErrorCode,
    message: string = ERRORS[code].title,
    options: { details?: ErrorDetails; retryAfterMs?: number; challenge?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.details = options.details ?? {}
    this.retryAfterMs = options.retryAfterMs
    this.challenge = options.challenge
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  get recovery(): readonly string[] {
    return ERRORS[this.code].recovery
  }
}

/** What was thrown, as an AppError: itself, or INTERNAL with the original as `cause` (for the log, never for the caller). */
export function toAppError(thrown: unknown): AppError {
  return thrown instanceof AppError ? thrown : new AppError('INTERNAL', undefined, { cause: thrown })
}
