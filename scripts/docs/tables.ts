import { ERRORS } from '../../src/kernel/errors.ts'
import { LIMITS } from '../../src/kernel/limits.ts'
import { eventTypes } from '../../src/modules/index.ts'
import { DEFAULT_POLICY } from '../../src/modules/tenancy/tenancy.ts'

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
    ['`userPrompt`', `${LIMITS.promptChars.toLocaleString('en')} characters`],
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
