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

  /** Alerts kept for a session that does not call; the oldest go first. */
  alertsPerSession: 20,
  /** Calls of one grant in a minute, and at once: an agent makes a few; a loop that went wrong makes thousands. */
  callsPerMinute: 1_000,
  /** Grants whose calls are counted at the same time; beyond that the longest-unseen is forgotten. */
  countedGrants: 100_000,
  /** Live sessions of one grant: windows of one client. */
  sessionsPerGrant: 50,
  /** Events that scoped compare-and-swap looks through before it says STATE_CHANGED unseen. */
  casEvents: 5_000,
  /** Events in a page of the journal. */
  eventsPerPage: 1_000,
  /** Events that a subscriber is given, and holds, at a time. */
  eventsPerBatch: 100,
  /** Event streams that one person may have open on one replica: every window of a few dashboards. */
  streamsPerUser: 20,
  /** Text that a stream hands to the socket at a time; events are not split. */
  streamChunkChars: 64 * 1024,
} as const

/** How often what happens beside the calls happens, in milliseconds. Tests run it faster. */
export interface Pace {
  /** Commits of this long are told to the other replicas in one statement. */
  readonly notifyMs: number
  /** Subscribers look by themselves this often, whatever notifications were lost. */
  readonly healMs: number
  /** A comment on an idle stream: proxies cut what is silent for 30 to 60 s. */
  readonly keepAliveMs: number
  /** Whether the reader of a stream still may read it. */
  readonly recheckMs: number
  /** A reader that takes nothing for this long is cut. */
  readonly stallMs: number
}

export const PACE: Pace = { notifyMs: 10, healMs: 5_000, keepAliveMs: 15_000, recheckMs: 3_000, stallMs: 30_000 }
