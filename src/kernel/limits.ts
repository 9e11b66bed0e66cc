/**
 * Every bound in one place, each with its reason. Sizes are UTF-16 code units for text and bytes where the name says so;
 * durations carry their unit.
 */
export const LIMITS = {
  /** Bodies of POST /api/mcp: 200 paths of 1 KiB and a 64 KiB value fit many times over. */
  mcpBodyBytes: 1024 * 1024,
  /** Bodies of REST routes: one value of the key-value store, and its envelope. */
  restBodyBytes: 80 * 1024,
  /** Nesting of a JSON body, checked before parsing: 5 million brackets keep JSON.parse busy for 3 s. */
  jsonDepth: 32,

  /** Clients cut what a tool answers at 8 to 12 KB, or hide it in a file: page before that. Counted as shown, indented. */
  answerBytes: 7_000,
  /** Of a list in a refusal (conflicts, changes) or beside others, so that what comes after it is still read. */
  refusalListBytes: 4_000,

  /** Paths in one claim, and in a footprint. */
  pathsPerClaim: 200,
  /** Live claims of one session; more is a mistake, and 10,000 would make the team's state unreadable. */
  claimsPerSession: 50,
  /** Of a list inside a listing (a claim's paths, a footprint): how much is shown; the rest is a count. */
  listShown: 20,
  listShownBytes: 1_200,

  /** Of a path; most file systems end at 255 per segment and 4096 in all, and agents that send more are lost. */
  pathBytes: 1024,
  pathSegments: 64,

  /** Of a workspace: more is a company that wants several, or a program that went wrong. */
  membersPerWorkspace: 500,
  reposPerWorkspace: 100,
  /** And with it, since a session has a bounded number of claims, the claims of a workspace. */
  sessionsPerWorkspace: 1_000,
  invitesPerWorkspace: 100,
  /** Of a person: those they founded or belong to. */
  workspacesPerUser: 100,
  tokensPerUser: 100,
  workspaceNameChars: 100,
  inviteUses: 100,
  /** An invitation lasts a week unless it says otherwise, and a quarter at most. */
  inviteDefaultSeconds: 7 * 86_400,
  inviteMaxSeconds: 90 * 86_400,
  /** Of a page of a list over REST, which a program reads, and of an MCP resource, which ends up in front of a model. */
  restPageBytes: 500_000,
  resourcePageBytes: 24_000,
  /** Items of a list in a page of REST. */
  itemsPerPage: 200,

  /** How long a person may think about a preview. */
  confirmSeconds: 300,
  confirmTokenChars: 1_000,
  /** Of an Idempotency-Key; Stripe's bound. Answers are kept for a day, which is longer than anybody retries. */
  idempotencyKeyChars: 255,
  idempotencySeconds: 86_400,

  /** A sentence. */
  objectiveChars: 500,
  notesChars: 2_000,
  /** Entries of plan and completed, and the length of one. */
  listItems: 30,
  listItemChars: 300,
  reasonChars: 300,
  /** Git allows more; nobody reads more. */
  branchChars: 255,
  remoteChars: 2_048,
  repoRootChars: 4_096,
  toolNameChars: 80,
  scopeHints: 50,
  chainedIntents: 5,

  /** Keys of the value store, and its bounds: 64 KiB a value as promised, 1,000 values and 8 MiB a workspace. */
  valueKeyChars: 256,
  valueBytes: 64 * 1024,
  valuesPerWorkspace: 1_000,
  valueBytesPerWorkspace: 8 * 1024 * 1024,
  valuesPerCall: 50,
  /** More deletions in one call are previewed and confirmed. */
  valuesDeletedAtOnce: 10,
  /** Over REST, where values come with their content: 50 of the largest are 3 MiB. */
  valuesPerRestPage: 50,

  /**
   * How exactly it is kept when a session was last seen, if nothing else of it changes: a poll would be a write otherwise. A
   * session idles out by so much later, never earlier.
   */
  presenceSeconds: 5,
  /** An agent that called this recently is probably still at work: who joins with its agentId is told. */
  inUseSeconds: 60,

  /** Alerts kept for a session that does not call; the oldest go first. */
  alertsPerSession: 20,
  /** Of the alerts in one answer, where at least one is told; the others come with the next. */
  alertBytes: 1_000,
  /** Of the paths in an alert. */
  alertPathBytes: 300,
  /** Calls of one token in a minute: an agent makes a few; a loop that went wrong makes thousands. */
  callsPerMinute: 1_000,
  /** Of these, administration and destruction: nobody does it faster on purpose. */
  sensitiveCallsPerMinute: 100,
  /** Requests of one address to what needs no token, pages and OAuth: a whole office behind one address makes some. */
  addressRequestsPerMinute: 1_000,
  /** Clients that one address registers, accounts that it makes, and sign-ins that it tries: what each costs us. */
  registrationsPerHour: 100,
  signUpsPerHour: 300,
  signInsPer15Min: 300,
  /** Live sessions of one grant: windows of one client. */
  sessionsPerGrant: 50,
  /** Events that scoped compare-and-swap looks through before it says STATE_CHANGED unseen. */
  casEvents: 5_000,
  /** Entries of an account log that anybody can bring about, of each type; the next one counts those left out. */
  boundedEntriesPerHour: 10,
  /** Exports that one person may be reading at a time on one replica. */
  exportsPerUser: 5,
  /** Events in a page of the journal. */
  eventsPerPage: 1_000,
  /** Events that a subscriber is given, and holds, at a time. */
  eventsPerBatch: 100,
  /** Event streams that one person may have open on one replica: every window of a few dashboards. */
  streamsPerUser: 20,
  /** Workspaces whose resources are listed at a time. */
  workspacesPerResourcePage: 20,
  /** URIs that one MCP stream listens to; further ones are not acknowledged. */
  urisPerStream: 100,
  uriChars: 2_048,
  /** Text that a stream hands to the socket at a time; events are not split. */
  streamChunkChars: 64 * 1024,
} as const

