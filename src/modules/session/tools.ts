import { z } from 'zod'
import { shortList, takeWithin } from '../../kernel/bounds.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { callTool, type Call } from '../call.ts'
import { agentId, line, sha } from '../fields.ts'
import { reposOf } from '../tenancy/store.ts'
import { stateView } from './view.ts'

export const JoinInput = z.object({
  gitContext: z.object({
    remote: z.string().max(LIMITS.remoteChars).describe('`git remote get-url origin`; empty string if there is none'),
    repoRoot: z.string().min(1).max(LIMITS.repoRootChars).describe('`git rev-parse --show-toplevel`'),
    branch: line(LIMITS.branchChars).describe('`git rev-parse --abbrev-ref HEAD`'),
    headSha: sha.describe('`git rev-parse HEAD`'),
    dirty: z.boolean().describe('true if `git status --porcelain` prints anything'),
    collectedAt: z.string().max(64).describe('ISO 8601 time'),
    rootSha: sha.optional().describe('First commit (`git rev-list --max-parents=0 HEAD`); needed without a remote'),
  }),
  workspaceId: z.string().max(64).optional(),
  agentId: agentId.optional().describe('To reconnect: the agentId you had. Leave out to get a new one.'),
  toolName: line(LIMITS.toolNameChars).optional().describe('Your product, e.g. "Claude Code"'),
})
export type JoinInput = z.output<typeof JoinInput>

export const joinWorkspace = callTool({
  name: 'join_workspace',
  title: 'Join workspace',
  description:
    'Call first, before any other tool, and again after a restart or NOT_JOINED. Connects you to your team’s workspace ' +
    'for this repository, using facts from git; the answer has your agentId, the policy and your live claims. ' +
    'To reconnect pass the agentId you had before: you get the same session and claims. ' +
    'Run the git commands named in the fields; do not guess their values.',
  access: 'read',
  entry: 'join',
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: JoinInput,
  output: z.object({
    workspace: z.object({ id: z.string(), name: z.string(), role: z.string() }),
    session: z.object({ id: z.string(), agentId: z.string(), toolName: z.string(), resumed: z.boolean() }),
    repo: z.looseObject({ id: z.string(), canonicalRemote: z.string().nullable() }),
    policy: z.looseObject({ casMode: z.string(), sessionIdleSeconds: z.number() }),
    claims: z.array(z.looseObject({ claimId: z.string() })),
    lastState: z.looseObject({}).optional(),
  }),
  handle: async (call) => ({
    workspace: { id: call.ws.workspaceId, name: call.member.workspaceName, role: call.member.role },
    session: {
      id: call.session.id,
      agentId: call.session.agentId,
      toolName: call.session.toolName,
      resumed: call.resumed,
    },
    repo: await repoView(call),
    policy: { ...call.member.policy, overlap: 'reject', branchPolicy: 'same_repo_any_branch' },
    ...claimsView(call.claims),
    ...(call.session.state === null ? {} : { lastState: stateView(call.session.state) }),
  }),
})

function claimsView(claims: Call['claims']) {
  const views = claims.map((claim) => ({
    claimId: claim.id,
    ...shortList(
      'paths',
      claim.patterns.map((pattern) => pattern.display),
    ),
    mode: claim.mode,
    fence: claim.fence,
    expiresAt: claim.expiresAt.toISOString(),
  }))
  const { shown, rest } = takeWithin(views, LIMITS.refusalListBytes)
  return rest > 0 ? { claims: shown, claimsOmitted: rest } : { claims: shown }
}

async function repoView(call: Call) {
  const repos = await reposOf(call.ws.tx, call.ws.workspaceId)
  const repo = repos.find(({ id }) => id === call.session.repoId)
  return {
    id: call.session.repoId,
    canonicalRemote: repo?.canonicalRemote ?? null,
    branch: call.session.branch,
    headSha: call.session.headSha,
    // Joining succeeds only where the identity from git matches a repository bound to the workspace.
    verified: true,
  }
}
