import { defineEvent } from '../../journal/event.ts'

/** The first event of every journal: it names the workspace that the chain starts from. */
export const workspaceCreated = defineEvent<{ workspaceId: string; name: string }>('workspace.created', {
  teamState: false,
})

export const memberAdded = defineEvent<{ userId: string; role: string }>('member.added', { teamState: false })

export const repoBound = defineEvent<{ repoId: string; canonicalRemote: string | null; rootSha: string | null }>(
  'repo.bound',
  { teamState: false },
)
