import type { ExportedEvent } from '../../src/journal/event.ts'
import { overlaps } from '../../src/modules/claim/overlap.ts'
import { parsePattern, type PathPattern } from '../../src/modules/claim/pattern.ts'

/** A claim as the journal tells of it. */
export interface AuditedClaim {
  readonly claimId: string
  readonly sessionId: string
  readonly repoId: string
  readonly mode: string
  readonly fence: number
  readonly patterns: readonly PathPattern[]
}

export interface Audit {
  /** What must never be, one sentence each. */
  readonly faults: readonly string[]
  /** Claims that the journal leaves alive, the oldest first. */
  readonly live: readonly AuditedClaim[]
  readonly granted: number
}

/**
 * Sweeps over a journal in the order of its events: no two live claims of different sessions overlap unless both are
 * shared, fences only grow and are the seq of their event (and what a restored backup added), what ended was live and never comes back.
 */
export function auditClaims(events: readonly ExportedEvent[]): Audit {
  const live = new Map<string, AuditedClaim>()
  const ended = new Set<string>()
  const faults: string[] = []
  let fence = 0
  let fenceBase = 0
  let granted = 0
  for (const { seq, type, payload } of events) {
    const claimId = payload['claimId'] as string
    if (type === 'workspace.recovered') fenceBase = Number(payload['fenceBase'])
    if (type === 'claim.acquired' || type === 'claim.transferred') {
      const claim = claimOf(payload)
      granted += 1
      if (claim.fence <= fence || claim.fence !== fenceBase + seq)
        faults.push(`event ${seq}: fence ${claim.fence} after ${fence}`)
      fence = claim.fence
      if (live.has(claimId) || ended.has(claimId)) faults.push(`event ${seq}: ${claimId} came back`)
      for (const other of live.values()) if (clash(claim, other)) faults.push(clashFault(seq, claim, other))
      live.set(claimId, claim)
    } else if (type === 'claim.released' || type === 'claim.expired') {
      if (!live.delete(claimId)) faults.push(`event ${seq}: ${claimId} ended without being live`)
      ended.add(claimId)
    }
  }
  return { faults, live: [...live.values()], granted }
}

function claimOf(payload: ExportedEvent['payload']): AuditedClaim {
  const { claimId, sessionId, repoId, mode, fence, paths } = payload as Record<string, unknown>
  return {
    claimId: String(claimId),
    sessionId: String(sessionId),
    repoId: String(repoId),
    mode: String(mode),
    fence: Number(fence),
    patterns: (paths as string[]).map(parsePattern),
  }
}

function clash(a: AuditedClaim, b: AuditedClaim): boolean {
  if (a.sessionId === b.sessionId || a.repoId !== b.repoId || (a.mode === 'shared' && b.mode === 'shared')) return false
  return a.patterns.some((pattern) => b.patterns.some((other) => overlaps(pattern, other)))
}

function clashFault(seq: number, claim: AuditedClaim, held: AuditedClaim): string {
  const paths = ({ patterns }: AuditedClaim) => patterns.map((pattern) => pattern.display).join(', ')
  return `event ${seq}: ${claim.claimId} (${paths(claim)}) overlaps ${held.claimId} (${paths(held)})`
}
