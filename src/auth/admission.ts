import { sql } from 'drizzle-orm'
import type { Config } from '../config.ts'
import type { Database, Orm, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { inviteLink } from '../modules/tenancy/invite-store.ts'
import { users } from '../modules/tenancy/schema.ts'
import { equalSecrets, sha256 } from './crypto.ts'

/** An arbitrary number: one new account at a time, so that "the first account" is one account. */
const NEW_ACCOUNT_LOCK = '31381059609456494'

/** Who may create an account now. `first`: there is none yet. */
export type SignUpState = 'first' | 'open' | 'closed'

/** What somebody has shown who has no account yet; on the way to an upstream and back it is sealed with the rest. */
export interface Credentials {
  /** They knew the code that the server printed. */
  readonly knowsSetUpCode: boolean
  /** Where they are going: to an invitation, perhaps, which lets them in where SIGNUP says `invite`. */
  readonly next: string
}

/** Who may have an account (SIGNUP), whichever way they prove who they are. */
export interface Admission {
  /** @param next where the person is going */
  state(next: string): Promise<SignUpState>
  /** Must the next account present the code that the server printed? */
  needsCode(state: SignUpState): boolean
  isSetUpCode(code: string | undefined): boolean
  /**
   * May this person have an account? To be asked in the transaction that creates it: until it ends nobody else is
   * admitted.
   *
   * @returns what to tell the person who may not; null for yes.
   */
  mayCreateAccount(tx: Tx, shown: Credentials): Promise<string | null>
}

/** @param setUpCode where it is undefined nobody can know it: a public server never has an open door to its first account. */
export function createAdmission(
  database: Database,
  config: Pick<Config, 'signup' | 'loopbackOnly'>,
  setUpCode: string | undefined,
): Admission {
  const stateWhen = (anybody: boolean): SignUpState => {
    if (config.signup === 'closed') return 'closed'
    if (!anybody) return 'first'
    return config.signup === 'open' ? 'open' : 'closed'
  }
  const needsCode = (state: SignUpState) => state === 'first' && !config.loopbackOnly
  const isAnybodyHere = async (orm: Orm | Tx) => (await orm.select({ id: users.id }).from(users).limit(1)).length > 0

  const stateFor = async (orm: Orm | Tx, next: string): Promise<SignUpState> => {
    const state = stateWhen(await isAnybodyHere(orm))
    return state === 'closed' && config.signup === 'invite' && (await isInvited(orm, next)) ? 'open' : state
  }

  return {
    needsCode,
    state: (next) => database.query((orm) => stateFor(orm, next)),
    isSetUpCode: (code) => setUpCode !== undefined && code !== undefined && equalSecrets(code.trim(), setUpCode),
    async mayCreateAccount(tx, { knowsSetUpCode, next }) {
      await tx.execute(sql`select pg_advisory_xact_lock(${NEW_ACCOUNT_LOCK}::bigint)`)
      const state = await stateFor(tx, next)
      if (state === 'closed') {
        const how = config.signup === 'invite' ? 'A new account needs an invitation' : 'Creating accounts is closed'
        return `${how} here. Ask the person who runs this server.`
      }
      if (needsCode(state) && !knowsSetUpCode) {
        return 'The set-up code is not right. The server printed it when it started.'
      }
      return null
    },
  }
}

/** Does the address lead to an invitation that still lets somebody in? */
async function isInvited(orm: Orm | Tx, next: string): Promise<boolean> {
  const secret = /^\/invite\/([a-z2-7_]+)$/u.exec(next)?.[1]
  const link = secret === undefined ? null : await inviteLink(orm, sha256(secret))
  return link !== null && link.expiresAt > (await databaseNow(orm))
}
