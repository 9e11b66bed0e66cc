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
  /** identify_intent reads a task, not a book; longer text is cut by the classifier, not refused. */
  promptChars: 20_000,
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
} as const