/** The bounds that whoever runs the server may set otherwise. */
export const ADJUSTABLE_LIMITS = [
  'callsPerMinute',
  'sensitiveCallsPerMinute',
  'addressRequestsPerMinute',
  'registrationsPerHour',
  'signUpsPerHour',
  'signInsPer15Min',
  'workspacesPerUser',
  'tokensPerUser',
  'membersPerWorkspace',
  'reposPerWorkspace',
  'invitesPerWorkspace',
  'sessionsPerWorkspace',
  'sessionsPerGrant',
  'claimsPerSession',
  'valuesPerWorkspace',
  'valueBytesPerWorkspace',
  'streamsPerUser',
] as const satisfies readonly (keyof typeof LIMITS)[]
export type AdjustableLimit = (typeof ADJUSTABLE_LIMITS)[number]

/** Sets bounds otherwise, for the whole process: before anything reads them, and never again. */
export function adjustLimits(changes: Readonly<Partial<Record<AdjustableLimit, number>>>): void {
  Object.assign(LIMITS, changes)
}

/** How often what happens beside the calls happens, in milliseconds. Tests run it faster. */
export interface Pace {
  /** Commits of this long are told to the other replicas in one statement. */
  readonly notifyMs: number
  /** Subscribers look by themselves this often, whatever notifications were lost. */
  readonly healMs: number
  /** A comment on an idle stream: proxies cut what is silent for 30 to 60 s. */
  readonly keepAliveMs: number
  /**
   * Whether the reader of a stream still may read it. Streams look at once when something is told; this is for what nobody was
   * told, because the replica that did it died between its commit and that. Mostly it looks at the token alone, since what
   * happens in a workspace is in its journal: whole looks every 3 s were a quarter of a processor for 1,000 streams.
   */
  readonly recheckMs: number
  /** A reader that takes nothing for this long is cut. */
  readonly stallMs: number
  /** From one notification of a stream of MCP to the next; what happens meanwhile is told together. */
  readonly updateMs: number
  /** A call waits no longer than this to be counted with all replicas; the database usually takes one to three. */
  readonly countMs: number
}

export const PACE: Pace = {
  notifyMs: 10,
  healMs: 5_000,
  keepAliveMs: 15_000,
  recheckMs: 10_000,
  stallMs: 30_000,
  updateMs: 100,
  countMs: 250,
}
