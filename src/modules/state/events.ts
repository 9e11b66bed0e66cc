import { defineEvent } from '../../journal/event.ts'

/** An agent published what it is doing. `paths` is its footprint. */
export const statePublished = defineEvent<{
  sessionId: string
  agentId: string
  repoId: string
  status: string
  objective: string
  paths: readonly string[]
}>('state.published', {
  teamState: true,
  subject: ({ sessionId, repoId, paths }) => ({ sessionId, repoId, paths }),
})
