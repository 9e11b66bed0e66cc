/**
 * `npm run db:check`: fails when the tables in the code are not what migrations/ builds. Generates into a copy, so that
 * nothing of the checkout changes; prints the SQL that is missing.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

function main(): number {
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

process.exitCode = main()
