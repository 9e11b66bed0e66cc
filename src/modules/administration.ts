import type { Database, InWorkspace, OfUser, Scoped } from '../db/client.ts'
import { databaseNow } from '../db/clock.ts'
import { exportEvent, type JournalEvent } from '../journal/event.ts'
import type { Journal, WorkspaceTx } from '../journal/journal.ts'
import type { Watcher, Watches } from '../journal/watch.ts'
import { canonicalJson, sha256, type Json } from '../kernel/canonical.ts'
import { AppError } from '../kernel/errors.ts'
import type { Caller, Conditions, OperationAnswer, OperationCall } from '../kernel/operation.ts'
import type { Sealer } from '../kernel/sealer.ts'
import type { Confirmations } from './confirmation.ts'
import type { Changing, Office, Personal, Reading, WorkspaceChange } from './office.ts'
import { answerOfCall, rememberAnswer, type RepeatableCall } from './repeat/store.ts'
import { mayUnseat } from './tenancy/readers.ts'
import { requirePermission } from './tenancy/roles.ts'
import { memberOf } from './tenancy/store.ts'
import type { Member } from './tenancy/tenancy.ts'
import { workspaceChange } from './workspace-change.ts'

export interface AdministrationDeps {
  readonly database: Database
  readonly journal: Journal
  readonly watches: Watches
  readonly confirmations: Confirmations
  /** Seals the answers that are kept for repeated calls: some hold a secret that is shown once. */
  readonly answers: Sealer
}

/**
 * How a REST call gets from "who is calling" to what it is about: membership and role on every call, conditions and
 * confirmations under the lock, and one effect for calls that are repeated with one Idempotency-Key.
 */
export function createAdministration(deps: AdministrationDeps): Office {
  const { database, journal, watches } = deps
  return {
    async read(call, what) {
      const { caller, pageBytes } = call
      const { workspaceId } = what
      await knock(database, caller, what)
      return database.read({ workspace: workspaceId, user: caller.userId }, async (orm) => {
        // Again, in the transaction that shows it: they may have been removed a moment ago.
        const member = await admitted(orm, caller, what)
        return what.work({ caller, member, workspaceId, orm, now: await databaseNow(orm), pageBytes })
      })
    },

    async change(call, what) {
      const { caller } = call
      // Before the lock, which nobody else should be able to hold up.
      await knock(database, caller, what)
      const scope = { workspace: what.workspaceId, user: caller.userId }
      return journal.change(scope, async (ws) => change(deps, call, what, ws))
    },

    async follow({ caller }, what, stillThere) {
      const { workspaceId, after } = what
      const { userId } = caller
      return {
        userId,
        checkCaller: stillThere,
        async check() {
          await stillThere()
          await database.read({ user: userId }, (orm) => admitted(orm, caller, { ...what, archivedToo: false }))
        },
        async watch(recheck, signal) {
          const watcher: Watcher = (events) => {
            if (mayUnseat(events, userId)) recheck()
          }
          await watches.watch(workspaceId, watcher, signal)
        },
        follow: (signal) => exported(journal.subscribe(workspaceId, after, signal)),
      }
    },

    async personally(call, { operation, work }) {
      const { caller } = call
      const repeat = repeatable(call, operation)
      const unconfirmed = confirmedByPerson(deps.confirmations, call, operation)
      const personal = { caller, database, journal, unconfirmed }
      if (repeat === null) return work({ ...personal, keep: async () => undefined })
      const before = await database.query(async (orm) =>
        answerOfCall(orm, repeat, deps.answers, await databaseNow(orm)),
      )
      if (before !== null) return { ...before, replayed: true }
      const keep: Personal['keep'] = (tx, answer, now) => rememberAnswer(tx, repeat, deps.answers, answer, now)
      return work({ ...personal, keep })
    },
  }
}

async function* exported(batches: AsyncIterable<readonly JournalEvent[]>) {
  for await (const batch of batches) yield batch.map(exportEvent)
}

/** In the person's own scope: until they are known to be a member, no transaction opens the workspace. */
async function knock(database: Database, caller: Caller, what: Omit<Reading, 'work'>): Promise<void> {
  await database.read({ user: caller.userId }, (orm) => admitted(orm, caller, what))
}

