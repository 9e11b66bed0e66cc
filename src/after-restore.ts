import { connect, type ConnectionTarget } from './db/client.ts'
import { createJournal } from './journal/journal.ts'
import type { Log } from './kernel/log.ts'
import { eventTypes, expire } from './modules/index.ts'
import { afterRestore, type RestoredCounts } from './modules/restored.ts'

/** `npm run restored`: what has to be done with a database that came back from a backup, before a server uses it. */
export async function runAfterRestore(target: ConnectionTarget, log: Log): Promise<RestoredCounts> {
  const database = connect(target)
  const journal = createJournal({ database, eventTypes, expire, log })
  try {
    return await afterRestore({ journal })
  } finally {
    await journal.close()
    await database.close()
  }
}
