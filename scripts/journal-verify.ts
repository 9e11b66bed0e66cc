/**
 * Verifies the hash chain of a workspace's journal or of a person's account log, from an export or from a running server:
 *
 *     npm run journal:verify -- --file export.ndjson [--workspace ID | --account ID] [--head HASH]
 *     ORKESTRATE_TOKEN=… npm run journal:verify -- --url http://localhost:7300 (--workspace ID | --account ID) [--head HASH]
 *
 * Ends with 0 when the chain holds; with 1 when it does not, naming the first event that does not fit; with 2 when it
 * could not be checked. `--head` is a head hash noted earlier: without one, nobody can see that a tail is missing.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import type { ChainedEntry } from '../src/journal/chain.ts'
import { readExport } from './journal/exported.ts'
import { judgeJournal } from './journal/judge.ts'
import { readRemoteJournal } from './journal/remote.ts'

const USAGE = `usage: npm run journal:verify -- --file export.ndjson [--workspace ID | --account ID] [--head HASH]
       npm run journal:verify -- --url http://host:port (--workspace ID | --account ID) [--token T] [--head HASH]

--workspace and --account say whose journal, or whose account log (a userId), it must be.
The token is better given as ORKESTRATE_TOKEN: arguments show in the list of processes.`

class UsageError extends Error {}

function options() {
  try {
    const text = { type: 'string' } as const
    return parseArgs({ options: { file: text, url: text, workspace: text, account: text, token: text, head: text } })
      .values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function source({ file, url, workspace, account, token }: ReturnType<typeof options>): AsyncIterable<ChainedEntry> {
  if ((file === undefined) === (url === undefined)) throw new UsageError('Give either --file or --url.')
  if (workspace !== undefined && account !== undefined) throw new UsageError('Give --workspace or --account, not both.')
  if (file !== undefined) return readExport(createInterface({ input: createReadStream(file), crlfDelay: Infinity }))
  const secret = token ?? process.env['ORKESTRATE_TOKEN'] ?? ''
  if (url === undefined || !URL.canParse(url)) throw new UsageError('--url must be an address like http://host:port.')
  if (workspace === undefined && account === undefined) throw new UsageError('--url needs --workspace or --account.')
  if (secret === '') throw new UsageError('--url needs an access token: ORKESTRATE_TOKEN or --token.')
  return readRemoteJournal({ url, workspaceId: workspace, token: secret })
}

try {
  const given = options()
  const { holds, line } = await judgeJournal(source(given), given)
  if (holds) console.log(line)
  else console.error(line)
  process.exitCode = holds ? 0 : 1
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  console.error(error instanceof UsageError ? `${message}\n\n${USAGE}` : `The chain could not be checked: ${message}`)
  process.exitCode = 2
}
