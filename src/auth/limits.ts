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

  /** OAuth requests of real clients are under 2 KB. */
  oauthBodyBytes: 8 * 1_024,
  /** The consent form carries the sealed request, whose state and redirect URI are the client's. */
  formBodyBytes: 16 * 1_024,
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
  /** A redeemed code is kept this long to notice that it is presented again. */
  codeMemorySeconds: 86_400,

  registrationsPerHour: 100,
  signUpsPerHour: 300,
  /** In a row, by one address on one account: nobody can lock somebody else out. A success starts over. */
  failedSignInsPer15Min: 10,
  /** All attempts: what one address may cost us in Argon2. */
  signInsPerAddressPer15Min: 300,
} as const
