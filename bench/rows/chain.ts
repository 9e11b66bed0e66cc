import { createHash } from 'node:crypto'
import { eventHash, genesisHash, verifyChain } from '../../src/journal/chain.ts'
import type { ExportedEvent } from '../../src/journal/event.ts'
import { canonicalJson } from '../../src/kernel/canonical.ts'
import { newId } from '../../src/kernel/ids.ts'
import { per, shown, type Family, type Row } from '../support/row.ts'
import { alternate, compare, median } from '../support/statistics.ts'

/** A journal as teams write it: after its first event one claim of three paths after the other. */
function journalOf(count: number): ExportedEvent[] {
  const workspaceId = newId('ws')
  const actor = { kind: 'agent', userId: newId('usr'), sessionId: newId('ses'), agentId: 'claude-code-a2b3' } as const
  let previous: Uint8Array = genesisHash(workspaceId)
  return Array.from({ length: count }, (_, index) => {
    const [seq, at] = [index + 1, new Date(1_700_000_000_000 + index * 1_000).toISOString()]
    const paths = [`src/widgets/table-${index}.ts`, 'docs/widgets.md', `test/widgets/${index}`]
    const lease = { mode: 'exclusive', fence: seq, ttlSeconds: 900, expiresAt: at, reason: 'a field more' }
    const claim = {
      claimId: newId('clm'),
      sessionId: actor.sessionId,
      agentId: actor.agentId,
      repoId: 'rep_bench',
      paths,
      ...lease,
    }
    const event =
      index === 0
        ? { seq, type: 'workspace.created', at, actor, payload: { workspaceId, name: 'bench' } }
        : { seq, type: 'claim.acquired', at, actor, payload: claim }
    const hash = eventHash(previous, event)
    previous = hash
    return { ...event, hash: hash.toString('hex') }
  })
}

export const chain: Family = {
  name: 'chain',
  what: 'The hash chain',
  async run(bench) {
    const { chainEvents, repeats } = bench.scale
    const events = journalOf(chainEvents)
    const bodies = events.map(({ hash: _hash, ...event }) => canonicalJson({ ...event, actor: { ...event.actor } }))
    const secondsPerMillion = async (work: () => Promise<unknown>) => {
      const started = performance.now()
      await work()
      return ((performance.now() - started) / 1_000 / chainEvents) * 1_000_000
    }
    const measured = await alternate(repeats, {
      subject: () =>
        secondsPerMillion(async () => {
          const verdict = await verifyChain(events)
          if (!verdict.ok || verdict.events !== chainEvents) throw new Error('the chain does not verify')
        }),
      // The same bytes, hashed and nothing else: no verifier is faster.
      reference: () =>
        secondsPerMillion(async () => {
          let previous: Buffer = Buffer.alloc(32)
          for (const body of bodies) previous = createHash('sha256').update(previous).update(body).digest()
        }),
    })
    const same = (value: number) => value
    const row: Row = {
      what: 'verifying a million events',
      subject: per(median(measured.subject), 's'),
      reference: `SHA-256 of the same bytes alone: ${per(median(measured.reference), 's')}`,
      ratio: compare(measured, same, same),
      goal: null,
      notes: [`measured on ${shown(chainEvents)} claims of three paths, in memory; the rest is canonical JSON`],
    }
    return { rows: [row] }
  },
}
