import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, open, rename, rm, statfs, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ms } from '../figures.ts'
import { startPostgres } from '../postgres-control.ts'
import type { Sample } from '../probe.ts'
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts'
import { hangs, timeliness, underLoad, type Scene } from '../under-load.ts'

/** Room for a new cluster (70 MiB), its log of changes and some work. */
const DISK_MIB = 256

/** Nothing of it may be left over: PostgreSQL needs 8 KiB at a time. */
const BLOCK = 4_096

const SETTINGS = {
  // Segments are made when they are needed, so that the disk is full for them too.
  min_wal_size: '32MB',
  max_wal_size: '64MB',
  wal_recycle: 'off',
  // Frees what it can while nothing else can be written.
  autovacuum_naptime: '1s',
}

export const diskFull: Scenario = {
  name: 'disk-full',
  fault: 'the disk of PostgreSQL is full: that of the tables, then that of the write-ahead log',
  async run(context) {
    const tables = await onFullDisk(context, 'tables')
    const log = await onFullDisk(context, 'log')
    const named = (name: string, { figures }: Verdict) =>
      Object.fromEntries(Object.entries(figures).map(([what, figure]) => [`${name}: ${what}`, figure]))
    return {
      figures: { ...named('tables', tables), ...named('log', log) },
      violations: [...tables.violations, ...log.violations],
      missed: [...(tables.missed ?? []), ...(log.missed ?? [])],
    }
  },
}

/** The whole disk, and only the log or only the rest on it. */
async function onFullDisk(context: ScenarioContext, which: 'tables' | 'log'): Promise<Verdict> {
  const disk = await mountDisk()
  if (disk === null) {
    return { figures: { skipped: 'a disk of its own needs root and mount(8)' }, violations: [] }
  }
  const elsewhere = await mkdtemp(join(tmpdir(), 'ork-faults-disk-'))
  await chmod(elsewhere, 0o755)
  const dataDir = join(which === 'tables' ? disk.path : elsewhere, 'database')
  try {
    await moveLog(dataDir, join(which === 'tables' ? elsewhere : disk.path, 'log'))
    return await underLoad(context, { linked: false, settings: SETTINGS, postgresDir: dataDir }, (scene) =>
      fillAndFree(scene, disk, which, context),
    )
  } finally {
    await rm(dataDir, { recursive: true, force: true })
    disk.unmount()
    await rm(elsewhere, { recursive: true, force: true })
  }
}

/** Makes the cluster, and puts its write-ahead log onto another disk, as `initdb --waldir` does. */
async function moveLog(dataDir: string, to: string): Promise<void> {
  await (await startPostgres(dataDir, SETTINGS)).stop()
  const walDir = join(dataDir, 'postgres', 'pg_wal')
  const moved = spawnSync('cp', ['-a', walDir, to])
  if (moved.status !== 0) throw new Error(`the log could not be moved: ${String(moved.stderr)}`)
  await rename(walDir, `${walDir}.old`)
  await rm(`${walDir}.old`, { recursive: true })
  await symlink(to, walDir)
}

async function fillAndFree(
  { stage, probe }: Scene,
  disk: Disk,
  which: 'tables' | 'log',
  context: ScenarioContext,
): Promise<Verdict> {
  await probe.recovered()
  await disk.fill()
  // Until the first write fails: there is room in pages that are there already.
  const filler = which === 'tables' ? null : eatLog(stage.postgres)
  const from = performance.now()
  const firstRefusal = await waitFor(() =>
    probe.samples.find(({ kind, at, status }) => isRefused(kind, status) && at > from),
  )
  const since = performance.now()
  for (const endsAt = since + (context.quick ? 4_000 : 20_000); performance.now() < endsAt; await delay(200))
    await disk.fill()
  const during = probe.samples.filter(({ at }) => at >= since)
  await filler?.stop()
  await disk.free()
  const recoveredMs = await probe.recovered()
  await delay(1_000)
  const back = timeliness(`disk of the ${which} full`, { recoveredMs })
  const count = (kind: Sample['kind'], of: (sample: Sample) => boolean) =>
    `${during.filter((sample) => sample.kind === kind && of(sample)).length} of ${during.filter((sample) => sample.kind === kind).length}`
  const codes = new Set(during.filter(({ kind, status }) => isRefused(kind, status)).map(({ code }) => code))
  const violations = [...back.violations, ...hangs(probe.samples)]
  if (firstRefusal === undefined) violations.push('the disk was full and no write was refused')
  for (const { kind, status } of during.filter(({ kind }) => kind === 'write' || kind === 'read'))
    if (![200, 201, 503].includes(status)) violations.push(`a ${kind} on a full disk was answered ${status}`)
  const reads = during.filter(({ kind }) => kind === 'read')
  if (which === 'tables' && !reads.some(({ status }) => status === 200)) violations.push('nothing could be read')
  if (which === 'tables' && firstRefusal !== undefined && !codes.has('UNAVAILABLE storage_full'))
    violations.push(`no refused write said why, but ${[...codes].join()}`)
  return {
    figures: {
      'writes refused': `${count('write', ({ status }) => status === 503)}, as ${[...codes].join(' and ')}`,
      'reads served': count('read', ({ status }) => status === 200),
      '/readyz not ready': count('ready', ({ status }) => status === 503),
      recovered: `writes again ${ms(recoveredMs)} after there is room`,
    },
    violations,
    missed: back.missed,
  }
}

function isRefused(kind: Sample['kind'], status: number): boolean {
  return kind === 'write' && status === 503
}

async function waitFor<T>(look: () => T | undefined): Promise<T | undefined> {
  for (const endsAt = performance.now() + 120_000; performance.now() < endsAt; await delay(50)) {
    const found = look()
    if (found !== undefined) return found
  }
  return undefined
}

/** Switches to new segments of the log, so that there is soon no room for the next. */
function eatLog(postgres: Scene['stage']['postgres']): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const running = (async () => {
    while (!stopping.signal.aborted) {
      // It crashes and comes back again and again.
      await postgres
        .asSuperuser(async (sql) => {
          await sql`select pg_switch_wal() from pg_logical_emit_message(false, 'fault', repeat('x', 100000))`
        })
        .catch(() => undefined)
      await delay(100)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

interface Disk {
  readonly path: string
  /** Takes what room there is. Again and again: what is deleted makes room. */
  fill(): Promise<void>
  free(): Promise<void>
  unmount(): void
}

/** A small file system of its own in memory; null where that is not allowed. */
async function mountDisk(): Promise<Disk | null> {
  const path = await mkdtemp(join(tmpdir(), 'ork-faults-disk-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=755`, 'tmpfs', path])
  if (mounted.status !== 0) {
    await rm(path, { recursive: true })
    return null
  }
  const ballast = join(path, 'ballast')
  return {
    path,
    async fill() {
      const file = await open(ballast, 'a')
      try {
        for (const block of [Buffer.alloc(2 ** 20), Buffer.alloc(BLOCK)]) {
          while ((await statfs(path)).bavail > 0) {
            const written = await file.write(block).catch(() => null)
            if (written === null) break
          }
        }
      } finally {
        await file.close()
      }
    },
    async free() {
      await rm(ballast, { force: true })
    },
    unmount() {
      spawnSync('umount', ['-l', path])
      void rm(path, { recursive: true, force: true })
    },
  }
}
