import { index, integer, jsonb, pgTable, primaryKey, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core'
import type { PolicyOverrides, Role } from './tenancy.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

/** People. How they prove who they are belongs to auth. */
export const users = pgTable('users', {
  id: text('id').primaryKey(),
  /** For people to know each other by. It proves nothing, and several may have the same. */
  email: text('email').notNull(),
  name: text('name').notNull(),
  /** Where join_workspace goes when the call names no workspace. */
  activeWorkspaceId: text('active_workspace_id'),
  createdAt: at('created_at').notNull(),
  /** How often an agent joined as this person, anywhere: what is known of their sessions is of one such moment. */
  joins: integer('joins').notNull().default(0),
})

/** Rooms: the tenants. Every table of a tenant has workspace_id first in its primary key. */
export const workspaces = pgTable('workspaces', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  policy: jsonb('policy').$type<PolicyOverrides>().notNull().default({}),
  createdBy: text('created_by').notNull(),
  createdAt: at('created_at').notNull(),
  archivedAt: at('archived_at'),
  /** What it held is gone; the row stays, so that its id never means anything else. */
  deletedAt: at('deleted_at'),
})

export const members = pgTable(
  'members',
  {
    workspaceId: text('workspace_id').notNull(),
    userId: text('user_id').notNull(),
    role: text('role').$type<Role>().notNull(),
    joinedAt: at('joined_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.userId] }), index('members_by_user').on(t.userId)],
)

/** Repositories bound to a workspace: by canonical remote, or by the first commit where there is no remote. */
export const repos = pgTable(
  'repos',
  {
    workspaceId: text('workspace_id').notNull(),
    id: text('id').notNull(),
    canonicalRemote: text('canonical_remote'),
    rootSha: text('root_sha'),
    boundAt: at('bound_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.workspaceId, t.id] }),
    uniqueIndex('repos_by_remote').on(t.workspaceId, t.canonicalRemote),
    index('repos_of_remote').on(t.canonicalRemote),
    index('repos_of_root').on(t.rootSha),
  ],
)

/** Invitations: whoever holds the link may come in, `maxUses` times until `expiresAt`. */
export const invites = pgTable(
  'invites',
  {
    workspaceId: text('workspace_id').notNull(),
    id: text('id').notNull(),
    role: text('role').$type<Role>().notNull(),
    /** The only address that may accept it, in lower case; null: anybody with the link. */
    email: text('email'),
    maxUses: integer('max_uses').notNull(),
    uses: integer('uses').notNull().default(0),
    createdBy: text('created_by').notNull(),
    createdAt: at('created_at').notNull(),
    expiresAt: at('expires_at').notNull(),
    revokedAt: at('revoked_at'),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.id] })],
)

/**
 * Where an invitation's secret leads, for as long as it lets anybody in. No tenant's table, on purpose: who presents the secret is no member yet, and there is
 * nothing to see here without it.
 */
export const inviteLinks = pgTable('invite_links', {
  /** SHA-256 of the secret. */
  secretHash: text('secret_hash').primaryKey(),
  /** A workspace's id. */
  leadsTo: text('leads_to').notNull(),
  inviteId: text('invite_id').notNull(),
  expiresAt: at('expires_at').notNull(),
})
