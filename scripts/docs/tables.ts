import { may, PERMISSIONS, type Permission } from '../../src/modules/tenancy/roles.ts'
import { ERRORS } from '../../src/kernel/errors.ts'
import { ADJUSTABLE_LIMITS, type AdjustableLimit, LIMITS } from '../../src/kernel/limits.ts'
import { connectionOperations } from '../../src/auth/connection-operations.ts'
import { tokenOperations } from '../../src/auth/token-operations.ts'
import { ENTRY_TYPES } from '../../src/modules/audit/entry.ts'
import { eventTypes, operations, resources } from '../../src/modules/index.ts'
import { templateOf } from '../../src/modules/resource-uri.ts'
import { DEFAULT_POLICY, ROLES } from '../../src/modules/tenancy/tenancy.ts'

/** Every error code with its status, whether a retry may help, and the recovery that the answer carries. */
export function errorTable(): string {
  const lines = Object.entries(ERRORS).map(
    ([code, { status, retryable, title, recovery }]) =>
      `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${title} | ${recovery.join('<br>')} |`,
  )
  return ['| code | HTTP | retryable | what happened | `recovery` |', '| --- | --- | --- | --- | --- |', ...lines].join(
    '\n',
  )
}

/** Every type of event, and whether it moves `stateHash`. */
export function eventTable(): string {
  const lines = eventTypes.map(({ name, teamState }) => `| \`${name}\` | ${teamState ? 'yes' : 'no'} |`)
  return ['| type | changes team state |', '| --- | --- |', ...lines].join('\n')
}

/** Every type of entry of an account log. */
export function accountEntryTable(): string {
  const lines = Object.entries(ENTRY_TYPES).map(([type, tells]) => `| \`${type}\` | ${tells} |`)
  return ['| type | what it tells |', '| --- | --- |', ...lines].join('\n')
}

const KIB = 1024

/** The bounds that a client can run into. */
export function boundTable(): string {
  const { claimTtlSeconds, sessionIdleSeconds } = DEFAULT_POLICY
  const bounds: readonly (readonly [what: string, bound: number | string])[] = [
    ['Body of `POST /api/mcp`', `${LIMITS.mcpBodyBytes / KIB} KiB`],
    ['Body of a REST call', `${LIMITS.restBodyBytes / KIB} KiB`],
    ['Nesting of a JSON body', LIMITS.jsonDepth],
    ['An answer with a list, before it pages', `about ${LIMITS.answerBytes.toLocaleString('en')} characters`],
    ['Paths in a claim, and in a footprint', LIMITS.pathsPerClaim],
    ['Live claims of a session', LIMITS.claimsPerSession],
    ['Live sessions of a sign-in (grant)', LIMITS.sessionsPerGrant],
    ['Paths shown of a claim or an event', LIMITS.listShown],
    ['A path', `${LIMITS.pathBytes} bytes of UTF-8, ${LIMITS.pathSegments} segments`],
    [
      'TTL of a claim (policy)',
      `${claimTtlSeconds.min} to ${claimTtlSeconds.max} s, ${claimTtlSeconds.default} s unless asked`,
    ],
    ['A session without a call (policy)', `${sessionIdleSeconds} s`],
    ['`chain`', LIMITS.chainedIntents],
    ['`scopeHints`', LIMITS.scopeHints],
    ['`objective`', `${LIMITS.objectiveChars} characters`],
    ['`notes`', `${LIMITS.notesChars.toLocaleString('en')} characters`],
    ['`plan`, `completed`', `${LIMITS.listItems} entries of ${LIMITS.listItemChars} characters`],
    ['`reason` of a claim', `${LIMITS.reasonChars} characters`],
    ['`branch`', `${LIMITS.branchChars} characters`],
    ['`toolName`', `${LIMITS.toolNameChars} characters`],
    ['Key of a value', `${LIMITS.valueKeyChars} characters`],
    ['A value', `${LIMITS.valueBytes / KIB} KiB of JSON`],
    [
      'Values of a workspace',
      `${LIMITS.valuesPerWorkspace.toLocaleString('en')}, ${LIMITS.valueBytesPerWorkspace / KIB / KIB} MiB in all`,
    ],
    ['Entries of one `write_values`, keys of one `read_values`', LIMITS.valuesPerCall],
    ['Unacknowledged alerts of a session', `${LIMITS.alertsPerSession}, the newest`],
    ['Events between a `stateHash` and now that `scoped` looks through', LIMITS.casEvents.toLocaleString('en')],
  ]
  return ['| what | bound |', '| --- | --- |', ...bounds.map(([what, bound]) => `| ${what} | ${bound} |`)].join('\n')
}

