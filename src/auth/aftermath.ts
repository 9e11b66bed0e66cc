import type { Database } from '../db/client.ts'
import type { Log } from '../kernel/log.ts'
import { ANYBODY, entry, type NewEntry, person } from '../modules/audit/entry.ts'
import { record } from '../modules/audit/store.ts'
import { userWithEmail } from './accounts.ts'
import { AUTH_LIMITS } from './limits.ts'

/**
 * What goes into account logs after the answer: failed sign-ins, because what is done before it must be the same whether
 * or not there is such an account, and refusals, whose own transaction was rolled back. What waits here when a process is
 * killed is lost; a process that ends in order writes it first.
 */
export interface Aftermath {
  /** Somebody did not know the password of this address, which perhaps is nobody's. Normalised. */
  signInFailed(email: string, address: string): void
  /** Somebody with a person's session did not know that person's password. */
  passwordNotKnown(userId: string, address: string): void
  /** Something was refused. */
  refused(refusal: NewEntry): void
  /** Writes what waits. */
  settle(): Promise<void>
}

type Job = () => Promise<void>

export function createAftermath(database: Database, log: Log): Aftermath {
  const waiting: Job[] = []
  let timer: NodeJS.Timeout | undefined
  let working: Promise<void> = Promise.resolve()

  /** One at a time: nobody waits for it, and it must not keep connections from those who do. */
  async function work(): Promise<void> {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      await job().catch((err: unknown) => log.warn({ err }, 'an entry of an account log could not be written'))
    }
  }

  function settle(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    working = working.then(work)
    return working
  }

  function later(job: Job): void {
    if (waiting.length >= AUTH_LIMITS.aftermathWaiting) {
      log.warn(
        { waiting: waiting.length },
        'too much waits to be put on record: an entry of an account log is left out',
      )
      return
    }
    waiting.push(job)
    timer ??= setTimeout(() => void settle(), AUTH_LIMITS.aftermathDelayMs).unref()
  }

  const write = (made: NewEntry) => later(() => database.transaction((tx) => record(tx, [made])))

  return {
    signInFailed: (email, address) =>
      later(() =>
        database.transaction(async (tx) => {
          const userId = await userWithEmail(tx, email)
          if (userId !== null)
            await record(tx, [entry(userId, 'sign_in.failed', { way: 'password', address }, ANYBODY)])
        }),
      ),
    passwordNotKnown: (userId, address) =>
      write(entry(userId, 'sign_in.failed', { way: 'current_password', address }, person(userId))),
    refused: write,
    settle,
  }
}
