import type { Database } from './db/client.ts'
import { createReadiness, type Check, type Finding, type Readiness } from './http/readiness.ts'
import type { Journal } from './journal/journal.ts'

/** A second of every caller's time; beyond it something blocks the process. */
const SLOW_LOOP_SECONDS = 1

export interface HealthDeps {
  readonly database: Pick<Database, 'condition'>
  readonly journal: Pick<Journal, 'hearsItself'>
  /** The longest that the event loop was late lately, in seconds. */
  readonly eventLoopDelay: (() => number) | undefined
  readonly draining: () => boolean
}

/** What serving depends on, for `/readyz`. What it tells, anybody may read: no address, no name, no error's text. */
export function createHealth(deps: HealthDeps): () => Promise<Readiness> {
  const { database, journal, eventLoopDelay = () => 0, draining } = deps
  const checks: Check[] = [
    () => databaseAndSchema(database),
    () => ({ notifications: journal.hearsItself() ? OK : DEAF, eventLoop: eventLoop(eventLoopDelay()) }),
  ]
  return createReadiness({ checks, draining, nowMs: () => performance.now() })
}

const OK: Finding = { status: 'ok' }

const DEAF: Finding = {
  status: 'degraded',
  detail:
    'It does not hear the notifications of the database, so what happens on other replicas is pushed late. They need a ' +
    'direct connection, or a pooler in session mode.',
}

async function databaseAndSchema(database: Pick<Database, 'condition'>): Promise<Record<string, Finding>> {
  try {
    const { writable, schema } = await database.condition()
    return { database: writable ? OK : READ_ONLY, schema: SCHEMA[schema] }
  } catch {
    return { database: AWAY }
  }
}

const AWAY: Finding = { status: 'failed', detail: 'The database does not answer, or not in time. The log says why.' }
const READ_ONLY: Finding = {
  status: 'failed',
  detail: 'The database takes no writes: it is a standby, or set to read only.',
}

const SCHEMA = {
  current: OK,
  newer: { status: 'ok', detail: 'A newer version has migrated the database; this one can go on beside it.' },
  behind: {
    status: 'failed',
    detail: 'The database lacks migrations of this version: an older backup was restored. Start the server again.',
  },
  'too new': {
    status: 'failed',
    detail: 'A newer version has migrated the database, and this one does not understand it any more. Stop it.',
  },
} as const satisfies Record<Awaited<ReturnType<Database['condition']>>['schema'], Finding>

function eventLoop(delaySeconds: number): Finding {
  if (delaySeconds < SLOW_LOOP_SECONDS) return OK
  return { status: 'degraded', detail: `The process did not answer for ${delaySeconds.toFixed(1)} s at a time.` }
}
