import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CLIENT_PACKAGES } from './versions.ts'

/**
 * Outside the project, so that neither its lock file nor its `node_modules` ever sees half a gigabyte of agents:
 * `ORKESTRATE_CLIENT_CACHE`, else the user's cache folder.
 */
export function cacheFolder(): string {
  const { ORKESTRATE_CLIENT_CACHE, XDG_CACHE_HOME } = process.env
  return ORKESTRATE_CLIENT_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'orkestrate-clients')
}

export const binFolder = (): string => join(cacheFolder(), 'node_modules', '.bin')

function installedVersion(name: string): string | undefined {
  const manifest = join(cacheFolder(), 'node_modules', name, 'package.json')
  if (!existsSync(manifest)) return undefined
  const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'))
  return typeof parsed === 'object' && parsed && 'version' in parsed ? String(parsed.version) : undefined
}

const DONE = '.complete'

/** A cut-off installation leaves packages without their platform binaries: only the last step writes the mark. */
const isInstalled = (): boolean =>
  existsSync(join(cacheFolder(), DONE)) &&
  Object.entries(CLIENT_PACKAGES).every(([name, version]) => installedVersion(name) === version)

// The two packages that put their platform binary in place with a script; npm may be set up to run none.
const POSTINSTALLS = { '@anthropic-ai/claude-code': 'install.cjs', 'opencode-ai': 'postinstall.mjs' }

/** Installs the pinned clients unless they are there. Returns why that failed, or undefined. Needs the registry. */
export function installClients(): string | undefined {
  if (isInstalled()) return undefined
  const cwd = cacheFolder()
  mkdirSync(cwd, { recursive: true })
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ private: true, dependencies: CLIENT_PACKAGES }, null, 2))
  // The clients are native programs: the Node version that their packages ask for is not used.
  const npm = [
    'install',
    '--engine-strict=false',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--loglevel=error',
  ]
  const steps = [
    { program: 'npm', args: npm, cwd },
    ...Object.entries(POSTINSTALLS).map(([name, script]) => ({
      program: process.execPath,
      args: [script],
      cwd: join(cwd, 'node_modules', name),
    })),
  ]
  for (const { program, args, cwd } of steps) {
    const { status, error, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
    if (status !== 0) return `\`${program} ${args[0]}\` failed: ${error?.message ?? stderr.trim().slice(0, 300)}`
  }
  writeFileSync(join(cwd, DONE), '')
  return undefined
}
