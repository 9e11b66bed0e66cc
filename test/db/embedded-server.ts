/**
 * A server process reduced to its database, for the tests that kill it: argv[2] are the options as JSON, one line of
 * JSON on stdout says how it went, SIGTERM stops it properly.
 */
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../src/db/embedded/index.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const options: Omit<EmbeddedPostgresOptions, 'log'> = JSON.parse(process.argv[2] ?? '{}')
// The supervisor's own timers do not keep a process alive.
setInterval(() => undefined, 60_000)
try {
  const database = await startEmbeddedPostgres({ ...options, log: quiet })
  process.once('SIGTERM', () => void database.stop().then(() => process.exit(0)))
  const { connection, adopted, postmasterPid } = database
  process.stdout.write(`${JSON.stringify({ started: { connection, adopted, postmasterPid } })}\n`)
} catch (error) {
  const refused = error instanceof Error ? { name: error.name, message: error.message } : { name: '', message: '' }
  process.stdout.write(`${JSON.stringify({ refused })}\n`, () => process.exit(1))
}
