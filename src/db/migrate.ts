import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as drizzleMigrate } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import type { ConnectionTarget } from './client.ts'

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url))

/** 'orkestra' as a 64-bit number: any constant will do, as long as every version of this program uses the same. */
const LOCK_KEY = '8030606865440305761'

/**
 * Brings the schema up to date. Several servers may call this at once: an advisory lock lets one work while the others
 * wait and then find nothing to do (three unlocked drizzle migrators at once crash on Postgres's own catalog).
 */
export async function migrate(target: ConnectionTarget): Promise<void> {
  const options = { max: 1, onnotice: () => undefined, connect_timeout: 5 }
  const sql = 'url' in target ? postgres(target.url, options) : postgres({ ...target, ...options })
  try {
    await sql`select pg_advisory_lock(${LOCK_KEY}::bigint)`
    await drizzleMigrate(drizzle(sql), { migrationsFolder: MIGRATIONS_FOLDER })
  } finally {
    // Ending the session also ends the lock, whatever happened above.
    await sql.end({ timeout: 5 })
  }
}
