import type { Scoped } from '../db/client.ts'
import type { Claim } from './claim/claim.ts'
import { claimFromRow, LIVE_CLAIMS_OF_SESSION, type ClaimRow } from './claim/store.ts'
import type { Session } from './session/session.ts'
import { SESSION_BY_ID, sessionFromRow, type SessionRow } from './session/store.ts'
import { MEMBER, memberFromRow, type MemberRow } from './tenancy/store.ts'
import type { Member } from './tenancy/tenancy.ts'
import type { Run } from './workflow/run.ts'
import { LIVE_RUN_OF_SESSION, runFromRow, type RunRow } from './workflow/store.ts'

/** What every call starts from: who calls, as what, what they hold and what they are at. */
export interface Caller {
  readonly session: Session | null
  readonly member: Member | null
  /** Live, the oldest first. */
  readonly claims: readonly Claim[]
  readonly run: Run | null
  /** How often agents have joined as this person. */
  readonly joins: number
}

/** The statements of the stores in one: each statement costs a call about as much as what it finds. */
const CALLER = `select
  (select row_to_json(s) from (${SESSION_BY_ID}) s) as session,
  (select row_to_json(m) from (${MEMBER}) m) as member,
  (select row_to_json(r) from (${LIVE_RUN_OF_SESSION}) r) as run,
  array_to_json(array(select row_to_json(c) from (${LIVE_CLAIMS_OF_SESSION}) c)) as claims,
  (select joins from users where id = $3) as joins`

interface Row {
  readonly session: SessionRow | null
  readonly member: MemberRow | null
  readonly run: RunRow | null
  readonly claims: readonly ClaimRow[]
  readonly joins: number | null
}

/** A session and its person's place in the workspace; nulls for what is not there. */
export async function callerOf(orm: Scoped, workspaceId: string, sessionId: string, userId: string): Promise<Caller> {
  const [row] = await orm.fixed<Row>(CALLER, [workspaceId, sessionId, userId])
  if (row === undefined) throw new Error('a select without a FROM gave no row')
  const { session, member, run, claims, joins } = row
  return {
    session: session && sessionFromRow(session),
    member: member && memberFromRow(member),
    run: run && runFromRow(run),
    claims: claims.map(claimFromRow),
    joins: joins ?? 0,
  }
}
