/**
 * `npm run test:restore [-- --require]`
 *
 * Backups as docs/operations.md has them made, restored as it says: pg_dump and pg_restore of a running server's database, with
 * Debian's PostgreSQL, which is older than the embedded one; and the copied data directory of a stopped server. What was given
 * after the backup is never given again. Skips the first with a plain message where PostgreSQL is not installed, unless
 * `--require` says that this is a failure.
 */
import { rejects } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Report, startReport, StepFailure } from '../clients/report.ts'
import { freePort, startServer, type ServerProcess } from '../support/server-process.ts'
import { type DebianPostgres, postgresPrograms, startDebianPostgres } from './debian-postgres.ts'
import { livesAt, restored } from './life.ts'

const show = (text: string) => console.log(text.trim().replaceAll(/^/gmu, '          '))

/** Runs what has a server, and stops that in any case. */
async function serving<T>(server: ServerProcess, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await server.stop()
  }
}

async function dumped(report: Report, postgres: DebianPostgres): Promise<void> {
  const what = `PG ${postgres.version.split(' ')[0] ?? ''}`
  const dataDir = mkdtempSync(join(tmpdir(), 'ork-restore-data-'))
  const port = await freePort()
  const env = { DATABASE_URL: postgres.url, SECRET_KEY: 'a secret key with more than thirty-two characters' }
  const start = () => startServer({ dataDir, port, env })
  const backup = join(postgres.directory, 'backup')
  const server = await report.step(what, 'migrates and serves', start)
  const life = await serving(server, () =>
    report.step(what, 'is dumped by pg_dump while agents work', async () => {
      const begun = await livesAt(server.origin)
      await begun.begin()
      await postgres.tool('pg_dump', '--format=custom', '--file', backup, 'orkestrate')
      await begun.goOn()
      return begun
    }),
  )
  await report.step(what, 'comes back by pg_restore, owned by the application', async () => {
    await postgres.tool('dropdb', 'orkestrate')
    await postgres.tool('createdb', '--owner=orkestrate', 'orkestrate')
    await postgres.tool(
      'pg_restore',
      '--no-owner',
      '--role=orkestrate',
      '--dbname=orkestrate',
      '--exit-on-error',
      backup,
    )
    show(await restored({ ...env, DATA_DIR: dataDir }))
  })
  const back = await report.step(what, 'serves, which it does not where row-level security is gone', start)
  await serving(back, async () => {
    await report.step(what, 'gives no fence and no version twice, and every journal holds', async () =>
      show(await life.again()),
    )
  })
  await report.step(what, 'keeps its journals append-only', async () => {
    const workspaceId = await postgres.tool('psql', '--dbname=orkestrate', '-Atc', 'select workspace_id from journals')
    const scope = `select set_config('orkestrate.workspace_id', '${workspaceId.trim()}', false)`
    await rejects(
      postgres.tool('psql', postgres.url, '-c', `${scope}; delete from events`),
      /is refused: a journal goes whole/u,
    )
  })
  rmSync(dataDir, { recursive: true })
}

async function copied(report: Report): Promise<void> {
  const what = 'embedded'
  const parent = mkdtempSync(join(tmpdir(), 'ork-restore-copy-'))
  const [dataDir, backup] = [join(parent, 'data'), join(parent, 'backup')]
  // As root `postgres` may be a link to where the user of PostgreSQL may look: then that is to be copied as well.
  const cluster = () => realpathSync(join(dataDir, 'postgres'))
  const port = await freePort()
  const start = () => startServer({ dataDir, port })
  const copy = (from: string, to: string) => execFileSync('cp', ['-a', from, to])
  const isElsewhere = () => !cluster().startsWith(realpathSync(dataDir))
  const first = await report.step(what, 'serves', start)
  const life = await serving(first, () => livesAt(first.origin).then(async (begun) => (await begun.begin(), begun)))
  await report.step(what, 'is copied while it is stopped, and goes on', async () => {
    copy(dataDir, backup)
    if (isElsewhere()) copy(cluster(), join(parent, 'cluster'))
    const again = await start()
    await serving(again, () => life.goOn())
  })
  await report.step(what, 'is put back', async () => {
    if (isElsewhere()) {
      const place = cluster()
      rmSync(place, { recursive: true })
      copy(join(parent, 'cluster'), place)
    }
    rmSync(dataDir, { recursive: true })
    copy(backup, dataDir)
    const printed = (await restored({ DATA_DIR: dataDir, PORT: String(port) })).split('\n')
    show(printed.filter((line) => !line.startsWith('{')).join('\n'))
  })
  const back = await report.step(what, 'serves again', start)
  await serving(back, async () => {
    await report.step(what, 'gives no fence and no version twice, and every journal holds', async () =>
      show(await life.again()),
    )
  })
  if (isElsewhere()) rmSync(join(cluster(), '..'), { recursive: true })
  rmSync(parent, { recursive: true })
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { require: { type: 'boolean', default: false } } })
  const report = startReport()
  const bin = postgresPrograms()
  if (bin === null) report.skip('PostgreSQL is not installed (Debian package postgresql): no dump was restored')
  if (bin === null && values.require) return 1
  for (const play of [bin === null ? null : () => onDebian(report, bin), () => copied(report)]) {
    // Reported already; anything else is a bug in this program.
    await play?.().catch((error: unknown) => {
      if (!(error instanceof StepFailure)) throw error
    })
  }
  return report.close()
}

async function onDebian(report: Report, bin: string): Promise<void> {
  const postgres = await startDebianPostgres(bin)
  try {
    await dumped(report, postgres)
  } finally {
    await postgres.stop()
  }
}

process.exitCode = await main()
