import type { Json, JsonObject } from '../kernel/canonical.ts'
import { LIMITS } from '../kernel/limits.ts'
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
  const result: Record<string, Json> = {}
  for (const [key, value] of Object.entries(payload)) {
    const long = Array.isArray(value) && value.length > LIMITS.pathsShown
    result[key] = long ? value.slice(0, LIMITS.pathsShown) : value
    if (long) result[`${key}Omitted`] = value.length - LIMITS.pathsShown
  }
  return result
}
