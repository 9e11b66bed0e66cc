import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chooseScopes, readRepository, RepositoryError } from '../scripts/demo/repository.ts'
import { isAlive } from '../src/db/embedded/processes.ts'
import { runScript } from './support/run-script.ts'

const SCRIPT = 'scripts/demo.ts'
const PROJECT = fileURLToPath(new URL('..', import.meta.url))
type Demonstration = ChildProcessWithoutNullStreams

/** How a person ends it before its time. */
const ENDS: readonly { when: string; name: string; interrupt: (child: Demonstration) => unknown }[] = [
  { when: 'at Ctrl-C', name: 'interrupted', interrupt: ({ pid }) => process.kill(-(pid ?? 0), 'SIGINT') },
  // As in `npm run demo | head`; it is noticed at the next line.
  { when: 'where nobody reads it any more', name: 'unread', interrupt: ({ stdout }) => stdout.destroy() },
]

const DEMO_TIMEOUT_MS = 180_000

let base: string
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ork-demo-test-'))
  // PostgreSQL runs as another account where the tests run as root, and has to get to its data.
  await chmod(base, 0o755)
})
afterAll(() => rm(base, { recursive: true, force: true }))

function git(cwd: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org']
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  return execFileSync('git', [...identity, ...args], { cwd, env, encoding: 'utf8' }).trim()
}

async function repository(name: string, files: readonly string[], remote?: string): Promise<string> {
  const root = join(base, name)
  await mkdir(root)
  git(root, 'init', '--quiet', '--initial-branch=main')
  for (const file of files) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), file)
  }
  git(root, 'add', '--all')
  if (files.length > 0) git(root, 'commit', '--quiet', '--message=First')
  if (remote !== undefined) git(root, 'remote', 'add', 'origin', remote)
  return root
}

/** A directory for temporary files of its own, so that what is left over shows. */
async function temporary(name: string): Promise<string> {
  const path = join(base, name)
  await mkdir(path, { mode: 0o755 })
  return path
}

describe.concurrent('the demonstration', () => {
  test(
    'plays to its end on a small repository, and leaves nothing behind',
    async ({ expect }) => {
      const root = await repository('small', ['a.txt', 'b.txt'], 'https://ada:hunter2@git.example.org/acme/small.git')
      const TMPDIR = await temporary('tmp-small')
      const { exitCode, stdout, stderr } = await runScript(SCRIPT, ['--repo', root], { TMPDIR })
      expect(stderr).toBe('')
      expect(stdout).toMatch(/✗ SCOPE_CONFLICT: alpha \(Ada\) holds a\.txt; free: b\.txt/)
      expect(stdout).toMatch(/claim\.expired: a\.txt is free again/)
      expect(stdout).toMatch(/\nThe journal verifies: 19 events, head hash [0-9a-f]{64}\n$/)
      expect(stdout).not.toContain('hunter2')
      expect(stdout.split('\n').filter((line) => line.length > 100 && !line.startsWith('The journal'))).toEqual([])
      expect(exitCode).toBe(0)
      expect(await leftOf(TMPDIR)).toEqual([])
      expect(git(root, 'status', '--porcelain')).toBe('')
    },
    DEMO_TIMEOUT_MS,
  )

  test(
    'plays to its end on this repository',
    async ({ expect }) => {
      const { exitCode, stdout, stderr } = await runScript(SCRIPT, await thisRepository())
      expect(stderr).toBe('')
      expect(stdout).toMatch(/\nThe journal verifies: 19 events, head hash [0-9a-f]{64}\n$/)
      expect(exitCode).toBe(0)
    },
    DEMO_TIMEOUT_MS,
  )

  test.for(ENDS)(
    'is over $when, with its server stopped and its directory removed',
    { timeout: DEMO_TIMEOUT_MS },
    async ({ name, interrupt }, { expect }) => {
      const root = await repository(name, ['a.txt', 'b.txt'])
      const TMPDIR = await temporary(`tmp-${name}`)
      const command = ['--import', 'tsx', SCRIPT, '--repo', root]
      const child = spawn(process.execPath, command, { detached: true, env: { ...process.env, TMPDIR } })
      await untilPrinted(child, 'alpha falls silent')
      const [dataDir = ''] = await leftOf(TMPDIR)
      const postmaster = await postmasterOf(join(TMPDIR, dataDir))
      interrupt(child)
      await once(child, 'exit')
      expect(child.exitCode).toBe(1)
      expect(isAlive(postmaster)).toBe(false)
      expect(await leftOf(TMPDIR)).toEqual([])
    },
  )
})

