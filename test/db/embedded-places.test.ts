import { chmod, chown, copyFile, cp, lstat, mkdir, readdir, readlink, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { installedNativeDir } from '../../src/db/embedded/native.ts'
import { connect, isRoot, start, startInProcess, temporaryDirectory } from './embedded-harness.ts'

/** A copy of the package as npm leaves it with --ignore-scripts: without links. */
async function packageWithoutLinks(dir: string): Promise<string> {
  const [installed, native] = [installedNativeDir(), join(dir, 'native')]
  await cp(installed, native, { recursive: true, filter: async (path) => !(await lstat(path)).isSymbolicLink() })
  await copyFile(join(dirname(installed), 'package.json'), join(dir, 'package.json'))
  return native
}

describe('the binaries', () => {
  test('of a package installed without scripts get their links, also when two servers start at once', async () => {
    const base = await temporaryDirectory()
    const nativeDir = await packageWithoutLinks(base)
    const databases = await Promise.all(['a', 'b'].map((name) => start(join(base, name), { nativeDir })))
    for (const { connection } of databases) expect(await connect(connection)`select 1 as one`).toEqual([{ one: 1 }])
    expect(await readlink(join(nativeDir, 'lib', 'libicuuc.so.60'))).toBe('libicuuc.so.60.2')
    expect(await readdir(join(base, 'a'))).not.toContain('native')
  })

  test('are asked for by name on a platform that has none', () => {
    expect(() => installedNativeDir('aix', 'ppc64')).toThrow(/not installed for aix-ppc64[^]*DATABASE_URL/)
  })

  test('are used where they are when everybody can reach them', async () => {
    const dataDir = join(await temporaryDirectory(), 'data')
    await start(dataDir)
    expect(await readdir(dataDir)).not.toContain('native')
  })
})

const ordinaryUser = { uid: 65_534, gid: 65_534 }

// Only root can become another user or be locked out by its own choice of one.
describe.runIf(isRoot)('started as root', () => {
  test('keeps the cluster in the data directory, run by another user, who cannot read the passwords', async () => {
    const dataDir = join(await temporaryDirectory(), 'not', 'there', 'yet')
    const { postmasterPid } = await start(dataDir)
    const cluster = await lstat(join(dataDir, 'postgres'))
    expect(cluster.isDirectory()).toBe(true)
    expect(cluster.uid).not.toBe(0)
    expect((await stat(`/proc/${postmasterPid}`)).uid).toBe(cluster.uid)
    const credentials = await stat(join(dataDir, 'credentials.json'))
    expect([credentials.uid, credentials.mode & 0o777]).toEqual([0, 0o600])
  })

  test('works with everything under a 0700 directory, finds its data again, and after a move of the project', async () => {
    const base = await temporaryDirectory()
    const closed = join(base, 'root')
    await mkdir(join(closed, 'app', 'package'), { recursive: true })
    await chmod(closed, 0o700)
    const nativeDir = await packageWithoutLinks(join(closed, 'app', 'package'))
    const options = { nativeDir, systemDir: join(base, 'system') }
    const dataDir = join(closed, 'app', '.orkestrate')

    const first = await start(dataDir, options)
    await connect(first.connection)`create table kept as select 42 as answer`
    await first.stop()
    expect(await readlink(join(dataDir, 'postgres'))).toMatch(join(base, 'system'))
    expect((await stat(closed)).mode & 0o777).toBe(0o700)

    const second = await start(dataDir, options)
    expect(await connect(second.connection)`select answer from kept`).toEqual([{ answer: 42 }])
    await second.stop()

    await rename(join(closed, 'app'), join(closed, 'moved'))
    const moved = { ...options, nativeDir: join(closed, 'moved', 'package', 'native') }
    const third = await start(join(closed, 'moved', '.orkestrate'), moved)
    expect(await connect(third.connection)`select answer from kept`).toEqual([{ answer: 42 }])
  })

  test('does not share the database with a copy of the project', async () => {
    const base = await temporaryDirectory()
    const closed = join(base, 'root')
    await mkdir(closed, { mode: 0o700 })
    const options = { systemDir: join(base, 'system') }
    await (await start(join(closed, 'data'), options)).stop()
    await cp(join(closed, 'data'), join(closed, 'copy'), { recursive: true, verbatimSymlinks: true })
    await expect(start(join(closed, 'copy'), options)).rejects.toThrow(/looks like a copy/)
    await rm(join(closed, 'copy', 'postgres'))
    const [original, copy] = [await start(join(closed, 'data'), options), await start(join(closed, 'copy'), options)]
    expect(copy.connection.host).not.toBe(original.connection.host)
  })

  test('says what to do when no place will do', async () => {
    const closed = await temporaryDirectory()
    await chmod(closed, 0o700)
    const attempt = start(join(closed, 'data'), { systemDir: join(closed, 'system') })
    await expect(attempt).rejects.toThrow(/permissions of [^]*Set DATA_DIR/)
  })

  test('does not begin with an empty database when the one it is linked to is gone', async () => {
    const base = await temporaryDirectory()
    const closed = join(base, 'root')
    await mkdir(closed, { mode: 0o700 })
    const dataDir = join(closed, 'data')
    await (await start(dataDir, { systemDir: join(base, 'system') })).stop()
    await rm(join(base, 'system'), { recursive: true })
    await expect(start(dataDir, { systemDir: join(base, 'system') })).rejects.toThrow(/is gone\. Restore it/)
  })

  test('goes on with the cluster of an ordinary user, as that user', async () => {
    const base = await temporaryDirectory()
    await chown(base, ordinaryUser.uid, ordinaryUser.gid)
    const dataDir = join(base, 'data')
    const theirs = await startInProcess(dataDir, {}, ordinaryUser)
    if (theirs.report.started === undefined) throw new Error(theirs.report.refused?.message)
    expect((await stat(dataDir)).uid).toBe(ordinaryUser.uid)
    expect((await stat(`/proc/${theirs.report.started.postmasterPid}`)).uid).toBe(ordinaryUser.uid)
    await connect(theirs.report.started.connection)`create table kept as select 42 as answer`
    theirs.child.kill('SIGTERM')
    await expect.poll(() => theirs.child.exitCode, { timeout: 20_000 }).toBe(0)

    const ours = await start(dataDir)
    expect((await stat(`/proc/${ours.postmasterPid}`)).uid).toBe(ordinaryUser.uid)
    expect(await connect(ours.connection)`select answer from kept`).toEqual([{ answer: 42 }])
  })
})

describe.runIf(isRoot)('started as an ordinary user', () => {
  test('refuses a data directory that root has made, and says what to do', async () => {
    const dataDir = join(await temporaryDirectory(), 'data')
    await (await start(dataDir)).stop()
    const { report } = await startInProcess(dataDir, {}, ordinaryUser)
    expect(report.refused?.message).toMatch(/may not write to .* Start the server as the user that owns it/)
  })

  test('refuses a cluster that belongs to somebody else, and says whose it is', async () => {
    const base = await temporaryDirectory()
    const dataDir = join(base, 'data')
    await (await start(dataDir)).stop()
    const { uid } = await stat(join(dataDir, 'postgres'))
    const other = { uid: uid === 65_533 ? 65_532 : 65_533, gid: 65_533 }
    await chown(dataDir, other.uid, other.gid)
    await chown(join(dataDir, 'server.lock'), other.uid, other.gid)
    const { report } = await startInProcess(dataDir, {}, other)
    expect(report.refused?.message).toContain(`belongs to uid ${uid}`)
  })
})
