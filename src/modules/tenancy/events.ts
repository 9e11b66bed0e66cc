import { defineEvent } from '../../journal/event.ts'
import type { JsonObject } from '../../kernel/canonical.ts'

/** The first event of every journal: it names the workspace that the chain starts from. */
export const workspaceCreated = defineEvent<{ workspaceId: string; name: string }>('workspace.created', {
  teamState: false,
})

/** The database came back from a backup: added to a seq, `fenceBase` makes the fences and versions from here on. */
export const workspaceRecovered = defineEvent<{ fenceBase: number }>('workspace.recovered', { teamState: true })

export const memberAdded = defineEvent<{ userId: string; role: string }>('member.added', { teamState: false })

export const memberChanged = defineEvent<{ userId: string; from: string; to: string }>('member.changed', {
  teamState: false,
})

/** `reason`: left by themselves, or removed by somebody else. */
export const memberRemoved = defineEvent<{ userId: string; role: string; reason: 'left' | 'removed' }>(
  'member.removed',
  { teamState: false },
)

/** Whoever holds the link may come in. The link itself, and an address, are nowhere in the journal. */
export const inviteMade = defineEvent<{ inviteId: string; role: string; maxUses: number; expiresAt: string }>(
  'invite.made',
  { teamState: false },
)
export const inviteRevoked = defineEvent<{ inviteId: string }>('invite.revoked', { teamState: false })
export const inviteAccepted = defineEvent<{ inviteId: string; userId: string; role: string }>('invite.accepted', {
  teamState: false,
})

export const workspaceRenamed = defineEvent<{ name: string }>('workspace.renamed', { teamState: false })
export const workspaceArchived = defineEvent<Record<string, never>>('workspace.archived', { teamState: false })
export const workspaceRestored = defineEvent<Record<string, never>>('workspace.restored', { teamState: false })
/** The last event of a journal; what it held is gone. */
export const workspaceDeleted = defineEvent<Record<string, never>>('workspace.deleted', { teamState: false })

/** The whole policy as it is in force from now on. */
export const policyChanged = defineEvent<{ policy: JsonObject }>('policy.changed', { teamState: false })

export const repoUnbound = defineEvent<{ repoId: string }>('repo.unbound', { teamState: false })

export const repoBound = defineEvent<{ repoId: string; canonicalRemote: string | null; rootSha: string | null }>(
  'repo.bound',
  { teamState: false },
)
