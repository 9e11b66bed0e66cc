import { sql } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../../src/db/client.ts'
import { exportEvent } from '../../../src/journal/event.ts'
import { LIMITS } from '../../../src/kernel/limits.ts'
import { createTestApp } from '../../support/app.ts'
import { createTestDatabase } from '../../support/database.ts'
import { auditClaims } from '../../support/journal-audit.ts'

/** More than fit into one statement: an event is eight parameters, of which PostgreSQL takes 65,535. */
const LEASES = 8_500

test('a workspace goes on when thousands of its leases end at the same moment, each of them on record', async () => {
  const db = await createTestDatabase()
  // What a call may take on a slow machine is another question.
  const patient = connect(db.target, { totalTimeoutMs: 60_000, acquireTimeoutMs: 10_000 })
  const t = await createTestApp({ db: { ...db, database: patient } })
  onTestFinished(async () => {
    await patient.close()
    await t.close()
  })
  const ada = await t.agent('Ada')
  await ada.ready()
  await ada.claim('own')
  const { workspaceId, sessionId } = await leases(t)

  const answer = await ada.call('read_team_state')
  expect(answer).toMatchObject({ ok: true, activeClaims: [{ paths: ['own'] }] })
  // Alerts of one session are bounded, and the newest stay.
  const { rows } = await stored(t, workspaceId, sessionId)
  expect(rows).toEqual([{ live: 1, paths: 1, alerts: LIMITS.alertsPerSession }])

  const events = []
  for (let after = 0, batch; (batch = await t.app.journal.read(workspaceId, after, 1_000)).length > 0;) {
    events.push(...batch.map(exportEvent))
    after = batch.at(-1)?.seq ?? after
  }
  const expired = events.filter(({ type }) => type === 'claim.expired')
  expect(new Set(expired.map(({ payload }) => payload['claimId'])).size).toBe(LEASES)
  expect(expired[0]?.payload).toMatchObject({ agentId: ada.agentId, paths: ['many/1'] })
  // Those leases were not granted by the journal, which therefore calls their ends strange; nothing else may be.
  expect(auditClaims(events).faults.filter((fault) => !fault.includes('ended without being live'))).toEqual([])
}, 120_000)

/** That many leases of the caller's session, over since a second ago. */
async function leases(t: Awaited<ReturnType<typeof createTestApp>>) {
  // Written past the guard, which would judge each of them.
  await t.database.query(async (orm) => {
    await orm.execute(sql`alter table claims disable trigger user`)
    await orm.execute(sql`alter table claim_paths disable trigger user`)
  })
  const [place] = await t.database.read({ system: true }, (orm) =>
    orm.execute<{ id: string }>(sql`select workspace_id as id from journals`),
  )
  const workspaceId = place?.id ?? ''
  const sessionId = await t.database.write({ workspace: workspaceId }, async (tx) => {
    const [held] = await tx.execute<{ id: string }>(sql`select session_id as id from claims`)
    await tx.execute(sql`
      insert into claims select workspace_id, 'many-' || n, session_id, repo_id, mode, fence, reason, ttl_seconds, acquired_at,
        clock_timestamp() - interval '1 second', null, null from claims, generate_series(1, ${LEASES}::int) as n`)
    await tx.execute(sql`
      insert into claim_paths select workspace_id, repo_id, 'many-' || n, 0, 'many/' || n, kind, 'many/' || n, 'many/' || n
        from claim_paths, generate_series(1, ${LEASES}::int) as n`)
    await tx.execute(sql`update journals set next_due_at = clock_timestamp() - interval '1 second'`)
    return held?.id ?? ''
  })
  return { workspaceId, sessionId }
}

async function stored(t: Awaited<ReturnType<typeof createTestApp>>, workspaceId: string, sessionId: string) {
  const rows = await t.database.read({ workspace: workspaceId }, (orm) =>
    orm.execute(sql`select
      (select count(*)::int from claims where ended_at is null) as live,
      (select count(*)::int from claim_paths) as paths,
      (select jsonb_array_length(alerts) from sessions where id = ${sessionId}) as alerts`),
  )
  return { rows: [...rows] }
}
