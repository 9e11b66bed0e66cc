import { Layout } from '../layout.tsx'

const ROLE_WORDS: Readonly<Record<string, string>> = {
  owner: 'decide about everything there, together with the other owners',
  admin: 'manage its members, repositories and policy',
  member: 'work there with your agents: claim files, publish progress, keep shared values',
  viewer: 'see what everybody is doing',
}

export interface InvitePageProps {
  readonly workspaceName: string
  readonly role: string
  readonly invitedBy: string
  readonly email: string
  readonly path: string
}

/** Somebody is asked into a workspace: who asks, what for, and as whom they would come. */
export function InvitePage({ workspaceName, role, invitedBy, email, path }: InvitePageProps) {
  return (
    <Layout title="Invitation">
      <h1>Join “{workspaceName}”?</h1>
      <p class="lead">
        <strong>{invitedBy}</strong> invites you as {role}. You could {ROLE_WORDS[role] ?? 'take part'}.
      </p>
      <p>
        You are signed in as <strong>{email}</strong>. Its members will see your name.
      </p>
      <form method="post" action={path}>
        <button type="submit">Join</button>
      </form>
      <p class="below">
        Not what you expected? Close this page, and nothing happens. <a href="/">Your workspaces</a>
      </p>
    </Layout>
  )
}
