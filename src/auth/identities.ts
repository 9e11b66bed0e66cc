import { and, asc, eq } from 'drizzle-orm'
import type { Config } from '../config.ts'
import type { Database, Orm, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { entry, person as actor } from '../modules/audit/entry.ts'
import { record } from '../modules/audit/store.ts'
import { renameUser } from '../modules/tenancy/store.ts'
import { createUser } from '../modules/tenancy/users.ts'
import type { Admission, Credentials } from './admission.ts'
import type { BeginSession } from './browser-session.ts'
import { AUTH_LIMITS } from './limits.ts'
import { accounts, identities } from './schema.ts'
import type { UpstreamPerson } from './upstream/upstream.ts'

/**
 * Which user a person at an upstream is. Issuer and subject decide, never the e-mail address: whoever runs an upstream
 * can make it say any address, and would else take over whoever has it here. Two upstreams with one address are two
 * users, unless the person, signed in as the one, adds the other.
 */
export interface Identities {
  /** The person's user, a new one if they may have one. @returns the session's cookie, or what to tell the person. */
  signIn(
    person: UpstreamPerson,
    shown: Credentials,
    begin: BeginSession,
  ): Promise<{ cookie: string } | { problem: string }>
  /**
   * Adds an identity to a user.
   *
   * @param address where the person is, for their account log
   * @returns null, also when it was there already; or what to tell the person.
   */
  add(userId: string, person: UpstreamPerson, address: string): Promise<string | null>
  /** Takes one away, unless it is the user's only way in. @returns null, or what to tell the person. */
  remove(userId: string, identity: IdentityKey, address: string): Promise<string | null>
  /** Oldest first. */
  of(userId: string): Promise<readonly Identity[]>
}

export interface IdentityKey {
  readonly issuer: string
  readonly subject: string
}

export interface Identity extends IdentityKey {
  readonly email: string
}

export function createIdentities(
  database: Database,
  config: Pick<Config, 'passwords'>,
  admission: Admission,
): Identities {
  return {
    signIn: (person, shown, begin) =>
      database.transaction(async (tx) => {
        const known = await findIdentity(tx, person)
        // Asked only now: whoever is admitted holds up everybody else who is new.
        const refusal = known === null ? await admission.mayCreateAccount(tx, shown) : null
        // Perhaps this person came first, in another tab.
        const identity = known ?? (await findIdentity(tx, person))
        if (identity === null && refusal !== null) return { problem: refusal }
        const now = await databaseNow(tx)
        const userId = identity === null ? await createFrom(tx, person, now) : await refresh(tx, identity, person)
        return { cookie: await begin(tx, userId, now, identity === null ? 'signed_up' : 'signed_in') }
      }),
    add: (userId, person, address) =>
      database.transaction(async (tx) => {
        const before = await ofUser(tx, userId)
        if (before.length >= AUTH_LIMITS.identitiesPerUser) return 'You have added as many as one person can have.'
        const row = { ...person, userId, namesUser: false, createdAt: await databaseNow(tx) }
        const columns = [identities.issuer, identities.subject]
        const added = await tx
          .insert(identities)
          .values(row)
          .onConflictDoNothing({ target: columns })
          .returning({ issuer: identities.issuer })
        const owner = await findIdentity(tx, person)
        await record(
          tx,
          added.map(({ issuer }) => entry(userId, 'identity.added', { issuer, address }, actor(userId))),
        )
        if (owner?.userId === userId) return null
        return 'It belongs to another account here. If that is yours too, sign out and sign in with it.'
      }),
    remove: (userId, key, address) =>
      database.transaction(async (tx) => {
        const all = await tx.select().from(identities).where(eq(identities.userId, userId)).for('update')
        const others = all.filter(({ issuer, subject }) => issuer !== key.issuer || subject !== key.subject)
        if (others.length === 0 && !(await hasPassword(tx, userId))) return 'It is your only way to sign in.'
        const removed = await tx
          .delete(identities)
          .where(and(isIdentity(key), eq(identities.userId, userId)))
          .returning({ issuer: identities.issuer })
        await record(
          tx,
          removed.map(({ issuer }) => entry(userId, 'identity.removed', { issuer, address }, actor(userId))),
        )
        return null
      }),
    of: (userId) => database.query((orm) => ofUser(orm, userId)),
  }

  async function hasPassword(tx: Tx, userId: string): Promise<boolean> {
    if (config.passwords === 'off') return false
    return (await tx.select({ email: accounts.email }).from(accounts).where(eq(accounts.userId, userId))).length > 0
  }
}

type IdentityRow = typeof identities.$inferSelect

function isIdentity({ issuer, subject }: IdentityKey) {
  return and(eq(identities.issuer, issuer), eq(identities.subject, subject))
}

async function findIdentity(tx: Tx, key: IdentityKey): Promise<IdentityRow | null> {
  const rows = await tx.select().from(identities).where(isIdentity(key))
  return rows[0] ?? null
}

function ofUser(orm: Orm | Tx, userId: string): Promise<Identity[]> {
  const { issuer, subject, email } = identities
  return orm
    .select({ issuer, subject, email })
    .from(identities)
    .where(eq(identities.userId, userId))
    .orderBy(asc(identities.createdAt))
}

async function createFrom(tx: Tx, person: UpstreamPerson, now: Date): Promise<string> {
  const { issuer, subject, email, name } = person
  const userId = await createUser(tx, { email, name, now })
  await tx.insert(identities).values({ issuer, subject, email, userId, namesUser: true, createdAt: now })
  return userId
}

/** Takes over what the upstream says now. @returns the user's id. */
async function refresh(tx: Tx, identity: IdentityRow, { email, name }: UpstreamPerson): Promise<string> {
  if (identity.email !== email) await tx.update(identities).set({ email }).where(isIdentity(identity))
  if (identity.namesUser) await renameUser(tx, identity.userId, { email, name })
  return identity.userId
}
