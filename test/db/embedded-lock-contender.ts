/** Tries for the lock of each directory in argv when told to, at the same moment as others; holds what it wins. */
import { createInterface } from 'node:readline'
import { acquireDataDirectory, DataDirectoryInUse } from '../../src/db/embedded/index.ts'

const say = (text: string): boolean => process.stdout.write(`${text}\n`)
const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
say('waiting')
for (const dataDir of process.argv.slice(2)) {
  await orders.next()
  try {
    await acquireDataDirectory(dataDir)
    say('won')
  } catch (error) {
    say(error instanceof DataDirectoryInUse ? 'refused' : String(error))
  }
}
// Stays, for a lock lives as long as its holder, until it is told that there is nothing more to come.
await orders.next()
