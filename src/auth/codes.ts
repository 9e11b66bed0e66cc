import { eq, isNull } from 'drizzle-orm'
import type { Database, Tx } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { newId } from '../kernel/ids.ts'
import type { Scope } from '../kernel/principal.ts'
import { entry, person } from '../modules/audit/entry.ts'
import { record } from '../modules/audit/store.ts'
import { type ClientDescription } from './client-document.ts'
import { noteConsent } from './clients.ts'
import { sha256 } from './crypto.ts'
import { AUTH_LIMITS } from './limits.ts'
import { after, ago, purge } from './purge.ts'
import { authorizationCodes } from './schema.ts'

/** What a person consents to: everything that the code, and then the grant, is bound to. */
export interface AuthorizationRequest {
  readonly clientId: string
  readonly redirectUri: string
  readonly codeChallenge: string
  readonly resource: string
  readonly scopes: readonly Scope[]
}

/** Who decides, and from where. */
export interface Decider {
  readonly userId: string
  readonly address: string
}

/** A consent form that a person has submitted. */
export interface DecidedForm extends AuthorizationRequest {
  /** The same at every submit. */
  readonly code: string
  /** What the metadata document said that the person saw, for a client that has one. */
  readonly described?: ClientDescription | undefined
}

/**
 * What an Allow came to. `issued`: the code is good. `waiting`: it was good before, and still waits for the client.
 * `over`: this form was decided before, and nothing more comes of it. `client_gone`: purged while the person read.
 */
export type Allowed = 'issued' | 'waiting' | 'over' | 'client_gone'

/**
 * Turns a person's consent into an authorization code, the only way to a new grant. The code was made together with the
 * form, and is stored only as its hash, which is the key: of any number of submits, also at the same time, one inserts it.
 */
export async function issueCode(database: Database, { userId, address }: Decider, form: DecidedForm): Promise<Allowed> {
  return database.transaction(async (tx) => {
    const now = await databaseNow(tx)
    const inserted = await tx
      .insert(authorizationCodes)
      .values(newRow(userId, form, after(now, AUTH_LIMITS.codeTtlSeconds)))
      .onConflictDoNothing()
      .returning({ grantId: authorizationCodes.grantId })
    const [row] = inserted
    if (row === undefined) return (await isWaiting(tx, form.code)) ? 'waiting' : 'over'
    const clientName = await noteConsent(tx, form.clientId, form.described, now)
    if (clientName === null) {
      await tx.delete(authorizationCodes).where(eq(authorizationCodes.codeHash, sha256(form.code)))
      return 'client_gone'
    }
    await purgeCodes(tx, now)
    const { grantId } = row
    const allowed = { ...told(form), clientName, workspaceId: null, grantId, address }
    await record(tx, [entry(userId, 'consent.granted', allowed, person(userId))])
    return 'issued'
  })
}

/**
 * Records that a person denied: a code that is expired from the start, and ends one that the client has not redeemed.
 *
 * @returns false when the client has, so that there is a grant.
 */
export async function denyCode(database: Database, { userId, address }: Decider, form: DecidedForm): Promise<boolean> {
  return database.transaction(async (tx) => {
    const now = await databaseNow(tx)
    const { codeHash, redeemedAt } = authorizationCodes
    const denied = await tx
      .insert(authorizationCodes)
      .values(newRow(userId, form, now))
      .onConflictDoUpdate({ target: codeHash, set: { expiresAt: now }, setWhere: isNull(redeemedAt) })
      .returning({ codeHash })
    await purgeCodes(tx, now)
    const said = { ...told(form), address }
    await record(
      tx,
      denied.map(() => entry(userId, 'consent.denied', said, person(userId))),
    )
    return denied.length > 0
  })
}

/** What an account log says of the form. */
function told({ clientId, redirectUri, scopes }: DecidedForm) {
  return { clientId, redirectUri, scopes }
}

function newRow(userId: string, form: DecidedForm, expiresAt: Date): typeof authorizationCodes.$inferInsert {
  const { code, clientId, redirectUri, codeChallenge, resource, scopes } = form
  const bound = { clientId, userId, redirectUri, codeChallenge, resource, scopes }
  return { codeHash: sha256(code), grantId: newId('gr'), ...bound, expiresAt }
}

async function purgeCodes(tx: Tx, now: Date): Promise<void> {
  const columns = { key: authorizationCodes.codeHash, time: authorizationCodes.expiresAt }
  await purge(tx, authorizationCodes, columns, ago(now, AUTH_LIMITS.codeMemorySeconds))
}

/** Can the client still redeem it? */
async function isWaiting(tx: Tx, code: string): Promise<boolean> {
  const row = await lockCode(tx, code)
  return row !== null && row.redeemedAt === null && row.expiresAt > (await databaseNow(tx))
}

export type AuthorizationCode = typeof authorizationCodes.$inferSelect

/** The code's row, locked until the transaction ends; null when there is none. */
export async function lockCode(tx: Tx, code: string): Promise<AuthorizationCode | null> {
  const rows = await tx
    .select()
    .from(authorizationCodes)
    .where(eq(authorizationCodes.codeHash, sha256(code)))
    .for('update')
  return rows[0] ?? null
}
