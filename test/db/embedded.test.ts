import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startEmbeddedPostgres } from '../../src/db/embedded/index.ts'
import { isAlive } from '../../src/db/embedded/processes.ts'
import {
  connect,
  FAST,
  gone,
  kill,
  quiet,
  recordedPostmaster,
  spawnServer,
  start,
  startInProcess,
  temporaryDirectory,
} from './embedded-harness.ts'

async function dataDirectory(): Promise<string> {
  return join(await temporaryDirectory(), '.orkestrate')
}

describe('a first start', () => {
  test('gives the application a database of its own and a role bound by row-level security', async () => {
    const database = await start(await dataDirectory(), { settings: {} })
    const sql = connect(database.connection)
    const [row] = await sql`
      select current_user as user, current_database() as database, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole,
             pg_get_userbyid(datdba) as owner, datcollate, pg_encoding_to_char(encoding) as encoding
      from pg_roles, pg_database where rolname = current_user and datname = current_database()`
    expect(row).toEqual({
      user: 'orkestrate',
      database: 'orkestrate',
      rolsuper: false,
      rolbypassrls: false,
      rolcreatedb: true,
      rolcreaterole: false,
      owner: 'orkestrate',
      datcollate: 'C',
      encoding: 'UTF8',
    })
    expect(database.adopted).toBe(false)
  })

  test('is durable by default, and listens on no TCP port', async () => {
    const sql = connect((await start(await dataDirectory(), { settings: {} })).connection)
    const settings = await sql`
      select name, setting from pg_settings
      where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'listen_addresses', 'TimeZone')`
    expect(Object.fromEntries(settings.map((row) => [row['name'], row['setting']]))).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      data_checksums: 'on',
      listen_addresses: '',
      TimeZone: 'UTC',
    })
  })

  test('lets nobody in without the password, who can reach the socket', async () => {
    const { connection } = await start(await dataDirectory())
    for (const username of ['orkestrate', 'postgres']) {
      const sql = postgres({ ...connection, username, password: 'guessed', max: 1 })
      await expect(sql`select 1`).rejects.toMatchObject({ code: '28P01' })
      await sql.end({ timeout: 0 })
    }
    expect((await stat(connection.host)).mode & 0o777).toBe(0o700)
  })

  test('that was killed within initdb is begun anew and leaves nothing behind', async () => {
    const dataDir = await dataDirectory()
    const killed = spawnServer({ dataDir, settings: FAST })
    const entries = (): Promise<string[]> => readdir(dataDir, { recursive: true }).catch(() => [])
    await expect
      .poll(entries, { timeout: 20_000, interval: 5 })
      .toContainEqual(expect.stringMatching(/init-.*PG_VERSION/))
    await kill(killed)
    expect(await entries()).not.toContain('postgres')

    const sql = connect((await start(dataDir)).connection)
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
    expect((await entries()).filter((name) => name.includes('init-'))).toEqual([])
  })

  test('works where the socket path would be too long for the operating system', async () => {
    const { connection } = await start(join(await temporaryDirectory(), 'd'.repeat(120)))
    onTestFinished(() => rm(connection.host, { recursive: true }))
    expect(connection.host.length).toBeLessThan(90)
    expect((await stat(connection.host)).mode & 0o777).toBe(0o700)
    expect(await connect(connection)`select 1 as one`).toEqual([{ one: 1 }])
  })

  test('that is aborted rejects with the reason and leaves the directory free', async () => {
    const dataDir = await dataDirectory()
    const aborted = startEmbeddedPostgres({ dataDir, log: quiet, settings: FAST, signal: AbortSignal.abort('enough') })
    await expect(aborted).rejects.toBe('enough')
    expect(await recordedPostmaster(dataDir)).toBeUndefined()
    expect((await start(dataDir)).adopted).toBe(false)
  })
})

describe('a stop', () => {
  test('ends the postmaster, frees the directory, can be repeated, and keeps the data', async () => {
    const dataDir = await dataDirectory()
    const first = await start(dataDir)
    await connect(first.connection)`create table kept as select 42 as answer`
    await Promise.all([first.stop(), first.stop()])
    await first.stop()
    expect(isAlive(first.postmasterPid)).toBe(false)
    expect(await recordedPostmaster(dataDir)).toBeUndefined()
    const second = await start(dataDir)
    expect(await connect(second.connection)`select answer from kept`).toEqual([{ answer: 42 }])
  })

  test('wins over a restart that is under way', async () => {
    const dataDir = await dataDirectory()
    const error = vi.fn<() => void>()
    const database = await start(dataDir, { log: { ...quiet, error } })
    process.kill(database.postmasterPid, 'SIGKILL')
    await vi.waitFor(() => expect(error).toHaveBeenCalledWith(expect.anything(), expect.stringContaining('has died')))
    await database.stop()
    const pid = await recordedPostmaster(dataDir)
    expect(pid === undefined || !isAlive(pid)).toBe(true)
  })
})

