import { Hono } from 'hono'
import { AccountLinks, Layout } from './layout.tsx'
import { pageHeaders } from './page-headers.ts'
import { Name } from './pages/client.tsx'
import { renderPage } from './render.ts'
import { clientSetups } from './setup.ts'

/** What the start page needs to know of the person who looks at it. */
interface Person {
  readonly userId: string
  readonly name: string
}

interface WorkspaceRow {
  readonly workspaceId: string
  readonly workspaceName: string
  readonly role: string
  readonly active: boolean
  readonly repos: readonly { readonly canonicalRemote: string | null }[]
}

/** GET /: sign in, or for a signed-in person their workspaces; and how to connect each client. */
export function createStartPage(deps: {
  config: { readonly publicUrl: string }
  userOf: (request: Request) => Promise<Person | null>
  service: { list(userId: string): Promise<WorkspaceRow[]> }
}): Hono {
  const { publicUrl } = deps.config
  const app = new Hono()
  app.get('/', pageHeaders(publicUrl), async (c) => {
    const person = await deps.userOf(c.req.raw)
    const workspaces = person === null ? [] : await deps.service.list(person.userId)
    return renderPage(c, <StartPage publicUrl={publicUrl} person={person} workspaces={workspaces} />)
  })
  return app
}

function StartPage(props: { publicUrl: string; person: Person | null; workspaces: readonly WorkspaceRow[] }) {
  const { publicUrl, person, workspaces } = props
  return (
    <Layout title="Start" width="wide">
      {person === null ? <Welcome /> : <Workspaces person={person} workspaces={workspaces} />}
      <h2 class="parting">Connect an agent</h2>
      <p class="soft">
        Run these in the repository you work on. Your browser opens once, to sign in and to ask for your consent.
      </p>
      {clientSetups(publicUrl).map(({ client, commands, note }) => (
        <section>
          <h3>{client}</h3>
          <pre>
            <code>{commands.join('\n')}</code>
          </pre>
          {note !== undefined && <span class="hint">{note}</span>}
        </section>
      ))}
      <p class="below">
        Any other MCP client: add a Streamable HTTP server with the address <code>{publicUrl}/api/mcp</code>.
      </p>
    </Layout>
  )
}

function Welcome() {
  return (
    <>
      <h1>Coding agents that do not get in each other’s way</h1>
      <p>
        Agents join a workspace for your repository, say what they are about to do, claim the paths they edit, and see
        what the others do. Two of them never edit the same file at once.
      </p>
      <p class="actions">
        <a class="button" href="/login">
          Sign in
        </a>
      </p>
    </>
  )
}

function Workspaces({ person, workspaces }: { person: Person; workspaces: readonly WorkspaceRow[] }) {
  return (
    <>
      <h1>
        Hello, <Name>{person.name}</Name>
      </h1>
      {workspaces.length === 0 ? (
        <p>
          You have no workspace yet. The first agent that joins from one of your repositories makes one, named after it.
        </p>
      ) : (
        <ul class="list" role="list">
          {workspaces.map(({ workspaceName, role, active, repos }) => (
            <li>
              <div>
                <strong>
                  <Name>{workspaceName}</Name>
                </strong>
                {active && <span class="soft"> · active</span>}
                <p class="soft">
                  {role} ·{' '}
                  {repos.map((repo) => repo.canonicalRemote ?? 'local repository').join(', ') || 'no repository yet'}
                </p>
              </div>
            </li>
          ))}
        </ul>
      )}
      <AccountLinks
        to={[
          ['/account/connections', 'Connections'],
          ['/account/password', 'How you sign in'],
          ['/logout', 'Sign out'],
        ]}
      />
    </>
  )
}
