import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import type { App } from '../../src/app.ts'
import type { ConnectionTarget } from '../../src/db/client.ts'
import type { Pace } from '../../src/kernel/limits.ts'
import type { Log } from '../../src/kernel/log.ts'

/** What a target is told in its environment: the database, and what it needs of the rest. */
export const told = JSON.parse(process.env['BENCH'] ?? '{}') as {
  readonly target: ConnectionTarget
  readonly token: string
  /** How many tools, and whether who calls is found out. */
  readonly tools: number
  readonly auth: 'bearer' | 'none'
  readonly pace?: Partial<Pace>
}

const quiet = () => undefined
export const log: Log = { debug: quiet, info: quiet, warn: console.warn, error: console.error }

/** Listens as main.ts does, and ends on SIGTERM with `close`. */
export function serve(
  { fetch }: Pick<Hono, 'fetch'> | Pick<App, 'fetch'>,
  close: () => Promise<void> = async () => undefined,
): void {
  const server = createAdaptorServer({ fetch, serverOptions: { keepAliveTimeout: 65_000 } })
  server.listen(Number(process.env['PORT']), '127.0.0.1')
  process.on('SIGTERM', () => {
    server.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  })
}