describe('after kill -9 of the server', () => {
  test('the next start adopts the living postmaster, with the data, and keeps it running in its turn', async () => {
    const dataDir = await dataDirectory()
    const { child, report } = await startInProcess(dataDir)
    if (report.started === undefined) throw new Error(report.refused?.message)
    await connect(report.started.connection)`create table kept as select 42 as answer`
    await kill(child)
    expect(isAlive(report.started.postmasterPid)).toBe(true)

    const adopting = await start(dataDir)
    expect(adopting.adopted).toBe(true)
    expect(adopting.postmasterPid).toBe(report.started.postmasterPid)
    expect(adopting.connection).toEqual(report.started.connection)
    const sql = connect(adopting.connection)
    expect(await sql`select answer from kept`).toEqual([{ answer: 42 }])

    process.kill(adopting.postmasterPid, 'SIGKILL')
    await expect.poll(() => adopting.postmasterPid, { timeout: 20_000 }).not.toBe(report.started.postmasterPid)
    await expect.poll(() => sql`select answer from kept`.catch(() => []), { timeout: 20_000 }).toEqual([{ answer: 42 }])
    await adopting.stop()
    await gone(adopting.postmasterPid)
  })

  test('and of its postmaster the next start recovers what was committed', async () => {
    const dataDir = await dataDirectory()
    const { child, report } = await startInProcess(dataDir, { settings: {} })
    if (report.started === undefined) throw new Error(report.refused?.message)
    await connect(report.started.connection)`create table kept as select 42 as answer`
    await kill(child)
    process.kill(report.started.postmasterPid, 'SIGKILL')
    const next = await start(dataDir)
    expect(next.adopted).toBe(false)
    expect(await connect(next.connection)`select answer from kept`).toEqual([{ answer: 42 }])
  })
})

describe('after kill -9 of the postmaster', () => {
  test('it is started again by itself at the same place, every committed row is there, clients reconnect', async () => {
    const database = await start(await dataDirectory(), { settings: {} })
    const sql = connect(database.connection)
    await sql`create table kept (n int)`
    for (let round = 1; round <= 3; round++) {
      await sql`insert into kept values (${round})`
      const killed = database.postmasterPid
      process.kill(killed, 'SIGKILL')
      await expect.poll(() => database.postmasterPid, { timeout: 20_000 }).not.toBe(killed)
      await expect
        .poll(() => sql`select count(*)::int as rows from kept`.catch(() => []), { timeout: 20_000 })
        .toEqual([{ rows: round }])
    }
  })

  test('a postmaster.pid whose pid now is another process does not stand in the way', async () => {
    const dataDir = await dataDirectory()
    const first = await start(dataDir)
    const owner = await stat(join(dataDir, 'postgres'))
    await first.stop()
    const stranger = spawn('sleep', ['600'], { uid: owner.uid, gid: owner.gid })
    onTestFinished(() => kill(stranger))
    await once(stranger, 'spawn')
    const lines = [stranger.pid, join(dataDir, 'postgres'), 1, 5432, first.connection.host, '', '5432 999999', 'ready']
    await writeFile(join(dataDir, 'postgres', 'postmaster.pid'), `${lines.join('\n')}\n`)
    expect((await start(dataDir)).adopted).toBe(false)
    expect(isAlive(stranger.pid ?? 0)).toBe(true)
  })
})

test('a log that has grown too great is put aside, and PostgreSQL goes on writing to the same file', async () => {
  const dataDir = await dataDirectory()
  await mkdir(dataDir, { mode: 0o700 })
  await writeFile(join(dataDir, 'postgres.log'), Buffer.alloc(11 * 1024 * 1024, '-'))
  const { connection } = await start(dataDir)
  expect((await stat(join(dataDir, 'postgres.log.1'))).size).toBe(11 * 1024 * 1024)
  await connect(connection)`select * from nowhere`.catch(() => undefined)
  const log = await readFile(join(dataDir, 'postgres.log'), 'utf8')
  expect(log).toContain('relation "nowhere" does not exist')
  expect(log).not.toContain('--------')
})

describe('a clear refusal', () => {
  test('of a cluster of another major version', async () => {
    const dataDir = await dataDirectory()
    await (await start(dataDir)).stop()
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '17\n')
    await expect(start(dataDir)).rejects.toThrow(/PostgreSQL 17, and the embedded one is 18/)
  })

  test('of a start that PostgreSQL refuses, with the last lines of its log, and the directory is free again', async () => {
    const dataDir = await dataDirectory()
    await expect(start(dataDir, { settings: { ...FAST, shared_buffers: 'plenty' } })).rejects.toThrow(
      /did not start[^]*invalid value for parameter "shared_buffers"/,
    )
    expect((await start(dataDir)).adopted).toBe(false)
  })

  test('of binaries that do not run here', async () => {
    const nativeDir = join(await temporaryDirectory(), 'native')
    await mkdir(join(nativeDir, 'bin'), { recursive: true })
    await writeFile(join(nativeDir, 'bin', 'postgres'), '#!/no/such/loader\n', { mode: 0o755 })
    await writeFile(join(nativeDir, '..', 'package.json'), '{"version":"1.0.0"}')
    const dataDir = await dataDirectory()
    await expect(start(dataDir, { nativeDir })).rejects.toThrow(/glibc[^]*DATABASE_URL/)
    await expect(access(join(dataDir, 'postgres'))).rejects.toThrow('ENOENT')
  })
})
