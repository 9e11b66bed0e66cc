import { eq } from 'drizzle-orm'
import type { Database, Orm, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { createUser } from '../modules/tenancy/users.ts'
import type { Admission, Credentials } from './admission.ts'
import type { BeginSession } from './browser-session.ts'
import { equalSecrets } from './crypto.ts'
import { displayName } from './display-name.ts'
import { isEmail, normalizeEmail } from './email.ts'
import { faultOfPassword, type Passwords } from './passwords.ts'
import { accounts } from './schema.ts'

/**
 * Embedded accounts: an e-mail address and a password. A session begins in the transaction that finds the password
 * unchanged: of a change and a sign-in with the old password at the same time, only the session that the change ends
 * or none at all can come out.
 */
export interface Accounts {
  /** Creates an account. @returns the cookie of its first session, or what to tell the person. */
  signUp(input: SignUpInput, begin: BeginSession): Promise<{ cookie: string } | { problem: string }>
  /** @returns the session's cookie, or null for a wrong password and an unknown address alike, in the same time (S-38). */
  signIn(input: { email: string; password: string }, begin: BeginSession): Promise<string | null>
  /** Has anybody an account? */
  any(): Promise<boolean>
  /** Has this user an account? Those who prove who they are elsewhere have none. */
  has(userId: string): Promise<boolean>
  /** That it is this user's password; null in the same time where it is not, or where there is no account. */
  prove(userId: string, password: string): Promise<ProvenAccount | null>
  /** Gives the account another password. @returns the cookie of the session that begins then, or what to tell the person. */
  changePassword(
    account: ProvenAccount,
    password: string,
    begin: BeginSession,
  ): Promise<{ cookie: string } | { problem: string }>
}

/** An account whose password somebody has just shown; it is good for as long as that is the password. */
export type ProvenAccount = Pick<typeof accounts.$inferSelect, 'userId' | 'email' | 'passwordHash'>

export interface SignUpInput extends Credentials {
  readonly email: string
  readonly name: string
  readonly password: string
}

/** One more where the hash was replaced meanwhile: by a change, or by a sign-in at the same time that renewed it. */
const SIGN_IN_ATTEMPTS = 2

export function createAccounts(database: Database, admission: Admission, passwords: Passwords): Accounts {
  return {
    async signIn({ email, password }, begin) {
      for (let attempt = 1; attempt <= SIGN_IN_ATTEMPTS; attempt += 1) {
        const account = await database.query((orm) => findByEmail(orm, normalizeEmail(email)))
        const matches = await passwords.verify(account?.passwordHash ?? null, password)
        if (account === null || !matches) return null
        const renewed = passwords.isOutdated(account.passwordHash) ? await passwords.hash(password) : undefined
        const cookie = await database.transaction(async (tx) => {
          if (!(await lockUnchanged(tx, account))) return null
          if (renewed !== undefined) await storeHash(tx, account.userId, renewed)
          return begin(tx, account.userId, await databaseNow(tx), 'signed_in')
        })
        if (cookie !== null) return cookie
      }
      return null
    },
    async signUp(input, begin) {
      const email = normalizeEmail(input.email)
      const name = displayName(input.name, '')
      const problem = problemWith(email, name, input.password)
      if (problem !== null) return { problem }
      // Before the lock, and also when it turns out to be in vain: the time tells nothing.
      const passwordHash = await passwords.hash(input.password)
      return database.transaction(async (tx) => {
        const refusal = await admission.mayCreateAccount(tx, input)
        if (refusal !== null) return { problem: refusal }
        const taken = await findByEmail(tx, email)
        if (taken !== null) return { problem: 'This did not work. If you already have an account, sign in instead.' }
        const now = await databaseNow(tx)
        const userId = await createUser(tx, { email, name, now })
        await tx.insert(accounts).values({ email, userId, passwordHash, createdAt: now })
        return { cookie: await begin(tx, userId, now, 'signed_up') }
      })
    },
    async any() {
      const rows = await database.query((orm) => orm.select({ email: accounts.email }).from(accounts).limit(1))
      return rows.length > 0
    },
    has: async (userId) => (await database.query((orm) => findByUser(orm, userId))) !== null,
    async prove(userId, password) {
      const account = await database.query((orm) => findByUser(orm, userId))
      return (await passwords.verify(account?.passwordHash ?? null, password)) ? account : null
    },
    async changePassword(account, password, begin) {
      const problem = faultOfPassword(password, account.email)
      if (problem !== null) return { problem }
      const passwordHash = await passwords.hash(password)
      return database.transaction(async (tx) => {
        if (!(await lockUnchanged(tx, account))) {
          return { problem: 'The password was changed elsewhere just now. Sign in again.' }
        }
        await storeHash(tx, account.userId, passwordHash)
        return { cookie: await begin(tx, account.userId, await databaseNow(tx), 'password_changed') }
      })
    },
  }
}

async function findByEmail(orm: Orm | Tx, email: string): Promise<ProvenAccount | null> {
  const rows = await orm.select().from(accounts).where(eq(accounts.email, email))
  return rows[0] ?? null
}

/** The user whose account has this address, normalised; null where nobody's has. */
export async function userWithEmail(tx: Tx, email: string): Promise<string | null> {
  return (await findByEmail(tx, email))?.userId ?? null
}

async function findByUser(orm: Orm | Tx, userId: string): Promise<ProvenAccount | null> {
  const rows = await orm.select().from(accounts).where(eq(accounts.userId, userId))
  return rows[0] ?? null
}

/** Locks the account. @returns whether its password is still the one that was looked at. */
async function lockUnchanged(tx: Tx, { userId, passwordHash }: ProvenAccount): Promise<boolean> {
  const rows = await tx.select().from(accounts).where(eq(accounts.userId, userId)).for('update')
  return equalSecrets(rows[0]?.passwordHash ?? '', passwordHash)
}

async function storeHash(tx: Tx, userId: string, passwordHash: string): Promise<void> {
  await tx.update(accounts).set({ passwordHash }).where(eq(accounts.userId, userId))
}

function problemWith(email: string, name: string, password: string): string | null {
  if (!isEmail(email)) return 'Enter an e-mail address, such as ada@example.org.'
  if (name === '') return 'Enter the name that your team knows you by.'
  return faultOfPassword(password, email)
}
