/** How to fill in every field that an operation or a tool takes. One that is missing here fails the matrix. */

/** What a field names of the workspace under attack, by its name. */
export type Things = Readonly<Record<Naming, unknown>>

/**
 * Fields that name a thing of somebody. Presented by whom it does not belong to, the thing must be like the one of this
 * table, which does not exist.
 */
const MISSING = {
  workspaceId: 'ws_nothing',
  userId: 'usr_nothing',
  inviteId: 'inv_nothing',
  repoId: 'rep_nothing',
  sessionId: 'ses_nothing',
  claimId: 'clm_nothing',
  tokenId: 'pat_nothing',
  connectionId: 'gr_nothing',
  secret: 'ork_inv_nothing',
  key: 'nothing/here',
  keys: ['nothing/here'],
  prefix: 'nothing/',
  agentId: 'nobody-here',
  targetAgentId: 'nobody-here',
  expectedStateHash: '7-0123456789abcdef',
  sinceStateHash: '7-0123456789abcdef',
  paths: ['no/such/path'],
  path: 'no/such/path',
  remote: 'https://git.example/nobody/nothing.git',
  repoUrl: 'https://git.example/nobody/nothing.git',
  rootSha: '00000000000000000000000000000000deadbeef',
} as const satisfies Record<string, unknown>

export type Naming = keyof typeof MISSING
export const missing: Things = MISSING
export const names = (field: string): field is Naming => Object.hasOwn(MISSING, field)

/** All the others. Undefined: left out. */
const PLAIN: Readonly<Record<string, unknown>> = {
  archived: undefined,
  ended: 'true',
  keepThisBrowser: 'true',
  after: '0',
  limit: '100',
  cursor: undefined,
  name: 'Renamed',
  role: 'member',
  email: 'somebody@example.org',
  maxUses: 1,
  expiresInSeconds: 3_600,
  scopes: ['mcp:read'],
  expiresInDays: 1,
  default: 900,
  min: 30,
  max: 3_600,
  casMode: 'strict',
  sessionIdleSeconds: 900,
  forceReleaseRole: 'owner',
  reason: undefined,
  // Tools
  repoRoot: '/home/somebody/widgets',
  branch: 'main',
  headSha: '0123456789abcdef0123456789abcdef01234567',
  dirty: false,
  collectedAt: '2026-11-21T10:00:00Z',
  toolName: 'Claude Code',
  userPrompt: 'Add a status field',
  forceIntent: 'implement',
  chain: [],
  scopeHints: ['src'],
  ttlSeconds: 60,
  mode: 'exclusive',
  objective: 'Something else',
  footprint: [],
  plan: ['first this'],
  notes: 'nothing to note',
  completed: ['that'],
  status: 'active',
  aheadBehind: '0/0',
  value: 'written by somebody else',
  expectedVersion: undefined,
  confirmToken: undefined,
}

/** @throws where nobody has said how to fill in this field */
export function plain(field: string): unknown {
  if (Object.hasOwn(PLAIN, field)) return PLAIN[field]
  throw new Error(`say in test/isolation/fields.ts what "${field}" is filled with`)
}

export const known = (field: string): boolean => names(field) || Object.hasOwn(PLAIN, field)
