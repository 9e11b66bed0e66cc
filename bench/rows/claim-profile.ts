import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { migrate } from '../../src/db/migrate.ts'
import type { Bench } from '../support/bench.ts'
import { profileFlags, readProfile } from '../support/profile.ts'
import type { ProfileTable } from '../support/row.ts'
import { createWorld } from '../support/world.ts'
import { log } from '../targets/target.ts'
import { removeDirectory, temporaryDirectory } from '../support/directories.ts'
import { claiming } from '../support/claiming.ts'

const WORKSPACES = 20
const STATEMENTS = 14
const CHARS = 110

/** What every statement cost, planning too, with what its triggers did. */
const SETTINGS = { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track_planning': 'on' }

/**
 * Where the time of claims and releases goes, in the server's process and in PostgreSQL: a replica and a database of their
 * own, since looking so closely costs something itself.
 */
export async function claimProfiles(bench: Bench): Promise<ProfileTable[]> {
  const dataDir = temporaryDirectory('profile')
  const database = await startEmbeddedPostgres({ dataDir, log, settings: SETTINGS })
  try {
    const target = database.connection
    await migrate(target)
    const superuser = postgres({ ...target, username: 'postgres', password: superuserOf(dataDir), max: 1 })
    await superuser`create extension pg_stat_statements`
    const directory = join(bench.directory, 'profile-claim')
    mkdirSync(directory)
    const server = await bench.target('app', { target }, profileFlags(directory))
    const world = createWorld(target, bench.load)
    const agents = (await world.found(server.port, WORKSPACES, bench.scale.agentsEach)).flat()
    await world.analyze()
    const claims = claiming(bench, { postmasterPid: database.postmasterPid }, server, agents, { claimsEach: 5 })
    const began = performance.now()
    await claims()
    await superuser`select pg_stat_statements_reset()`
    const { claims: claimed, releases } = await claims()
    const statements = await costliest(superuser, claimed.calls + releases.calls)
    await world.close()
    await superuser.end()
    await server.stop()
    const own = readProfile(
      directory,
      'Where the server’s time goes while agents claim and release (node --cpu-prof)',
      performance.now() - began,
    )
    return [own, statements]
  } finally {
    await database.stop()
    removeDirectory(dataDir)
  }
}

function superuserOf(dataDir: string): string {
  return (JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8')) as { superuser: string }).superuser
}

async function costliest(superuser: postgres.Sql, calls: number): Promise<ProfileTable> {
  const rows = await superuser<{ query: string; calls: number; planned: number; ms: number }[]>`
    select query, calls::int, plans::int as planned, total_exec_time + total_plan_time as ms from pg_stat_statements
    where query not like '%pg_stat_statements%' order by ms desc`
  const total = rows.reduce((sum, row) => sum + row.ms, 0)
  const lines = rows.slice(0, STATEMENTS).map((row) => {
    const text = row.query.replaceAll(/\s+/gu, ' ').replaceAll(/"|`|\|/gu, '')
    const cut = text.length > CHARS ? `${text.slice(0, CHARS)} …` : text
    const often = (row.calls / calls).toFixed(2)
    const planned = row.planned > row.calls / 10 ? `, planned ${(row.planned / row.calls).toFixed(1)} ×` : ''
    return {
      share: row.ms / total,
      where: `${often} × a call, ${((row.ms * 1_000) / row.calls).toFixed(0)} µs each${planned}: \`${cut}\``,
    }
  })
  const statements = (rows.reduce((sum, row) => sum + row.calls, 0) / calls).toFixed(1)
  return {
    title: `Where PostgreSQL’s time goes, ${statements} statements a call, commits waiting for the disk not counted`,
    lines,
  }
}
