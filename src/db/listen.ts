import type { Database } from './client.ts'

/** A channel of LISTEN and NOTIFY. What is told is a hint: it can be lost, and nothing may depend on it. */
export interface Channel {
  /** Starts to listen, and does so again by itself whenever the connection is lost. */
  listen(): void
  /** Tells every listener on the database, oneself included, in one statement. Rejects when it cannot. */
  notify(payloads: readonly string[]): Promise<void>
  /** False once what it told itself did not come back in time, until something is heard again. */
  hearsItself(): boolean
  close(): Promise<void>
}

/** What is told comes back within milliseconds; after this it is lost. */
const ECHO_MS = 5_000

/**
 * Two connections beside the pool, each opened when first needed: one hears, one tells. Telling commits without waiting
 * for the disk: NOTIFY holds a lock of the whole database until its commit is done.
 *
 * @param on.heard a payload was told, by anybody
 * @param on.listening from now on everything is heard; what was told before may have been missed
 */
export function openChannel(
  database: Database,
  name: string,
  on: { heard: (payload: string) => void; listening: () => void },
): Channel {
  const sql = database.dedicated({ synchronous_commit: 'off' })
  let listening = false
  let deaf = false
  let echo: NodeJS.Timeout | undefined

  function heard(payload: string): void {
    clearTimeout(echo)
    echo = undefined
    deaf = false
    on.heard(payload)
  }

  return {
    listen() {
      listening = true
      // The driver keeps trying by itself, also after a first attempt that failed.
      sql.listen(name, heard, on.listening).catch(() => undefined)
    },
    async notify(payloads) {
      const list = JSON.stringify(payloads)
      await sql`select pg_notify(${name}, payload) from json_array_elements_text(${list}::text::json) as payload`
      if (listening) echo ??= setTimeout(() => (deaf = true), ECHO_MS).unref()
    },
    hearsItself: () => !deaf,
    async close() {
      clearTimeout(echo)
      await sql.end({ timeout: 1 })
    },
  }
}
