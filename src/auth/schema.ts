import { index, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import type { Scope } from '../kernel/principal.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

// No column of this file holds a secret: what ends in `_hash` is a SHA-256 (Argon2id for passwords).

/** Embedded accounts: how a person proves who they are with an e-mail address and a password. */
export const accounts = pgTable('accounts', {
  /** Normalised: trimmed, lower case. */
  email: text('email').primaryKey(),
  userId: text('user_id').notNull(),
  passwordHash: text('password_hash').notNull(),
  createdAt: at('created_at').notNull(),
})

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

/** OAuth clients, self-registered (RFC 7591) and all public: whatever they say of themselves is unverified. */
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
  (t) => [index('oauth_grants_of_user').on(t.userId)],
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
