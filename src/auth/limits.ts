/** Every time and bound of the authorization server, with its reason. Times in the unit that their name ends with. */
export const AUTH_LIMITS = {
  /** RFC 6749 §4.1.2 allows ten minutes; a client redeems at once, and OWASP ASVS 10.4.3 asks for one minute. */
  codeTtlSeconds: 60,
  accessTokenTtlSeconds: 3_600,
  /** A refresh token that nobody used for this long is dead. */
  refreshIdleSeconds: 30 * 86_400,
  /** A grant ends after this long, however often it was refreshed. */
  grantTtlSeconds: 90 * 86_400,
  /**
   * How long the immediate predecessor of a refresh token still answers, with the same successor. Clients run several
   * processes on one token store: strict rotation logged every process out in 3 of 7 measured runs, 60 s in 0 of 8.
   */
  refreshGraceSeconds: 60,
  /** How long a proven access token is believed without asking the database: the bound on revocation elsewhere. */
  tokenCacheMs: 1_000,
  tokenCacheEntries: 10_000,
  /** `last used` is written at most this often, so that reading a token is not a write. */
  touchSeconds: 60,

  sessionIdleSeconds: 14 * 86_400,
  sessionTtlSeconds: 30 * 86_400,
  /** How long a person may look at the consent page. */
  consentTtlSeconds: 15 * 60,

  tokenNameChars: 60,
  /** A token that nobody thinks of any more should not open anything for ever. */
  tokenDays: 90,
  tokenDaysMax: 366,
  /** How long the page that makes a token may stay open. */
  tokenFormTtlSeconds: 3_600,
  /** The made token's way from the form to the page that shows it; and for so long the same form leads there again. */
  tokenShownSeconds: 60,

  /** OAuth requests of real clients are under 2 KB. */
  oauthBodyBytes: 8 * 1_024,
  /** The consent form carries the sealed request with the client's state, redirect URI and document: at most 27 KB. */
  formBodyBytes: 32 * 1_024,
  /** Encoded twice on the way through the sign-in page, it must stay under Node's 16 KB of headers. */
  stateChars: 2_048,
  redirectUriChars: 1_024,
  redirectUrisPerClient: 10,
  nameChars: 60,
  emailChars: 254,
  passwordMinChars: 8,
  /** Argon2 hashes any length in the same time, but reading it is work too. */
  passwordMaxChars: 256,

  /** Clients that nobody ever consented to: `claude mcp list` and OpenCode register one at every look. */
  unusedClientSeconds: 24 * 3_600,
  /** Rows that one request cleans away beside its own work. */
  purgeRows: 100,
  /**
   * A redeemed code is kept this long to notice that it is presented again; longer than a consent page is good for, so
   * that a form that was decided is known.
   */
  codeMemorySeconds: 86_400,

  /** How long a sign-in at an upstream may take, from our page and back (S-34). */
  upstreamTripSeconds: 600,
  /** Browsers drop a cookie whose name and value have more than 4,096 bytes together (RFC 6265bis §5.6). */
  upstreamTripCookieBytes: 4_000,
  /** For one request to an upstream; people wait for it. */
  upstreamTimeoutSeconds: 5,
  /** A page does not wait longer to find out whether people can go there. */
  upstreamPatienceMs: 1_500,
  /** How long an upstream's metadata or keys are used before they are fetched again, beside the work. */
  upstreamFreshMs: 10 * 60_000,
  /** After a failure nobody asks the upstream again, or waits for it, for this long. */
  upstreamRetryMs: 3_000,
  /** OpenID Connect Core §2: at most 255 ASCII characters. */
  subjectChars: 255,
  identitiesPerUser: 10,

  /** A client id that is a URL (Client ID Metadata Documents): real ones have under 60 characters. */
  clientIdUrlChars: 512,
  /** What the draft recommends to read of a document at the most (§8.7); real ones have under 1 KB. */
  documentBytes: 5 * 1_024,
  /** For all of a fetch, names looked up and body read: a person waits. */
  documentFetchMs: 3_000,
  /** However short a document says that it lives: what bounds how often one URL makes us ask somebody else's server. */
  documentTtlMinSeconds: 60,
  /** However long it says: a redirect URI that a client withdraws must be gone soon, and asking again costs nothing. */
  documentTtlMaxSeconds: 3_600,
  /** 5 MB at the most. */
  documentCacheEntries: 1_000,
  /** A host that failed a person is left alone by that person for this long. */
  documentPauseMs: 10_000,
  documentPauses: 10_000,
  /** More than a burst of sign-ins needs; what hostile hosts that never answer can hold of us. */
  documentFetchesAtOnce: 16,
  documentFetchesPerPersonHour: 100,

  /** In a row, from one address on one account, on all replicas together. A success starts over. */
  failedSignInsPer15Min: 10,
  /**
   * On one account from all addresses together; beyond it, addresses that never signed in to the account take turns.
   * NIST SP 800-63B §5.2.2 wants at most 100 in a row.
   */
  failedSignInsPerAccount: 100,
  failedSignInsWindowSeconds: 24 * 3_600,
  /** The turns' length: 1 s, twice that for every 50 failures more, at most a minute (1,440 guesses a day). */
  turnGrowsEvery: 50,
  turnSecondsMax: 60,
  /** For how long an address from which somebody signed in needs no turn. */
  provenAddressSeconds: 30 * 86_400,
  /** Each takes some milliseconds: more than Argon2 can follow, and few enough that none waits for many others' locks. */
  attemptsCountedAtOnce: 2,
  attemptsWaiting: 60,
  /** A throttle whose table is held for longer than this is taken to be broken. */
  throttleLockMs: 1_500,
  /** The same where nothing comes back at all. */
  throttleTimeoutMs: 3_000,
  /** A broken one is left alone for this long, so that nobody waits for it, and it holds no connections. */
  throttlePauseMs: 5_000,
  /** What goes into account logs after the answer waits this long: longer than the answer takes. */
  aftermathDelayMs: 250,
  /** Beyond it entries are left out: what waits is memory, and a flood of failed sign-ins is bounded in each log anyway. */
  aftermathWaiting: 1_000,
  /** Entries of the account log on a page. */
  logEntriesShown: 50,
  /** Argon2 runs on libuv's four threads, which files and host names need too; each takes 19 MiB, and 25 to 40 ms. */
  hashesAtOnce: 2,
  /** Beyond it people are told to try again: at 40 hashes a second, as on two cores, nobody waits longer than 1.5 s. */
  hashesWaiting: 60,
} as const
