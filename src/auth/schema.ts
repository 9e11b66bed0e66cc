import { sql } from 'drizzle-orm'
import { boolean, index, integer, jsonb, pgTable, primaryKey, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core'
import type { Scope } from '../kernel/principal.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

// No column of this file holds a secret: what ends in `_hash` is a SHA-256 (Argon2id for passwords).

/** Embedded accounts: how a person proves who they are with an e-mail address and a password. */
export const accounts = pgTable(
  'accounts',
  {
    /** Normalised: trimmed, lower case. */
    email: text('email').primaryKey(),
    userId: text('user_id').notNull(),
    passwordHash: text('password_hash').notNull(),
    createdAt: at('created_at').notNull(),
  },
  (t) => [uniqueIndex('accounts_of_user').on(t.userId)],
)

/** Who a person is at an upstream. Issuer and subject alone say that it is the same person again (S-37). */
export const identities = pgTable(
  'identities',
  {
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    userId: text('user_id').notNull(),
    /** What the upstream says now, for the person to recognise it by; proves nothing. */
    email: text('email').notNull(),
    /** The identity that the user was made from keeps their name and address; one that was added later does not. */
    namesUser: boolean('names_user').notNull(),
    createdAt: at('created_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.issuer, t.subject] }), index('identities_of_user').on(t.userId)],
)

/** Sign-ins at upstreams that came back, so that none comes back twice (S-34). */
export const spentTrips = pgTable(
  'spent_trips',
  {
    tripHash: text('trip_hash').primaryKey(),
    expiresAt: at('expires_at').notNull(),
  },
  (t) => [index('spent_trips_by_expiry').on(t.expiresAt)],
)

/** How often somebody tried to sign in to an account, from one address and from all: see sign-in-throttle.ts. */
export const signInAttempts = pgTable(
  'sign_in_attempts',
  {
    /** Of the account and the address, or of the account alone; whether or not there is such an account. */
    keyHash: text('key_hash').primaryKey(),
    /** Since the window began, without success. */
    failures: integer('failures').notNull(),
    windowEndsAt: at('window_ends_at').notNull(),
    lastAt: at('last_at').notNull(),
    /** Until when this address counts as one that the person uses. */
    provenUntil: at('proven_until').notNull(),
    /** The later of the two: then the row says nothing more. */
    expiresAt: at('expires_at').notNull(),
  },
  (t) => [index('sign_in_attempts_by_expiry').on(t.expiresAt)],
)

/** A person signed in with a browser. */
export const browserSessions = pgTable(
  'browser_sessions',
  {
    tokenHash: text('token_hash').primaryKey(),
    userId: text('user_id').notNull(),
    createdAt: at('created_at').notNull(),
    /** Written at most once a minute. */
    lastSeenAt: at('last_seen_at').notNull(),
    expiresAt: at('expires_at').notNull(),
  },
  (t) => [index('browser_sessions_by_expiry').on(t.expiresAt), index('browser_sessions_of_user').on(t.userId)],
)

/**
 * OAuth clients, all public. Those that registered themselves (RFC 7591), and those that people consented to whose id is
 * the URL of a metadata document, as that document last was; it is asked again for each authorization.
 */
export const clients = pgTable(
  'oauth_clients',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    redirectUris: jsonb('redirect_uris').$type<readonly string[]>().notNull(),
    createdAt: at('created_at').notNull(),
    /** When a person last consented to it; null: purged after a day. */
    usedAt: at('used_at'),
  },
  (t) => [index('oauth_clients_unused').on(t.usedAt, t.createdAt)],
)

/** Consents that wait for the client to redeem its code. */
export const authorizationCodes = pgTable(
  'oauth_codes',
  {
    codeHash: text('code_hash').primaryKey(),
    /** The grant that redeeming it creates. */
    grantId: text('grant_id').notNull(),
    clientId: text('client_id').notNull(),
    userId: text('user_id').notNull(),
    redirectUri: text('redirect_uri').notNull(),
    codeChallenge: text('code_challenge').notNull(),
    resource: text('resource').notNull(),
    scopes: jsonb('scopes').$type<readonly Scope[]>().notNull(),
    expiresAt: at('expires_at').notNull(),
    redeemedAt: at('redeemed_at'),
  },
  (t) => [index('oauth_codes_by_expiry').on(t.expiresAt)],
)

/** One completed login of one client for one person; all its tokens live and die with it. */
export const grants = pgTable(
  'oauth_grants',
  {
    id: text('id').primaryKey(),
    userId: text('user_id').notNull(),
    clientId: text('client_id').notNull(),
    redirectUri: text('redirect_uri').notNull(),
    resource: text('resource').notNull(),
    scopes: jsonb('scopes').$type<readonly Scope[]>().notNull(),
    createdAt: at('created_at').notNull(),
    expiresAt: at('expires_at').notNull(),
    /** Written at most once a minute. */
    lastUsedAt: at('last_used_at'),
    revokedAt: at('revoked_at'),
    revokedBecause: text('revoked_because').$type<RevocationReason>(),
  },
  (t) => [
    index('oauth_grants_of_user').on(t.userId),
    index('oauth_grants_revoked')
      .on(t.revokedAt)
      .where(sql`revoked_at is not null`),
  ],
)

export type RevocationReason = 'client' | 'person' | 'code_replayed' | 'refresh_token_reused'

export const accessTokens = pgTable(
  'oauth_access_tokens',
  {
    tokenHash: text('token_hash').primaryKey(),
    grantId: text('grant_id').notNull(),
    /** Those of the grant, or fewer if the client asked for fewer when it refreshed. */
    scopes: jsonb('scopes').$type<readonly Scope[]>().notNull(),
    issuedAt: at('issued_at').notNull(),
    expiresAt: at('expires_at').notNull(),
  },
  (t) => [index('oauth_access_tokens_by_expiry').on(t.expiresAt)],
)

/** Every generation of a grant's refresh token, so that an old one that turns up again is recognised. */
export const refreshTokens = pgTable(
  'oauth_refresh_tokens',
  {
    tokenHash: text('token_hash').primaryKey(),
    grantId: text('grant_id').notNull(),
    /** 1 for the first; the highest of a grant is the current one. */
    generation: integer('generation').notNull(),
    issuedAt: at('issued_at').notNull(),
    expiresAt: at('expires_at').notNull(),
    rotatedAt: at('rotated_at'),
    /** The next generation, encrypted under a key derived from this token; gone when the next one rotates. */
    sealedSuccessor: text('sealed_successor'),
  },
  (t) => [
    index('oauth_refresh_tokens_of_grant').on(t.grantId),
    index('oauth_refresh_tokens_by_expiry').on(t.expiresAt),
  ],
)

/** Personal access tokens: for CI, and for agents without a browser. Sessions hang on one as on a grant. */
export const personalTokens = pgTable(
  'personal_tokens',
  {
    id: text('id').primaryKey(),
    userId: text('user_id').notNull(),
    name: text('name').notNull(),
    tokenHash: text('token_hash').notNull(),
    /** For the person to know it by, in lists: how it begins, and its last characters. */
    prefix: text('prefix').notNull(),
    lastFour: text('last_four').notNull(),
    scopes: jsonb('scopes').$type<readonly Scope[]>().notNull(),
    /** The only workspace that it opens; null for all of the person's. */
    onlyWorkspaceId: text('only_workspace_id'),
    createdAt: at('created_at').notNull(),
    /** Null: it does not end by itself. */
    expiresAt: at('expires_at'),
    /** Written at most once a minute. */
    lastUsedAt: at('last_used_at'),
    revokedAt: at('revoked_at'),
  },
  (t) => [
    uniqueIndex('personal_tokens_by_hash').on(t.tokenHash),
    index('personal_tokens_of_user').on(t.userId),
    index('personal_tokens_revoked')
      .on(t.revokedAt)
      .where(sql`revoked_at is not null`),
  ],
)
