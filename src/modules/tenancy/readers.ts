import type { JournalEvent } from '../../journal/event.ts'
import { memberChanged, memberRemoved, workspaceArchived, workspaceDeleted } from './events.ts'

const OF_A_MEMBER: ReadonlySet<string> = new Set([memberChanged.name, memberRemoved.name])
const OF_ALL: ReadonlySet<string> = new Set([workspaceArchived.name, workspaceDeleted.name])

/** Whether the person's right to read may have ended with these events. No events: the journal went with its workspace. */
export function mayUnseat(events: readonly JournalEvent[], userId: string): boolean {
  return (
    events.length === 0 ||
    events.some(({ type, payload }) => OF_ALL.has(type) || (OF_A_MEMBER.has(type) && payload['userId'] === userId))
  )
}
