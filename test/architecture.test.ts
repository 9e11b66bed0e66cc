import { readFileSync, readdirSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { modules } from '../src/modules/index.ts'

// Who may import whom (docs/architecture.md, "Folders"). The rules are the two tables below; the tests only read them.

/** One area of src. `area/` names a folder with everything below it, other names are files. */
interface Rule {
  /** Areas of ours that its files may import; the area itself is always allowed. */
  readonly ours: readonly string[]
  /** Areas of which it may import types only: nothing of them runs because of it. */
  readonly types?: readonly string[]
  /** Packages, by name; everything below a name is allowed with it. `node:` modules are allowed everywhere. */
  readonly packages: readonly string[]
  /** Packages of which it may import types only. */
  readonly packageTypes?: readonly string[]
}

const ORDER = modules.map((module) => `modules/${module.name}/`)

/** What every module shares: the call, the shape of a module, and the fields of schemas. */
const SHARED = ['modules/call.ts', 'modules/module.ts', 'modules/fields.ts', 'modules/office.ts']

/** SQL is written in these files of a module and nowhere else in it. */
const isModuleSql = (file: string): boolean => /^modules\/[^/]+\/(schema|(?:[a-z-]+-)?store)\.ts$/u.test(file)

const RULES: Readonly<Record<string, Rule>> = {
  'kernel/': { ours: [], packages: ['@opentelemetry/api', 'zod', 'uuidv7', 'canonicalize', '@oslojs/encoding'] },
  'config.ts': { ours: ['kernel/'], packages: ['zod'] },
  'secret-key.ts': { ours: [], packages: [] },
  'logging.ts': { ours: ['kernel/'], packages: ['pino'] },
  // The list of all tables, read by drizzle-kit alone; nothing in src imports it.
  'db/schema.ts': { ours: ['journal/schema.ts', 'auth/schema.ts', 'rates/schema.ts', ...ORDER], packages: [] },
  'db/': { ours: ['kernel/'], packages: ['drizzle-orm', 'postgres', 'zod'] },
  'journal/': { ours: ['kernel/', 'db/'], packages: ['drizzle-orm'] },
  // Shared by all modules, so it may name their types, and run nothing of them.
  'modules/call.ts': {
    ours: ['kernel/', 'journal/'],
    types: ['db/', 'modules/confirmation.ts', ...ORDER],
    packages: [],
    packageTypes: ['zod'],
  },
  'modules/module.ts': {
    ours: ['kernel/', 'journal/', 'modules/call.ts'],
    types: ['db/', 'modules/office.ts', ...ORDER],
    packages: [],
  },
  // How operations are made: it names the types of what they work with, and runs nothing of it.
  'modules/office.ts': {
    ours: ['kernel/'],
    types: ['db/', 'journal/', ...ORDER],
    packages: ['zod'],
  },
  'modules/fields.ts': { ours: ['kernel/'], packages: ['zod'] },
  ...Object.fromEntries(ORDER.map((area, position) => [area, moduleRule(ORDER.slice(0, position))])),
  // The modules put together: the only files that know all of them.
  'modules/': { ours: ['kernel/', 'db/', 'journal/', ...SHARED, ...ORDER], packages: [] },
  'web/': { ours: ['kernel/'], packages: ['hono'] },
  'auth/': {
    ours: ['kernel/', 'db/', 'modules/audit/', 'modules/tenancy/', 'modules/office.ts', 'modules/fields.ts', 'web/'],
    types: ['config.ts'],
    packages: [
      'hono',
      'zod',
      'drizzle-orm',
      'jose',
      'openid-client',
      '@node-rs/argon2',
      '@oslojs/encoding',
      'ipaddr.js',
    ],
  },
  'observe/': {
    ours: ['kernel/'],
    // Optional dependencies, loaded where traces are wanted.
    packages: [
      '@opentelemetry/sdk-trace-node',
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/resources',
      '@opentelemetry/core',
    ],
  },
  'rates/': { ours: ['kernel/', 'db/'], packages: ['drizzle-orm'] },
  'mcp/': { ours: ['kernel/'], packages: ['zod', '@modelcontextprotocol/server'] },
  'http/': { ours: ['kernel/'], packages: ['hono', 'zod'] },
  'maintenance/': { ours: ['kernel/', 'db/', 'journal/'], packages: ['drizzle-orm'] },
  'admission.ts': { ours: ['kernel/', 'auth/', 'modules/audit/'], types: ['config.ts', 'http/'], packages: [] },
  'after-restore.ts': { ours: ['kernel/', 'db/', 'journal/', 'modules/'], packages: [] },
  'health.ts': { ours: ['http/'], types: ['db/', 'journal/'], packages: [] },
  'revocations.ts': { ours: ['kernel/', 'db/'], packages: [] },
  'app.ts': {
    ours: [
      'health.ts',
      'admission.ts',
      'node-fetch.ts',
      'revocations.ts',
      'kernel/',
      'db/',
      'journal/',
      'modules/',
      'modules/office.ts',
      ...ORDER,
      'auth/',
      'mcp/',
      'http/',
      'observe/',
      'rates/',
      'web/',
    ],
    types: ['config.ts'],
    packages: ['hono'],
  },
  'node-fetch.ts': { ours: ['http/'], packages: ['hono', '@hono/node-server'] },
  'main.ts': {
    ours: [
      'after-restore.ts',
      'kernel/',
      'db/',
      'maintenance/',
      'observe/',
      'web/',
      'app.ts',
      'config.ts',
      'logging.ts',
      'secret-key.ts',
    ],
    packages: ['@hono/node-server'],
  },
}

function moduleRule(earlier: readonly string[]): Rule {
  return {
    ours: ['kernel/', 'db/', 'journal/', ...SHARED, ...earlier],
    packages: ['zod', 'drizzle-orm', '@oslojs/encoding'],
  }
}

const SRC = fileURLToPath(new URL('../src', import.meta.url))

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => /\.tsx?$/u.test(file))
  .sort()

