import { createHash } from 'node:crypto'
import type { ExportedEvent } from '../../src/journal/event.ts'
import type { Window } from './history.ts'

/** Acknowledged changes that the journal does not have, one sentence each. */
export function lostWrites(windows: readonly Window[], events: readonly ExportedEvent[]): string[] {
  const bySeq = new Map(events.map((event) => [event.seq, event]))
  const released = new Set(
    events.filter(({ type }) => type === 'claim.released').map(({ payload }) => payload['claimId']),
  )
  const lost: string[] = []
  for (const { input, output } of windows.flatMap(({ operations }) => operations)) {
    if (input.kind === 'write' && output?.kind === 'written') {
      for (const { key, value } of input.entries) {
        const version = output.versions[key]
        if (version !== undefined && !hasWrite(bySeq.get(version), key, value))
          lost.push(`${key} version ${version} is lost`)
      }
    } else if (input.kind === 'claim' && output?.kind === 'claimed') {
      const { fence, claimId } = output.hold
      const event = bySeq.get(fence)
      if (event?.type !== 'claim.acquired' || event.payload['claimId'] !== claimId) lost.push(`${claimId} is lost`)
    } else if (input.kind === 'release' && output?.kind === 'released' && !released.has(input.claimId)) {
      lost.push(`the release of ${input.claimId} is lost`)
    }
  }
  return lost
}

function hasWrite(event: ExportedEvent | undefined, key: string, value: string | null): boolean {
  if (event === undefined || event.payload['key'] !== key) return false
  if (value === null) return event.type === 'value.deleted'
  const sha256 = createHash('sha256').update(JSON.stringify(value)).digest('hex')
  return event.type === 'value.written' && event.payload['sha256'] === sha256
}
