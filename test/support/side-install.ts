/** Programs that judge the product, installed beside the project: its lock file and `node_modules` never see them. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface SideInstallation {
  readonly folder: string
  /** Exact versions by name. */
  readonly packages: Readonly<Record<string, string>>
  /** Scripts that put a platform binary in place, by package; npm itself runs none. */
  readonly postinstalls: Readonly<Record<string, string>>
  /** Files in `node_modules` that must answer `--version` before the installation counts as one. */
  readonly programs: readonly string[]
}

/** `override`, else a folder of that name in the user's cache. */
export function cacheFolder(name: string, override: string | undefined): string {
  return override ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), name)
}

const DONE = '.proven'
const ATTEMPTS = 3

function installedVersion(folder: string, name: string): string | undefined {
  const manifest = join(folder, 'node_modules', name, 'package.json')
  if (!existsSync(manifest)) return undefined
  const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'))
  return typeof parsed === 'object' && parsed && 'version' in parsed ? String(parsed.version) : undefined
}

/** An installation that was cut off looks like a whole one: only the last step writes the mark. */
const isInstalled = ({ folder, packages }: SideInstallation): boolean =>
  existsSync(join(folder, DONE)) &&
  Object.entries(packages).every(([name, version]) => installedVersion(folder, name) === version)

// The programs bring the Node that they need, or need none: this one's version does not matter.
const NPM = [
  'install',
  '--engine-strict=false',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--no-package-lock',
  '--loglevel=error',
]

/** Installs the packages, and proves them. Returns why that failed, or undefined. */
function install({ folder, packages, postinstalls, programs }: SideInstallation): string | undefined {
  rmSync(join(folder, 'node_modules'), { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: packages }, null, 2))
  const steps = [
    { program: 'npm', args: NPM, cwd: folder },
    ...Object.entries(postinstalls).map(([name, script]) => ({
      program: process.execPath,
      args: [script],
      cwd: join(folder, 'node_modules', name),
    })),
    ...programs.map((path) => ({ program: join(folder, 'node_modules', path), args: ['--version'], cwd: folder })),
  ]
  for (const { program, args, cwd } of steps) {
    const { status, error, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
    if (status !== 0) return `\`${program} ${args[0]}\` failed: ${error?.message ?? stderr.trim().slice(0, 300)}`
  }
  writeFileSync(join(folder, DONE), '')
  return undefined
}

/**
 * Installs the packages unless they are there. Returns why that failed, or undefined. Needs the registry.
 *
 * Starts over twice: a platform binary is an optional dependency, and npm reports success when its download fails.
 */
export function installAside(installation: SideInstallation): string | undefined {
  if (isInstalled(installation)) return undefined
  let failure: string | undefined
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    failure = install(installation)
    if (failure === undefined) return undefined
  }
  return failure
}
