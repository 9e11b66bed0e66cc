import { execFileSync } from 'node:child_process'
import { overlaps } from '../../src/modules/claim/overlap.ts'
import { parsePattern } from '../../src/modules/claim/pattern.ts'
import { canonicalRemote } from '../../src/modules/tenancy/remote.ts'

/** The repository cannot be used for the demonstration; the message says why and what to do. */
export class RepositoryError extends Error {}

/** What `join_workspace` wants to know, as git says it. */
export interface GitContext {
  readonly remote: string
  readonly repoRoot: string
  readonly branch: string
  readonly headSha: string
  readonly dirty: boolean
  readonly collectedAt: string
  readonly rootSha?: string
}

export interface Repository {
  readonly gitContext: GitContext
  /** Tracked paths, relative to the root. */
  readonly files: readonly string[]
}

const LS_FILES_BYTES_MAX = 1024 * 1024 * 1024

/**
 * Reads a working tree with git, changing nothing in it.
 *
 * @throws RepositoryError when it is none, has no commit, or has nothing by which others could recognise it.
 */
export function readRepository(path: string): Repository {
  const repoRoot = git(path, 'rev-parse', '--show-toplevel')
  const headSha = attempt(() => git(repoRoot, 'rev-parse', '--verify', 'HEAD'))
  if (headSha === undefined) throw new RepositoryError(`${repoRoot} has no commit yet. Commit something first.`)
  const remote = remoteOf(repoRoot)
  // What looks like the first commit of a shallow clone is only where its history was cut off.
  const isShallow = git(repoRoot, 'rev-parse', '--is-shallow-repository') === 'true'
  if (isShallow && canonicalRemote(remote) === null) {
    throw new RepositoryError(
      `${repoRoot} is a shallow clone without a remote that others can reach, so nothing identifies the repository. ` +
        'Fetch its history (git fetch --unshallow) or add a remote.',
    )
  }
  const rootSha = isShallow
    ? {}
    : { rootSha: git(repoRoot, 'rev-list', '--max-parents=0', 'HEAD').split('\n')[0] ?? '' }
  return {
    gitContext: {
      remote,
      repoRoot,
      branch: git(repoRoot, 'rev-parse', '--abbrev-ref', 'HEAD'),
      headSha,
      dirty: git(repoRoot, '--no-optional-locks', 'status', '--porcelain') !== '',
      collectedAt: new Date().toISOString(),
      ...rootSha,
    },
    files: git(repoRoot, 'ls-files', '-z')
      .split('\0')
      .filter((file) => file !== ''),
  }
}

function remoteOf(repoRoot: string): string {
  const names = git(repoRoot, 'remote').split('\n')
  const name = names.includes('origin') ? 'origin' : (names[0] ?? '')
  return name === '' ? '' : git(repoRoot, 'remote', 'get-url', name)
}

/** GIT_DIR and its like, as set inside hooks, would lead to another repository than the one that was named. */
function gitEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX)$/.test(name))
  return { ...Object.fromEntries(kept), LC_ALL: 'C' }
}

function git(path: string, ...args: string[]): string {
  try {
    return execFileSync('git', ['-C', path, ...args], {
      encoding: 'utf8',
      env: gitEnvironment(),
      maxBuffer: LS_FILES_BYTES_MAX,
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trimEnd()
  } catch (error) {
    throw new RepositoryError(whyGitFailed(path, error), { cause: error })
  }
}

function whyGitFailed(path: string, error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'git is not installed.'
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
  if (/not a git repository|cannot change to/i.test(stderr)) {
    return `${path} is not a git repository. Name one with --repo PATH.`
  }
  if (stderr.includes('must be run in a work tree')) return `${path} is a bare repository: there are no files to edit.`
  return `git failed in ${path}: ${stderr}`
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

/** What the two agents will want: `shared` is a file inside `first`, and `second` is free of both. */
export interface Scopes {
  readonly first: string
  readonly shared: string
  readonly second: string
}

/**
 * Two places to work at that do not overlap: the directories with the most files of their own, single files where
 * there are not two such directories.
 *
 * @throws RepositoryError when there are no two files that can be claimed.
 */
export function chooseScopes(files: readonly string[]): Scopes {
  const claimable = files.filter((file) => claimPattern(file) !== undefined)
  const counts = new Map<string, number>()
  for (const file of claimable) {
    const directory = directoryOf(file)
    if (directory !== '') counts.set(directory, (counts.get(directory) ?? 0) + 1)
  }
  // Hidden directories hold configuration: nobody's idea of work, unless there is nothing else.
  const rank = (path: string) => (/(^|\/)\./.test(path) ? 0 : 1_000_000) + (counts.get(path) ?? 0)
  const directories = [...counts.keys()].toSorted((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1))
  const candidates = [...directories, ...claimable]
  for (const first of candidates) {
    const second = candidates.find((other) => !overlap(first, other))
    const shared = claimable.find((file) => file === first || directoryOf(file) === first)
    if (second !== undefined && shared !== undefined) return { first, shared, second }
  }
  throw new RepositoryError('The repository needs at least two tracked files, so that two agents have something to do.')
}

function directoryOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : ''
}

/** Undefined for what is no plain path to the server: a name with a backslash, `*` or `?`, or not in Unicode's NFC. */
function claimPattern(path: string): ReturnType<typeof parsePattern> | undefined {
  const pattern = attempt(() => parsePattern(path))
  return pattern?.display === path && !/[*?\ufffd]/.test(path) ? pattern : undefined
}

function overlap(a: string, b: string): boolean {
  return overlaps(parsePattern(a), parsePattern(b))
}
