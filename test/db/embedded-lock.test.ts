import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { acquireDataDirectory, DataDirectoryInUse } from '../../src/db/embedded/index.ts'
import { processIdentity } from '../../src/db/embedded/processes.ts'
import { kill, start, startInProcess, temporaryDirectory } from './embedded-harness.ts'

async function dataDirectory(): Promise<string> {
  return join(await temporaryDirectory(), '.orkestrate')
}

async function leaveLock(dataDir: string, holder: object): Promise<void> {
  await mkdir(join(dataDir, 'server.lock'), { recursive: true })
  await writeFile(join(dataDir, 'server.lock', '7'), JSON.stringify(holder))
}

describe('the lock of a data directory', () => {
  test('refuses a second server in another process, naming the first, and lets it in after a stop', async () => {
    const dataDir = await dataDirectory()
    const first = await start(dataDir)
    const second = await startInProcess(dataDir)
    expect(second.report.refused?.name).toBe('DataDirectoryInUse')
    expect(second.report.refused?.message).toContain(`pid ${process.pid}`)
    await first.stop()
    const third = await startInProcess(dataDir)
    expect(third.report.started?.adopted).toBe(false)
  })

  test('refuses a second server in the same process', async () => {
    const dataDir = await dataDirectory()
    await acquireDataDirectory(dataDir)
    const refused = await acquireDataDirectory(dataDir).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(DataDirectoryInUse)
    expect(refused).toMatchObject({ pid: process.pid, dataDir })
  })

  test('lets exactly one of two servers that start at once win', async () => {
    const dataDir = await dataDirectory()
    const servers = await Promise.all([startInProcess(dataDir), startInProcess(dataDir)])
    const outcomes = servers.map(({ report }) => report.refused?.name ?? 'started')
    expect(outcomes.sort()).toEqual(['DataDirectoryInUse', 'started'])
  })

  test('is won by exactly one of many processes that race for the lock of a dead one, time and again', async () => {
    const base = await temporaryDirectory()
    const rounds = Array.from({ length: 40 }, (_, round) => join(base, String(round)))
    await Promise.all(rounds.map((dataDir) => leaveLock(dataDir, { pid: process.pid, identity: 'long ago' })))
    const script = new URL('embedded-lock-contender.ts', import.meta.url).pathname
    const contenders = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ['--import', 'tsx', script, ...rounds], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      onTestFinished(() => kill(child))
      return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
    })
    const nextLines = (): Promise<string[]> =>
      Promise.all(contenders.map(async ({ lines }) => String((await lines.next()).value)))
    expect(await nextLines()).toEqual(['waiting', 'waiting', 'waiting', 'waiting'])
    for (const dataDir of rounds) {
      for (const { child } of contenders) child.stdin.write('go\n')
      expect((await nextLines()).sort()).toEqual(['refused', 'refused', 'refused', 'won'])
      expect(await readdir(join(dataDir, 'server.lock'))).toEqual(['8'])
    }
  })

  test('is taken over from a dead process', async () => {
    const child = spawn('true')
    await once(child, 'exit')
    const dataDir = await dataDirectory()
    await leaveLock(dataDir, { pid: child.pid, identity: 'whenever' })
    await expect(acquireDataDirectory(dataDir)).resolves.toMatchObject({ dataDir })
  })

  test('is taken over when its pid belongs to another process by now', async () => {
    const dataDir = await dataDirectory()
    await leaveLock(dataDir, { pid: process.ppid, identity: `not ${processIdentity(process.ppid)}` })
    await expect(acquireDataDirectory(dataDir)).resolves.toMatchObject({ dataDir })
  })

  test('can be given back twice, and the second time takes nothing from the next holder', async () => {
    const dataDir = await dataDirectory()
    const first = await acquireDataDirectory(dataDir)
    await first.release()
    await acquireDataDirectory(dataDir)
    await first.release()
    await expect(acquireDataDirectory(dataDir)).rejects.toBeInstanceOf(DataDirectoryInUse)
  })
})
