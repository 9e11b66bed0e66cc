import { hash, verify } from '@node-rs/argon2'
import { eq, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Database, Orm, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { users } from '../modules/tenancy/schema.ts'
import { createUser } from '../modules/tenancy/users.ts'
import { isCommonPassword } from './common-passwords.ts'
import { equalSecrets } from './crypto.ts'
import { displayName } from './display-name.ts'
import { AUTH_LIMITS } from './limits.ts'
import { accounts } from './schema.ts'

/** OWASP's first choice for Argon2id (the library's default algorithm): 19 MiB, two passes, one lane. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** An arbitrary number: one sign-up at a time, so that "the first account" is one account. */
const SIGN_UP_LOCK = '31381059609456494'

/** Who may create an account now. `first`: there is none yet. */
export type SignUpState = 'first' | 'open' | 'closed'

export interface Accounts {
  signUpState(): Promise<SignUpState>
  /** Must the next account present the code that the server printed? */
  needsCode(state: SignUpState): boolean
  /** Creates an account. @returns the user's id, or what to tell the person. */
  signUp(input: SignUpInput): Promise<{ userId: string } | { problem: string }>
  /** @returns the user's id, or null for a wrong password and an unknown address alike, in the same time (S-38). */
  signIn(input: { email: string; password: string }): Promise<string | null>
}

export interface SignUpInput {
  readonly email: string
  readonly name: string
  readonly password: string
  readonly code: string | undefined
}

const Email = z.email().max(AUTH_LIMITS.emailChars)

/** One address, one account: without white space around it, in lower case. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}

export function createAccounts(
  database: Database,
  config: Pick<Config, 'signup' | 'loopbackOnly'>,
  bootstrapCode: string | undefined,
): Accounts {
  const stateWhen = (anybody: boolean): SignUpState => {
    if (config.signup === 'closed') return 'closed'
    if (!anybody) return 'first'
    return config.signup === 'open' ? 'open' : 'closed'
  }
  const needsCode = (state: SignUpState) => state === 'first' && !config.loopbackOnly
  // Verified against for unknown addresses, so that they take as long as known ones.
  const nobodysHash = hash('nobody', ARGON2)
  const isAnybodyHere = async (orm: Orm | Tx) => (await orm.select({ id: users.id }).from(users).limit(1)).length > 0

  return {
    needsCode,
    signUpState: async () => stateWhen(await database.query(isAnybodyHere)),
    async signIn({ email, password }) {
      const rows = await database.query((orm) =>
        orm
          .select()
          .from(accounts)
          .where(eq(accounts.email, normalizeEmail(email))),
      )
      const matches = await verify(rows[0]?.passwordHash ?? (await nobodysHash), password)
      return matches ? (rows[0]?.userId ?? null) : null
    },
    async signUp(input) {
      const email = normalizeEmail(input.email)
      const name = displayName(input.name, '')
      const problem = problemWith(email, name, input.password)
      if (problem !== null) return { problem }
      // Before the lock, and also when it turns out to be in vain: the time tells nothing.
      const passwordHash = await hash(input.password, ARGON2)
      return database.transaction(async (tx) => {
        await tx.execute(sql`select pg_advisory_xact_lock(${SIGN_UP_LOCK}::bigint)`)
        const state = stateWhen(await isAnybodyHere(tx))
        if (state === 'closed') return { problem: 'Creating accounts is closed here.' }
        if (needsCode(state) && !isBootstrapCode(input.code)) {
          return { problem: 'The set-up code is not right. The server printed it when it started.' }
        }
        const taken = await tx.select({ email: accounts.email }).from(accounts).where(eq(accounts.email, email))
        if (taken.length > 0) return { problem: 'This did not work. If you already have an account, sign in instead.' }
        const now = await databaseNow(tx)
        const userId = await createUser(tx, { email, name, now })
        await tx.insert(accounts).values({ email, userId, passwordHash, createdAt: now })
        return { userId }
      })
    },
  }

  /** Where no code is set nobody can present it: a public server never has an open door to its first account. */
  function isBootstrapCode(code: string | undefined): boolean {
    return bootstrapCode !== undefined && code !== undefined && equalSecrets(code.trim(), bootstrapCode)
  }
}

function problemWith(email: string, name: string, password: string): string | null {
  if (!Email.safeParse(email).success) return 'Enter an e-mail address, such as ada@example.org.'
  if (name === '') return 'Enter the name that your team knows you by.'
  if (password.length < AUTH_LIMITS.passwordMinChars) return 'The password needs at least 8 characters.'
  if (password.length > AUTH_LIMITS.passwordMaxChars) return 'The password can have at most 256 characters.'
  if (isCommonPassword(password, email)) return 'This password is one of the first that anybody would try.'
  return null
}
