/**
 * `npm run image:check`: builds what the Dockerfile builds, without an engine, and runs it.
 *
 * Every stage becomes a temporary directory in which its COPY and `RUN npm` lines are carried out, so a file that the
 * image forgets is missing here too. Then: start as a user who is not root, with an embedded PostgreSQL; ready; the
 * HEALTHCHECK's own command; SIGTERM; exit code 0.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join, posix } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** How long the server may take to be ready, first initdb included, on a busy machine. */
const READY_MS = 120_000
/** Debian's nobody: the image's user exists in the image only. */
const NOBODY = 65_534

interface Instruction {
  readonly keyword: string
  readonly rest: string
}

/** The instructions in order, continued lines joined, comments dropped. */
function parseDockerfile(text: string): Instruction[] {
  const lines = text.replace(/^\s*#.*\n/gmu, '').replace(/\\\n\s*/gu, '')
  return [...lines.matchAll(/^([A-Z]+)\s+(.+)$/gmu)].map((m) => ({ keyword: m[1] ?? '', rest: (m[2] ?? '').trim() }))
}

interface Image {
  /** The final stage's WORKDIR. */
  readonly directory: string
  readonly env: Record<string, string>
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
}

function build(instructions: readonly Instruction[], scratch: string, context: ReadonlySet<string>): Image {
  const stages = new Map<string, string>()
  let stage = ''
  let workdir = ''
  const image = { directory: '', env: {} as Record<string, string>, command: [''], healthcheck: [''] }
  for (const { keyword, rest } of instructions) {
    if (keyword === 'FROM') {
      const name = / AS (\w+)$/iu.exec(rest)?.[1] ?? 'final'
      stage = join(scratch, name)
      stages.set(name, stage)
      Object.assign(image, { env: {}, command: [''], healthcheck: [''] })
    } else if (keyword === 'WORKDIR') {
      workdir = join(stage, rest)
      mkdirSync(workdir, { recursive: true })
    } else if (keyword === 'COPY') copy(rest, workdir, (name) => stages.get(name), context)
    else if (keyword === 'RUN' && rest.startsWith('npm ')) {
      console.log(`${basename(stage)}: ${rest}`)
      execFileSync('sh', ['-c', rest], { cwd: workdir, stdio: 'inherit' })
    } else if (keyword === 'ENV') {
      for (const [, name, value] of rest.matchAll(/(\w+)=(\S+)/gu)) image.env[name ?? ''] = value ?? ''
    } else if (keyword === 'CMD') image.command = JSON.parse(rest)
    else if (keyword === 'HEALTHCHECK') image.healthcheck = JSON.parse(rest.slice(rest.indexOf('CMD') + 3))
    image.directory = workdir
  }
  return image
}

function copy(
  rest: string,
  workdir: string,
  stageOf: (name: string) => string | undefined,
  context: ReadonlySet<string>,
) {
  const words = rest.split(/\s+/u)
  const from = /^--from=(\w+)$/u.exec(words[0] ?? '')?.[1]
  const sources = words.slice(from === undefined ? 0 : 1, -1)
  const target = join(workdir, words.at(-1) ?? '')
  for (const source of sources) {
    const base = from === undefined ? root : (stageOf(from) ?? '')
    if (from === undefined && !context.has(source)) throw new Error(`.dockerignore leaves out ${source}`)
    const into = (words.at(-1) ?? '').endsWith('/') ? join(target, posix.basename(source)) : target
    cpSync(join(base, source), into, { recursive: true, verbatimSymlinks: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise((resolve) => {
    server.close(resolve)
  })
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function run(image: Image, dataDir: string): Promise<void> {
  const port = await freePort()
  const { PATH = '' } = process.env
  const env = { PATH, ...image.env, PORT: String(port), DATA_DIR: dataDir, LOG_LEVEL: 'warn' }
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const [program = '', ...args] = image.command
  const server = spawn(program, args, { cwd: image.directory, env, stdio: 'inherit', ...user })
  const exit = new Promise<number | null>((resolve) => {
    server.once('exit', resolve)
  })
  try {
    await ready(server, `http://127.0.0.1:${port}`)
    const [check = '', ...checkArgs] = image.healthcheck
    execFileSync(check, checkArgs, { env, cwd: image.directory, stdio: 'inherit' })
    const page = await fetch(`http://127.0.0.1:${port}/`)
    if (!page.ok) throw new Error(`GET / answers ${page.status}`)
    server.kill('SIGTERM')
    const code = await exit
    if (code !== 0) throw new Error(`the server ended with ${code} after SIGTERM`)
  } finally {
    server.kill('SIGKILL')
  }
}

async function ready(server: ChildProcess, url: string): Promise<void> {
  const giveUpAt = Date.now() + READY_MS
  while (Date.now() < giveUpAt) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode} before it was ready`)
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    if (answer?.ok === true) return
    await delay(100)
  }
  throw new Error('the server was not ready in time')
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'ork-image-'))
  const dataDir = join(scratch, 'data')
  try {
    chmodSync(scratch, 0o755)
    const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
    const context = new Set(lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1)))
    const image = build(parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8')), scratch, context)
    mkdirSync(dataDir, { mode: 0o700 })
    if (process.getuid?.() === 0) chownSync(dataDir, NOBODY, NOBODY)
    await run(image, dataDir)
    console.log('the image starts, is ready, is healthy, and stops')
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

await main()