function notRun(): never {
  throw new Error('described, not run')
}

/** Those of the modules, and those of a person's own tokens and connections, which run in an app alone. */
export const ALL_OPERATIONS = [...operations, ...tokenOperations(notRun), ...connectionOperations(notRun)]

/** Every operation of REST. */
export function operationTable(): string {
  const marks = (operation: (typeof ALL_OPERATIONS)[number]) => [
    ...(operation.callers === 'browser' ? ['browser only'] : []),
    ...(operation.confirmed ? ['previewed'] : []),
    ...(operation.sensitive ? ['administration'] : []),
  ]
  const rows = ALL_OPERATIONS.map((operation) => {
    const { method, path, title, permission } = operation
    return `| \`${method} ${path.replace(/:(\w+)/gu, '{$1}')}\` | ${title} | ${permission === null ? '' : `\`${permission}\``} | ${marks(operation).join(', ')} |`
  })
  return ['| operation | what | permission | |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** What MCP clients read by URI. */
export function resourceTable(): string {
  const rows = resources.map(
    (resource) => `| \`${templateOf(resource)}\` | ${resource.description} | ${resource.changesWith} |`,
  )
  return ['| URI | what | changes with |', '| --- | --- | --- |', ...rows].join('\n')
}

/** Who may do what. */
export function permissionTable(): string {
  const rows = Object.keys(PERMISSIONS).map((name) => {
    // The keys of the table itself.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const roles = ROLES.map((role) => (may(role, name as Permission) ? 'yes' : ''))
    return `| \`${name}\` | ${roles.join(' | ')} |`
  })
  return [`| permission | ${ROLES.join(' | ')} |`, `| --- |${' --- |'.repeat(ROLES.length)}`, ...rows].join('\n')
}

/** What each bound is of that LIMITS may set otherwise. */
const ADJUSTABLE: Readonly<Record<AdjustableLimit, string>> = {
  callsPerMinute: 'Calls of a token, REST and MCP together, or of a browser',
  sensitiveCallsPerMinute: 'Of these, administration',
  addressRequestsPerMinute: 'Requests of an address to pages and OAuth, a minute',
  registrationsPerHour: 'Clients that an address registers, an hour',
  signUpsPerHour: 'Sign-ups from an address, an hour',
  signInsPer15Min: 'Sign-ins from an address, a quarter of an hour',
  workspacesPerUser: 'Workspaces of a person',
  tokensPerUser: 'Personal access tokens of a person',
  membersPerWorkspace: 'Members of a workspace',
  reposPerWorkspace: 'Repositories of a workspace',
  invitesPerWorkspace: 'Open invitations of a workspace',
  sessionsPerWorkspace: 'Live sessions of a workspace',
  sessionsPerGrant: 'Live sessions of a sign-in (grant)',
  claimsPerSession: 'Live claims of a session; with the sessions, those of a workspace',
  valuesPerWorkspace: 'Values of a workspace',
  valueBytesPerWorkspace: 'Bytes of its values',
  streamsPerUser: 'Streams that a person has open on one replica',
}

/** The bounds that whoever runs the server may set otherwise. */
export function adjustableTable(): string {
  const rows = ADJUSTABLE_LIMITS.map(
    (name) => `| \`${name}\` | ${ADJUSTABLE[name]} | ${LIMITS[name].toLocaleString('en')} |`,
  )
  return ['| name in `LIMITS` | bound of | unless set |', '| --- | --- | --- |', ...rows].join('\n')
}
