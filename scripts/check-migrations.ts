/**
 * `npm run db:check`: fails when the tables in the code are not what migrations/ builds, and when a migration does what
 * servers of the version before cannot serve beside (scripts/migrations/dangers.ts). Generates into a copy, so that nothing
 * of the checkout changes; prints the SQL that is missing.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { knownMigrations } from '../src/db/schema-state.ts'
import { dangersOf } from './migrations/dangers.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Those before ran when there was no version before to serve beside. */
const FIRST_HELD = '0005'

function checkDangers(): number {
  const found = knownMigrations()
    .filter(({ name }) => name >= FIRST_HELD)
    .flatMap(({ name }) =>
      dangersOf(readFileSync(join(root, 'migrations', `${name}.sql`), 'utf8')).map((danger) => `${name}: ${danger}`),
    )
  for (const danger of found) console.error(danger)
  if (found.length > 0) console.error('\nMend it, or say before the statement why it is safe: `-- safe: <reason>`')
  return found.length === 0 ? 0 : 1
}

function checkTables(): number {
  // Inside the checkout, because drizzle-kit takes `out` as relative to where it runs.
  const copy = mkdtempSync(join(root, '.migrations-check-'))
  try {
    cpSync(join(root, 'migrations'), copy, { recursive: true })
    const known = new Set(readdirSync(copy))
    const out = relative(root, copy)
    const options = ['--dialect', 'postgresql', '--schema', './src/db/schema.ts', '--out', out]
    const { stdout, stderr } = spawnSync('npx', ['--no-install', 'drizzle-kit', 'generate', ...options], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    // Its word for it, and not its exit code: that is 0 too when it wants to ask whether a column was renamed.
    if (stdout.includes('No schema changes')) {
      console.log('migrations/ is up to date with src/db/schema.ts')
      return 0
    }
    const missing = readdirSync(copy).filter((file) => file.endsWith('.sql') && !known.has(file))
    if (missing.length === 0) console.error(`drizzle-kit generate gave no answer:\n${stdout}${stderr}`)
    for (const file of missing) {
      console.error(`migrations/ lacks this; run \`npm run db:generate\`:\n\n${readFileSync(join(copy, file), 'utf8')}`)
    }
    return 1
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

process.exitCode = Math.max(checkDangers(), checkTables())