describe('reading the repository', () => {
  test('a directory without a repository, an empty one and a bare one are refused with what to do', async () => {
    const plain = await temporary('plain')
    const empty = await repository('empty', [])
    const bare = await temporary('bare')
    git(bare, 'init', '--quiet', '--bare')
    expect(() => readRepository(plain)).toThrow(/not a git repository. Name one with --repo/)
    expect(() => readRepository(join(base, 'absent'))).toThrow(/not a git repository/)
    expect(() => readRepository(empty)).toThrow(/has no commit yet/)
    expect(() => readRepository(bare)).toThrow(/bare repository/)
  })

  test('the command says so in one line and ends with 2', async () => {
    const { exitCode, stderr } = await runScript(SCRIPT, ['--repo', join(base, 'nowhere')])
    expect(stderr).toBe(`${join(base, 'nowhere')} is not a git repository. Name one with --repo PATH.\n`)
    expect(exitCode).toBe(2)
  })

  test('what join_workspace needs comes from git, also from a subdirectory and with uncommitted changes', async () => {
    const root = await repository('facts', ['src/a.ts', 'src/b.ts'], 'git@github.com:acme/widgets.git')
    await writeFile(join(root, 'src/new.ts'), '')
    const { gitContext, files } = readRepository(join(root, 'src'))
    const head = git(root, 'rev-parse', 'HEAD')
    expect(gitContext).toMatchObject({
      remote: 'git@github.com:acme/widgets.git',
      branch: 'main',
      headSha: head,
      rootSha: head,
      dirty: true,
    })
    expect(files).toEqual(['src/a.ts', 'src/b.ts'])
  })

  test('a shallow clone does not pass its cut for the first commit, and needs a remote', async () => {
    const root = await repository('deep', ['a.txt', 'b.txt'])
    await writeFile(join(root, 'c.txt'), '')
    git(root, 'add', '--all')
    git(root, 'commit', '--quiet', '--message=Second')
    const shallow = join(base, 'shallow')
    git(base, 'clone', '--quiet', '--depth=1', `file://${root}`, shallow)
    expect(() => readRepository(shallow)).toThrow(/shallow clone without a remote/)
    git(shallow, 'remote', 'set-url', 'origin', 'https://github.com/acme/widgets.git')
    expect(readRepository(shallow).gitContext).not.toHaveProperty('rootSha')
  })
})

describe('choosing what the agents want', () => {
  test('the two fullest directories that do not overlap, hidden ones last', () => {
    const files = ['x/1', 'x/2', 'x/3', 'x/y/1', 'x/y/2', 'z/1', '.ci/1', '.ci/2', '.ci/3', '.ci/4', 'README.md']
    expect(chooseScopes(files)).toEqual({ first: 'x', shared: 'x/1', second: 'z' })
  })

  test('directories that differ in case only are one place', () => {
    expect(chooseScopes(['Lib/a', 'Lib/b', 'lib/c', 'notes'])).toMatchObject({ first: 'Lib', second: 'notes' })
  })

  test('single files where there are no two directories', () => {
    expect(chooseScopes(['src/a', 'src/b'])).toEqual({ first: 'src/a', shared: 'src/a', second: 'src/b' })
    expect(chooseScopes(['a', 'b'])).toEqual({ first: 'a', shared: 'a', second: 'b' })
  })

  test('names that the server would read as patterns or refuse are left alone', () => {
    const files = ['a*b', 'c\\d', 'e\u202ef', 'line\nbreak', 'a', 'b']
    expect(chooseScopes(files)).toEqual({ first: 'a', shared: 'a', second: 'b' })
    expect(() => chooseScopes(files.slice(0, 5))).toThrow(RepositoryError)
  })
})

/** Goes on reading: a demonstration that nobody reads is over. @throws when it ends without having printed that. */
function untilPrinted({ stdout, stderr }: Demonstration, text: string): Promise<void> {
  let output = ''
  stderr.on('data', (chunk) => (output += String(chunk)))
  return new Promise((resolve, reject) => {
    stdout.on('data', (chunk) => {
      output += String(chunk)
      if (output.includes(text)) resolve()
    })
    stdout.once('end', () => reject(new Error(`it did not print "${text}" but:\n${output}`)))
  })
}

/** No argument for this checkout; where it came without its history, as in an archive, a repository of its files. */
async function thisRepository(): Promise<string[]> {
  try {
    readRepository(PROJECT)
    return []
  } catch {
    const root = await repository('copy', [])
    for (const folder of ['src', 'test']) await cp(join(PROJECT, folder), join(root, folder), { recursive: true })
    git(root, 'add', '--all')
    git(root, 'commit', '--quiet', '--message=Copy')
    return ['--repo', root]
  }
}

/** The demonstration's own; tsx keeps its cache there as well. */
async function leftOf(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith('ork-'))
}

async function postmasterOf(dataDir: string): Promise<number> {
  return Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
}
