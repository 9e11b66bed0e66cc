import type { JsonObject } from '../../kernel/canonical.ts'
import type { Caller } from '../../kernel/operation.ts'

/**
 * Who did what is on record. `user`: the person, in a browser. `token`: a program with a grant or a personal token of that
 * person. `client`: an OAuth client, at the endpoints where it speaks for itself. `anybody`: somebody who proved nothing.
 * `system`: the server by itself.
 */
export type AccountActor =
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'token'; readonly userId: string; readonly grantId: string }
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'anybody' }
  | { readonly kind: 'system' }

export const ANYBODY: AccountActor = { kind: 'anybody' }
export const SERVER: AccountActor = { kind: 'system' }

/** Somebody who is known. */
export type KnownActor = Extract<AccountActor, { userId: string }>

export const person = (userId: string): KnownActor => ({ kind: 'user', userId })

/** Whoever called, through REST or a tool. */
export function callerActor({ userId, grantId }: Pick<Caller, 'userId' | 'grantId'>): KnownActor {
  return grantId === null ? person(userId) : { kind: 'token', userId, grantId }
}

/** From where: the client's address as limits count it (auth/client-address.ts), IPv6 by /64. */
type Address = { address: string }

/**
 * Everything that can be on record, and what it says beside when and by whom. Names and payloads are part of the
 * protocol: add fields, never change their meaning. No secret is in any of them, and no address of somebody else.
 */
export type EntryPayloads = {
  /** The first entry of every log: it names the person that the chain begins from. */
  'log.begun': { userId: string }
  /** `way`: password, or the issuer that vouched for the person. */
  'account.created': Address & { way: string }
  /** A sign-in: a browser has a session from now on. */
  'session.began': Address & { way: string }
  /** `replaced`: by the next sign-in in the same browser. */
  'session.ended': Address & { reason: 'signed_out' | 'replaced' }
  /** Those of the person's other browsers. */
  'sessions.ended': Address & { count: number; reason: 'person' | 'password_changed' }
  /** `current_password`: somebody with a session did not know the password that they wanted to change. */
  'sign_in.failed': Address & { way: 'password' | 'current_password'; unrecorded: number }
  'password.changed': Address
  'identity.added': Address & { issuer: string }
  'identity.removed': Address & { issuer: string }
  /** `clientName` is what the client calls itself; `workspaceId` null: all of the person's. */
  'consent.granted': Address & {
    clientId: string
    clientName: string
    redirectUri: string
    scopes: readonly string[]
    workspaceId: string | null
    grantId: string
  }
  'consent.denied': Address & { clientId: string; redirectUri: string; scopes: readonly string[]; unrecorded: number }
  /** The client came for its tokens. */
  'grant.began': { grantId: string; clientId: string }
  /** `because`: client, person, code_replayed, refresh_token_reused. The last two are a theft, or a client that restored a backup. */
  'grant.revoked': { grantId: string; clientId: string; because: string }
  'access_token.revoked': { grantId: string; clientId: string }
  'token.created': {
    tokenId: string
    name: string
    scopes: readonly string[]
    workspaceId: string | null
    expiresAt: string | null
  }
  'token.revoked': { tokenId: string; name: string }
  /** Everything that acted in the person's name was ended at once; an entry for each comes before. */
  'access.ended': { grants: number; tokens: number; browsers: number; address: string | null }
  'membership.began': { workspaceId: string; userId: string; role: string; how: 'founded' | 'invited' }
  'membership.ended': {
    workspaceId: string
    userId: string
    role: string
    reason: 'left' | 'removed' | 'workspace_deleted'
  }
  'role.changed': { workspaceId: string; userId: string; from: string; to: string }
  /** Where the journal ended that went with it. */
  'workspace.deleted': { workspaceId: string; lastSeq: number; lastHash: string }
  /** `operation` was refused to the person, or to a program of theirs. */
  'access.refused': { code: string; operation: string; workspaceId: string | null; unrecorded: number }
}

export type EntryType = keyof EntryPayloads

/** The same for people: what each type tells, and the fields of its payload. */
export const ENTRY_TYPES: Readonly<Record<EntryType, string>> = {
  'log.begun': 'the first entry: `userId` is the person',
  'account.created': '`way`: `password`, or the issuer that vouched for the person; `address`',
  'session.began': 'a sign-in; `way`, `address`',
  'session.ended': '`reason`: `signed_out`, or `replaced` by the next sign-in in that browser; `address`',
  'sessions.ended': 'those of other browsers: `count`, `reason` (`person`, `password_changed`), `address`',
  'sign_in.failed':
    '`way`: `password`, or `current_password` where a signed-in person was asked for it; `address`, `unrecorded`',
  'password.changed': '`address`',
  'identity.added': 'another way to sign in: `issuer`, `address`',
  'identity.removed': '`issuer`, `address`',
  'consent.granted':
    '`clientId`, `clientName` (the client’s word), `redirectUri`, `scopes`, `workspaceId` (null: all), `grantId`, `address`',
  'consent.denied': '`clientId`, `redirectUri`, `scopes`, `address`, `unrecorded`',
  'grant.began': 'the client came for its tokens: `grantId`, `clientId`',
  'grant.revoked':
    '`grantId`, `clientId`, `because`: `client`, `person`, `code_replayed`, `refresh_token_reused`; the last two are a theft, or a client that restored a backup',
  'access_token.revoked': 'by its client: `grantId`, `clientId`',
  'token.created': 'a personal access token: `tokenId`, `name`, `scopes`, `workspaceId`, `expiresAt`',
  'token.revoked': '`tokenId`, `name`',
  'access.ended':
    'everything at once, after an entry for each: `grants`, `tokens`, `browsers`, `address` (null: asked for over REST)',
  'membership.began': '`workspaceId`, `userId`, `role`, `how`: `founded`, `invited`',
  'membership.ended': '`workspaceId`, `userId`, `role`, `reason`: `left`, `removed`, `workspace_deleted`',
  'role.changed': '`workspaceId`, `userId` (whose), `from`, `to`',
  'workspace.deleted': '`workspaceId`, and where its journal ended: `lastSeq`, `lastHash`',
  'access.refused':
    '`code`, `operation` (the operationId of REST, the tool of MCP or its method), `workspaceId` (null: in none, or in none of theirs), `unrecorded`',
}

/** What anybody, or a program that went wrong, can bring about as often as they like. */
export const BOUNDED: ReadonlySet<string> = new Set<EntryType>(['sign_in.failed', 'consent.denied', 'access.refused'])

/** Something to be put on record. */
export interface NewEntry {
  /** In whose log. */
  readonly userId: string
  readonly type: EntryType
  readonly payload: JsonObject
  readonly actor: AccountActor
}

/** @param payload of a bounded type without `unrecorded`, which is counted where it is written */
export function entry<T extends EntryType>(
  userId: string,
  type: T,
  payload: Omit<EntryPayloads[T], 'unrecorded'>,
  actor: AccountActor,
): NewEntry {
  // Every payload of the table is JSON; that an entry of one of its types is, the compiler does not see.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { userId, type, payload: payload as JsonObject, actor }
}

/** The same in the logs of whoever it happened to and, where that is somebody else, of whoever did it. */
export function entriesOfBoth<T extends EntryType>(
  userId: string,
  type: T,
  payload: Omit<EntryPayloads[T], 'unrecorded'>,
  actor: KnownActor,
): NewEntry[] {
  return [...new Set([userId, actor.userId])].map((whose) => entry(whose, type, payload, actor))
}