interface Import {
  readonly file: string
  /** As written: `./x.ts`, `node:fs`, `zod`. */
  readonly specifier: string
  readonly typeOnly: boolean
}

const sourceOf = (file: string): string => readFileSync(join(SRC, file), 'utf8')

/** Static imports and re-exports, side-effect imports, `import('…')` as an expression and as a type. */
function importsOf(file: string, source: string): Import[] {
  const statements = [...source.matchAll(/^(?:import|export)\s+(type\s+)?[^'"`;=]*?\bfrom\s+'([^']+)'/gmu)]
  const bare = [...source.matchAll(/^import\s+'([^']+)'/gmu)]
  const dynamic = [...source.matchAll(/\bimport\(\s*([^)]*?)\s*\)/gu)]
  return [
    ...statements.map((m) => ({ file, specifier: m[2] ?? '', typeOnly: m[1] !== undefined })),
    ...bare.map((m) => ({ file, specifier: m[1] ?? '', typeOnly: false })),
    // A computed name cannot be checked, so it matches no rule.
    ...dynamic.map((m) => ({ file, specifier: /^'([^']+)'$/u.exec(m[1] ?? '')?.[1] ?? m[0], typeOnly: false })),
  ]
}

const imports = files.flatMap((file) => importsOf(file, sourceOf(file)))

/** The area of a file: the longest name in RULES that covers it. */
function areaOf(file: string): string | undefined {
  return Object.keys(RULES)
    .filter((area) => covers(area, file))
    .toSorted((a, b) => b.length - a.length)[0]
}

function covers(area: string, file: string): boolean {
  return area.endsWith('/') ? file.startsWith(area) : file === area
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** What is wrong with an import, or null. */
function fault({ file, specifier, typeOnly }: Import): string | null {
  const area = areaOf(file)
  const rule = area === undefined ? undefined : RULES[area]
  if (rule === undefined) return `${file} is in no area: give it a line in RULES of test/architecture.test.ts`
  if (specifier.startsWith('node:')) return null
  const told = `${file} imports ${specifier}${typeOnly ? ' (types only)' : ''}`
  if (!specifier.startsWith('.')) {
    const name = packageOf(specifier)
    const known = rule.packages.includes(name) || (typeOnly && (rule.packageTypes ?? []).includes(name))
    if (!known) return `${told}: ${area} may import the packages [${rule.packages.join(', ')}]`
    const sql = name === 'drizzle-orm' && ORDER.some((module) => covers(module, file))
    return sql && !isModuleSql(file) ? `${told}: in a module SQL is in schema.ts and store.ts only` : null
  }
  const target = posix.join(posix.dirname(file), specifier)
  const targetArea = areaOf(target)
  if (targetArea === area) return null
  // A folder's rule is its own: `modules/` does not stand for `modules/claim/`, but a file may be named by itself.
  const may = (names: readonly string[]) => names.some((name) => name === targetArea || name === target)
  if (may(rule.ours) || (typeOnly && may(rule.types ?? []))) return null
  const types = rule.types === undefined ? '' : `, and types of [${rule.types.join(', ')}]`
  return `${told}: ${area} may import [${rule.ours.join(', ')}]${types}`
}

test('imports point one way: kernel ← db ← journal ← modules ← auth, mcp, http, web ← app', () => {
  expect(imports.map(fault).filter((found) => found !== null)).toEqual([])
})

test.each([
  ['kernel/errors.ts', '../db/client.ts', false],
  ['kernel/errors.ts', 'hono', false],
  ['db/client.ts', '../journal/journal.ts', false],
  ['journal/journal.ts', '../modules/claim/claim.ts', true],
  ['modules/session/tools.ts', '../claim/claim.ts', true],
  ['modules/claim/tools.ts', '../conduct.ts', false],
  ['modules/claim/tools.ts', 'drizzle-orm', false],
  ['modules/claim/tools.ts', 'hono', false],
  ['modules/call.ts', './claim/claim.ts', false],
  ['mcp/handler.ts', '../modules/index.ts', false],
  ['http/rest.ts', '../db/client.ts', true],
  ['http/rest.ts', '@modelcontextprotocol/server', false],
  ['auth/index.ts', '../modules/claim/claim.ts', false],
  ['auth/index.ts', '../config.ts', false],
  ['app.ts', './maintenance/sweeper.ts', false],
  ['db/client.ts', './schema.ts', false],
  ['unheard-of/file.ts', 'zod', false],
])('refused: %s importing %s', (file, specifier, typeOnly) => {
  expect(fault({ file, specifier, typeOnly })).toContain(file)
})

test('every form of import is seen', () => {
  const source = [
    `import { a } from './a.ts'`,
    `import {\n  b,\n  type C,\n} from './b.ts'`,
    `import type { D } from './d.ts'`,
    `export { e } from './e.ts'`,
    `export type { F } from './f.ts'`,
    `export * from './g.ts'`,
    `import './h.ts'`,
    `const i = await import('./i.ts')`,
    `type J = import('./j.ts').J`,
    `import k from './k.json' with { type: 'json' }`,
    `// import { l } from './l.ts'`,
    `const m = await import(name)`,
  ].join('\n')
  expect(importsOf('x.ts', source).map(({ specifier, typeOnly }) => `${typeOnly ? 'type ' : ''}${specifier}`)).toEqual([
    './a.ts',
    './b.ts',
    'type ./d.ts',
    './e.ts',
    'type ./f.ts',
    './g.ts',
    './k.json',
    './h.ts',
    './i.ts',
    './j.ts',
    'import(name)',
  ])
})

test('every module folder is in the list of modules, and every area exists', () => {
  const folders = readdirSync(join(SRC, 'modules'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(folders.map(({ name }) => name).toSorted()).toEqual(modules.map((module) => module.name).toSorted())
  expect(Object.keys(RULES).filter((area) => !files.some((file) => covers(area, file)))).toEqual([])
})

test('each module says in the prose that opens its index.ts what it is for', () => {
  for (const { name } of modules) expect(sourceOf(`modules/${name}/index.ts`)).toMatch(/^\/\*\*\n \* [A-Z]/u)
})

test('time is the database’s: no decision reads another clock', () => {
  const clock = /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bnow\(\)/u
  const withoutComments = (source: string) => source.replace(/^\s*(?:\/?\*|\/\/).*$/gmu, '')
  const decides = files.filter((file) => /^(?:kernel|journal|modules)\//u.test(file))
  expect(decides.filter((file) => clock.test(withoutComments(sourceOf(file))))).toEqual([])
})

test('tenants’ tables are reached in a scope: handles without one are for those alone who know people', () => {
  const named = (file: string, from: RegExp) =>
    [...sourceOf(file).matchAll(/^import (?:type )?\{([^}]*)\} from '([^']+)'/gmu)].flatMap(
      ([, names = '', specifier = '']) =>
        from.test(specifier) ? names.split(',').map((name) => name.replace(/^\s*type\s|\s/gu, '')) : [],
    )
  const inModules = files.filter((file) => /^(?:journal|modules)\//u.test(file))
  const withoutScope = inModules.filter((file) =>
    named(file, /db\/client\.ts$/u).some((name) => /^(?:Orm|Tx)$/u.test(name)),
  )
  expect(withoutScope).toEqual([
    // In the transaction of whatever it tells of; row-level security holds it to those whom it names.
    'modules/audit/store.ts',
    // What operations of a person, outside of any workspace, work with.
    'modules/office.ts',
    'modules/repeat/store.ts',
    'modules/tenancy/invite-store.ts',
    'modules/tenancy/store.ts',
    'modules/tenancy/users.ts',
  ])
  const inAuth = files.filter((file) => file.startsWith('auth/'))
  expect([...new Set(inAuth.flatMap((file) => named(file, /tenancy\/schema\.ts$/u)))]).toEqual(['users'])
})

test('the run-time dependencies are what src imports, and what `npm start` runs it with', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    dependencies: Record<string, string>
    optionalDependencies: Record<string, string>
  }
  const imported = imports
    .filter(({ specifier, typeOnly }) => !typeOnly && !/^(?:\.|node:)/u.test(specifier))
    .map(({ specifier }) => packageOf(specifier))
    .filter((name) => manifest.optionalDependencies[name] === undefined)
  expect(Object.keys(manifest.dependencies).toSorted()).toEqual(
    [...new Set([...imported, 'esbuild', 'tsx'])].toSorted(),
  )
})
