import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const REMOTE = 'https://github.com/acme/widgets.git'

const FILES = {
  'README.md': '# Widgets\n',
  'src/auth/login.ts': 'export const login = (): boolean => false\n',
  'src/auth/logout.ts': 'export const logout = (): boolean => true\n',
  'src/progress-bar.ts': 'export const width = 80\n',
}

/** The argument of `join_workspace` that every agent reads from its own checkout. */
export interface GitContext {
  readonly remote: string
  readonly repoRoot: string
  readonly branch: string
  readonly headSha: string
  readonly dirty: boolean
  readonly collectedAt: string
}

const git = (folder: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.test', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
  }).trim()

/** A small repository of its own for one client, as if cloned from {@link REMOTE}. */
export function createCheckout(folder: string): void {
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  git(folder, 'init', '--quiet', '--initial-branch=main')
  git(folder, 'remote', 'add', 'origin', REMOTE)
  git(folder, 'add', '--all')
  git(folder, 'commit', '--quiet', '--message=Start')
}

/** What git says about the checkout at this moment. */
export function readGitContext(folder: string): GitContext {
  return {
    remote: git(folder, 'remote', 'get-url', 'origin'),
    repoRoot: git(folder, 'rev-parse', '--show-toplevel'),
    branch: git(folder, 'rev-parse', '--abbrev-ref', 'HEAD'),
    headSha: git(folder, 'rev-parse', 'HEAD'),
    dirty: git(folder, 'status', '--porcelain') !== '',
    collectedAt: new Date().toISOString(),
  }
}
