import { ACCOUNT_LOG, type ChainedEntry, type ExpectedChain, JOURNAL, verifyChain } from '../../src/journal/chain.ts'
import { NotAnEvent } from './exported.ts'

/** What a verification came to, in one line for people. */
export interface Judgement {
  readonly holds: boolean
  readonly line: string
}

/** What whoever verifies knows beforehand. */
export interface Expected {
  readonly workspace?: string | undefined
  readonly account?: string | undefined
  readonly head?: string | undefined
}

/**
 * Verifies a journal, or somebody's account log, from any source and names the first event that does not fit.
 *
 * @param expected.workspace whose journal it must be
 * @param expected.account whose account log it must be, by the person's userId
 * @param expected.head the head hash noted earlier, in hexadecimal: without it nobody can see that a tail is missing
 * @throws whatever the source throws, except NotAnEvent, which is a judgement
 */
export async function judgeJournal(events: AsyncIterable<ChainedEntry>, expected: Expected = {}): Promise<Judgement> {
  let read = 0
  async function* counted(): AsyncGenerator<ChainedEntry> {
    for await (const event of events) {
      yield event
      // The verifier asks for the next one only where this one held.
      read += 1
    }
  }
  try {
    const verdict = await verifyChain(counted(), chainIn(expected))
    if (!verdict.ok) return broken(verdict.events, `event ${verdict.seq} does not fit: ${verdict.reason}`)
    if (verdict.events === 0) return broken(0, 'there are no events; a chain has at least the one that opens it')
    if (expected.head !== undefined && expected.head.toLowerCase() !== verdict.hash) {
      return broken(verdict.events, `the head hash is ${verdict.hash}, not the expected one`)
    }
    return { holds: true, line: `${verdict.events} events, head hash ${verdict.hash}` }
  } catch (error) {
    if (error instanceof NotAnEvent) return broken(read, error.message)
    throw error
  }
}

function chainIn({ workspace, account }: Expected): ExpectedChain | undefined {
  if (workspace !== undefined) return { kind: JOURNAL, id: workspace }
  return account === undefined ? undefined : { kind: ACCOUNT_LOG, id: account }
}

function broken(holding: number, reason: string): Judgement {
  return { holds: false, line: `The chain does not verify: ${reason} (${holding} events before hold)` }
}
