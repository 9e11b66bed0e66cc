import type { Scope } from '../../kernel/principal.ts'
import { Layout } from '../layout.tsx'

export interface Connection {
  readonly grantId: string
  readonly clientName: string
  readonly destination: string
  readonly scopes: readonly Scope[]
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

const SHORT_RIGHTS: Readonly<Record<Scope, string>> = { 'mcp:read': 'read', 'mcp:write': 'write' }

export function ConnectionsPage(props: { email: string; csrfToken: string; connections: readonly Connection[] }) {
  return (
    <Layout title="Connections" wide>
      <h1>Connections</h1>
      <p class="lead">
        What acts in the name of <strong>{props.email}</strong>. Ending a connection works at once and releases what its
        agents had claimed.
      </p>
      {props.connections.length === 0 ? (
        <p class="soft">Nothing is connected. Start a sign-in from your coding agent.</p>
      ) : (
        <ul class="list">
          {props.connections.map((connection) => (
            <li>
              <Summary connection={connection} />
              <form method="post" action="/account/connections">
                <input type="hidden" name="csrf" value={props.csrfToken} />
                <input type="hidden" name="grantId" value={connection.grantId} />
                <button type="submit" class="quiet small" aria-label={`End ${connection.clientName}`}>
                  End connection
                </button>
              </form>
            </li>
          ))}
        </ul>
      )}
      <p class="below">
        <a href="/logout">Sign out of this browser</a>
      </p>
    </Layout>
  )
}

function Summary({ connection }: { connection: Connection }) {
  const rights = connection.scopes.map((scope) => SHORT_RIGHTS[scope]).join(' and ')
  return (
    <div>
      <h2>{connection.clientName}</h2>
      <p class="soft">
        <code>{connection.destination}</code> · {rights} · connected <Moment at={connection.createdAt} /> ·{' '}
        {connection.lastUsedAt === null ? (
          'not used yet'
        ) : (
          <>
            last used <Moment at={connection.lastUsedAt} />
          </>
        )}
      </p>
    </div>
  )
}

function Moment({ at }: { at: Date }) {
  const iso = at.toISOString()
  return <time datetime={iso}>{`${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`}</time>
}
