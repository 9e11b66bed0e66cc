import type { Child } from 'hono/jsx'
import type { Scope } from '../../kernel/principal.ts'
import { AccountLinks, Alert, Choice, Fact, Field, Layout, Moment } from '../layout.tsx'
import { Name } from './client.tsx'

const PATH = '/account/tokens/new'
const CONNECTIONS: readonly [string, string] = ['/account/connections', 'Connections']

/** What a person has chosen so far, as the form's fields hold it. */
export interface TokenChoices {
  readonly name: string
  readonly scopes: 'read' | 'write'
  /** Empty: all of the person's. */
  readonly workspaceId: string
  /** A number of days, or `never`. */
  readonly expires: string
}

export interface NewTokenProps {
  readonly csrfToken: string
  /** The token that the form makes, sealed. */
  readonly sealed: string
  readonly chosen: TokenChoices
  /** What may be chosen for `expires`, the shortest first. */
  readonly expiries: readonly string[]
  readonly rooms: readonly { readonly workspaceId: string; readonly workspaceName: string; readonly role: string }[]
  /** How many tokens the person has, of how many at most. */
  readonly held: number
  readonly max: number
  readonly nameChars: number
  readonly error: string | undefined
}

export function NewTokenPage(props: NewTokenProps) {
  const { chosen, held, max, rooms } = props
  return (
    <Layout title="New token">
      <h1>New personal access token</h1>
      <p class="lead">
        For CI, and for agents without a browser. Whoever holds it acts in your name: give it no more than it needs.
      </p>
      <Alert message={props.error} />
      <form method="post" action={PATH}>
        <input type="hidden" name="csrf" value={props.csrfToken} />
        <input type="hidden" name="token" value={props.sealed} />
        <Field
          label="Name"
          hint="What it is for, so that you know it again."
          name="name"
          type="text"
          autocomplete="off"
          value={chosen.name}
          required
          maxlength={props.nameChars}
          autofocus
        />
        <Choice
          label="May"
          hint="Reading is who works on what, claims, plans and shared values. Writing is whatever you may do yourself, but for making tokens."
          name="scopes"
          chosen={chosen.scopes}
          options={[
            ['read', 'Read only'],
            ['write', 'Read and write'],
          ]}
        />
        <Choice
          label="Opens"
          hint="Bound to one workspace, it sees nothing of the others."
          name="workspace"
          chosen={chosen.workspaceId}
          options={[
            ['', 'All my workspaces, later ones too'],
            ...rooms.map(
              ({ workspaceId, workspaceName, role }) => [workspaceId, `${workspaceName} (${role})`] as const,
            ),
          ]}
        />
        <Choice
          label="Ends by itself"
          hint="You can revoke it at any time before, on your Connections page."
          name="expires"
          chosen={chosen.expires}
          options={props.expiries.map((value) => [value, lengthOf(value)] as const)}
        />
        <button type="submit">Make the token</button>
      </form>
      <p class="below">
        You have {held === 1 ? '1 token' : `${held} tokens`} of at most {max}.{' '}
        <a href="/account/connections">Connections</a>
      </p>
    </Layout>
  )
}

function lengthOf(expires: string): string {
  return expires === 'never' ? 'Never' : `After ${expires} days`
}

export interface MadeTokenProps {
  readonly publicUrl: string
  readonly secret: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly opens: Child
  readonly expiresAt: Date | null
}

/** The only page that ever shows the token. */
export function MadeTokenPage(props: MadeTokenProps) {
  const { name, scopes, secret, expiresAt } = props
  return (
    <Layout title="Your token" width="broad">
      <h1>Your token</h1>
      <p class="lead">
        Copy it now. It is shown this once and kept nowhere: if it is lost, revoke it and make another.
      </p>
      <div class="field">
        <label for="secret">
          “<Name>{name}</Name>”
        </label>
        <input id="secret" class="secret" type="text" value={secret} readonly spellcheck={false} autocomplete="off" />
      </div>
      <dl class="facts">
        <Fact term="May">{scopes.includes('mcp:write') ? 'read and write' : 'read'}</Fact>
        <Fact term="Opens">{props.opens}</Fact>
        <Fact term="Ends">{expiresAt === null ? 'never by itself' : <Moment at={expiresAt} />}</Fact>
      </dl>
      <h2 class="parting">Use it</h2>
      <p class="soft">
        Put it where your program keeps its secrets, here the environment variable <code>ORKESTRATE_TOKEN</code>; on a
        command line it would stay in your shell’s history.
      </p>
      {usesOf(props.publicUrl, scopes).map(({ by, command }) => (
        <section>
          <h3>{by}</h3>
          <pre>
            <code>{command}</code>
          </pre>
        </section>
      ))}
      <p class="below">
        Anything else sends it as the header <code>Authorization: Bearer …</code>
      </p>
      <AccountLinks to={[CONNECTIONS, [PATH, 'Make another'], ['/', 'Workspaces']]} />
    </Layout>
  )
}

/** Ready to be copied. An agent that cannot write is of no use, so a token that reads is shown with what reads. */
function usesOf(publicUrl: string, scopes: readonly Scope[]): { by: string; command: string }[] {
  const mcp = `${publicUrl}/api/mcp`
  const header = '"Authorization: Bearer $ORKESTRATE_TOKEN"'
  const rest = { by: 'REST', command: `curl -H ${header} "${publicUrl}/api/workspaces"` }
  if (!scopes.includes('mcp:write')) return [rest]
  return [
    rest,
    { by: 'Claude Code', command: `claude mcp add --transport http Orkestrate "${mcp}" --header ${header}` },
    { by: 'Codex', command: `codex mcp add Orkestrate --url "${mcp}" --bearer-token-env-var ORKESTRATE_TOKEN` },
  ]
}

/** What a reload of that page leads to, and a form that has made its token long ago. */
export function TokenShownPage() {
  return (
    <Layout title="Shown before">
      <h1>A token is shown once</h1>
      <p class="lead">
        What was made here was shown before, or waited for too long, and cannot be shown again. It works all the same,
        and no second one was made.
      </p>
      <p>If you do not have it, revoke it on your Connections page and make another.</p>
      <p class="actions">
        <a class="button" href="/account/connections">
          Look at my tokens
        </a>
        <a class="button quiet" href={PATH}>
          Make another
        </a>
      </p>
    </Layout>
  )
}