/**
 * The caller's place. For whoever is no member the workspace does not exist; the same for a token that opens another one.
 *
 * @throws AppError WORKSPACE_NOT_FOUND, FORBIDDEN_ROLE
 */
async function admitted(
  orm: Scoped | Scoped<OfUser>,
  { userId, workspaceId: only }: Caller,
  { workspaceId, permission, archivedToo }: Omit<Reading, 'work'>,
): Promise<Member> {
  if (only !== null && only !== workspaceId) throw new AppError('WORKSPACE_NOT_FOUND')
  const member = await memberOf(orm, workspaceId, userId, archivedToo)
  if (member === null) throw new AppError('WORKSPACE_NOT_FOUND')
  requirePermission(member.role, permission)
  return member
}

/** Under the lock: who, whether it was done before, whether it is what the caller saw, whether it is confirmed. */
async function change(
  { confirmations, answers }: AdministrationDeps,
  call: OperationCall,
  what: Changing,
  ws: WorkspaceTx<InWorkspace & OfUser>,
): Promise<OperationAnswer> {
  const { caller, conditions } = call
  const member = await admitted(ws.tx, caller, what)
  const repeat = repeatable(call, `${what.operation} ${ws.workspaceId}`)
  const before = repeat === null ? null : await answerOfCall(ws.tx, repeat, answers, ws.now)
  if (before !== null) return { ...before, replayed: true }
  const opened = workspaceChange(caller, member, ws)
  if (what.version !== undefined) checkVersion(conditions, await what.version(opened))
  const preview = await unconfirmed(confirmations, call, what, opened)
  if (preview !== null) return preview
  const answer = await what.work(opened)
  if (repeat !== null) ws.writeInSteps((tx) => rememberAnswer(tx, repeat, answers, answer, ws.now))
  return answer
}

/** The preview that has to be confirmed first; null where nothing stands in the way. */
async function unconfirmed(
  confirmations: Confirmations,
  call: OperationCall,
  { operation, effects }: Changing,
  opened: WorkspaceChange,
): Promise<OperationAnswer | null> {
  const { ws } = opened
  const shown = (await effects?.(opened)) ?? null
  if (shown === null) return null
  const { confirmToken } = call.conditions
  const args = argumentsOf(call)
  const intended = { userId: call.caller.userId, place: ws.workspaceId, operation, args, standing: ws.nextSeq - 1 }
  if (confirmToken === null) return { body: await confirmations.preview(intended, shown, ws.now), preview: true }
  await confirmations.check(intended, confirmToken, ws.now)
  return null
}

/** What stands for a person's own account where a confirmation is bound to a place. */
const ACCOUNT = 'account'

/** The same outside of any workspace, where there is no journal to say that something happened. */
function confirmedByPerson(
  confirmations: Confirmations,
  call: OperationCall,
  operation: string,
): Personal['unconfirmed'] {
  return async ({ effects, about, now }) => {
    const { confirmToken } = call.conditions
    const standing = sha256(canonicalJson(about)).toString('hex')
    const args = argumentsOf(call)
    const intended = { userId: call.caller.userId, place: ACCOUNT, operation, args, standing }
    if (confirmToken === null) return { body: await confirmations.preview(intended, effects, now), preview: true }
    await confirmations.check(intended, confirmToken, now)
    return null
  }
}

/** @throws AppError PRECONDITION_FAILED with the current version */
function checkVersion({ ifMatch, ifNew }: Conditions, current: string | null): void {
  const wrong = ifMatch !== null && (current === null || !(ifMatch.includes('*') || ifMatch.includes(current)))
  if (wrong || (ifNew && current !== null)) {
    throw new AppError('PRECONDITION_FAILED', undefined, { details: { current } })
  }
}

/** What the call said, as JSON: what a confirmation or a key is bound to. */
function argumentsOf({ input }: OperationCall): Json {
  const json: Json = JSON.parse(JSON.stringify(input))
  return json
}

function repeatable(call: OperationCall, operation: string): RepeatableCall | null {
  const { idempotencyKey } = call.conditions
  if (idempotencyKey === null) return null
  const digest = sha256(canonicalJson({ operation, args: argumentsOf(call) })).toString('hex')
  return { userId: call.caller.userId, keyHash: sha256(idempotencyKey).toString('hex'), digest }
}
