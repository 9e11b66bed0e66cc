import type { Json, JsonObject } from '../kernel/canonical.ts'
import { shortList } from '../kernel/bounds.ts'
import type { JournalEvent } from './event.ts'

/** An event as an agent reads it: what happened, when, by whom, and the payload's fields beside them. */
export interface ShownEvent {
  readonly seq: number
  readonly type: string
  readonly at: string
  readonly by: string
  readonly [field: string]: Json
}

/** Long lists are cut to what a reader needs, with the count of the rest. */
export function showEvent(event: JournalEvent): ShownEvent {
  const { seq, type, at, actor } = event
  const by = actor.kind === 'agent' ? actor.agentId : actor.kind === 'user' ? actor.userId : 'system'
  return { ...shortened(event.payload), seq, type, at: at.toISOString(), by }
}

function shortened(payload: JsonObject): JsonObject {
  const entries = Object.entries(payload)
    .toSorted(([a], [b]) => asJsonbKeepsThem(a, b))
    .flatMap(([key, value]) =>
      Array.isArray(value) ? Object.entries(shortList<Json, string>(key, value)) : [[key, value] as const],
    )
  return Object.fromEntries(entries)
}

/** The order of an event that comes from the table, so that one which is still in memory reads the same. */
function asJsonbKeepsThem(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1)
}
