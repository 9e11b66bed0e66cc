import type { Child } from 'hono/jsx'
import type { Scope } from '../../kernel/principal.ts'
import { AccountLinks, Layout, Moment } from '../layout.tsx'
import { type Landing, Name, type Verification, VerificationMark } from './client.tsx'

/** One consent: a client that acts in the person's name. */
export interface Connection {
  readonly grantId: string
  readonly clientName: string
  readonly verified: Verification
  readonly landing: Landing
  readonly scopes: readonly Scope[]
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
  readonly expiresAt: Date
  /** Live sessions that came from it. */
  readonly agents: number
}

/** A personal access token: a program that acts in the person's name with it. */
export interface HeldToken {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly lastFour: string
  readonly scopes: readonly Scope[]
  /** The only workspace that it opens; null for all of the person's. */
  readonly onlyWorkspaceId: string | null
  /** What that is called, for those who are in it. */
  readonly workspaceName: string | null
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
  readonly expiresAt: Date | null
  readonly agents: number
}

export interface ConnectionsProps {
  readonly person: { readonly name: string; readonly email: string }
  readonly csrfToken: string
  readonly connections: readonly Connection[]
  readonly tokens: readonly HeldToken[]
  /** There are more than are listed. */
  readonly more: boolean
  /** The client of a connection that was ended on this page just before. */
  readonly ended: string | null
  /** Browsers that the person is signed in with, besides this one. */
  readonly otherBrowsers: number
}

const SHORT_RIGHTS: Readonly<Record<Scope, string>> = { 'mcp:read': 'read', 'mcp:write': 'write' }

export function ConnectionsPage(props: ConnectionsProps) {
  const { person, csrfToken, connections, ended } = props
  return (
    <Layout title="Connections" width="wide">
      <h1>Connections</h1>
      <p class="lead">
        What acts in the name of{' '}
        <strong>
          <Name>{person.name}</Name>
        </strong>{' '}
        ({person.email}). Ending a connection works at once and releases what its agents had claimed.
      </p>
      {ended !== null && (
        <p class="done" role="status">
          “<Name>{ended}</Name>” is no longer connected.
        </p>
      )}
      {connections.length === 0 ? (
        <NothingConnected />
      ) : (
        <ul class="entries" role="list">
          {connections.map((connection) => (
            <Entry key={connection.grantId} connection={connection} csrfToken={csrfToken} />
          ))}
        </ul>
      )}
      {props.more && <p class="soft">These are the newest {connections.length}; there are more.</p>}
      <Tokens tokens={props.tokens} csrfToken={csrfToken} />
      {connections.length + props.tokens.length > 1 && (
        <p class="actions parting">
          <a class="button quiet" href="/account/connections/end">
            End all connections
          </a>
        </p>
      )}
      <Browsers others={props.otherBrowsers} csrfToken={csrfToken} />
      <AccountLinks
        to={[
          ['/', 'Workspaces'],
          ['/account/log', 'Your account’s log'],
          ['/logout', 'Sign out of this browser'],
        ]}
      />
    </Layout>
  )
}

function NothingConnected() {
  return (
    <p>
      Nothing is connected. The <a href="/">start page</a> has the commands that connect each coding agent; it then
      opens a sign-in here, and is listed after you have allowed it.
    </p>
  )
}

function Tokens({ tokens, csrfToken }: { tokens: readonly HeldToken[]; csrfToken: string }) {
  return (
    <>
      <h2 class="parting">Personal access tokens</h2>
      {tokens.length === 0 ? (
        <p class="soft">None. They are for CI, and for agents without a browser.</p>
      ) : (
        <ul class="entries" role="list">
          {tokens.map((token) => (
            <TokenEntry key={token.id} token={token} csrfToken={csrfToken} />
          ))}
        </ul>
      )}
      <p class="actions">
        <a class="button quiet" href="/account/tokens/new">
          Make a token
        </a>
      </p>
    </>
  )
}

function Entry({ connection, csrfToken }: { connection: Connection; csrfToken: string }) {
  const { grantId, clientName, verified, landing, lastUsedAt, agents } = connection
  return (
    <AccessEntry
      id={grantId}
      name={clientName}
      facts={[
        ['Goes to', <code>{landing.address}</code>],
        ['May', connection.scopes.map((scope) => SHORT_RIGHTS[scope]).join(' and ')],
        ['Agents now', agents === 0 ? 'none' : String(agents)],
        ['Connected', <Moment at={connection.createdAt} />],
        ['Last used', lastUsedAt === null ? 'not yet' : <Moment at={lastUsedAt} />],
        ['Ends by itself', <Moment at={connection.expiresAt} />],
      ]}
      end={
        <form method="post" action="/account/connections">
          <input type="hidden" name="csrf" value={csrfToken} />
          <input type="hidden" name="grantId" value={grantId} />
          <button type="submit" class="quiet" id={`end-${grantId}`} aria-labelledby={`end-${grantId} name-${grantId}`}>
            End connection
          </button>
        </form>
      }
    >
      <VerificationMark verified={verified} />
    </AccessEntry>
  )
}

function TokenEntry({ token, csrfToken }: { token: HeldToken; csrfToken: string }) {
  const { id, lastUsedAt, expiresAt, agents } = token
  return (
    <AccessEntry
      id={id}
      name={token.name}
      facts={[
        ['Opens', <Opens token={token} />],
        ['May', token.scopes.map((scope) => SHORT_RIGHTS[scope]).join(' and ')],
        ['Agents now', agents === 0 ? 'none' : String(agents)],
        ['Made', <Moment at={token.createdAt} />],
        ['Last used', lastUsedAt === null ? 'not yet' : <Moment at={lastUsedAt} />],
        ['Ends by itself', expiresAt === null ? 'never' : <Moment at={expiresAt} />],
      ]}
      end={
        <form method="post" action="/account/connections">
          <input type="hidden" name="csrf" value={csrfToken} />
          <input type="hidden" name="tokenId" value={id} />
          <button type="submit" class="quiet" id={`end-${id}`} aria-labelledby={`end-${id} name-${id}`}>
            Revoke
          </button>
        </form>
      }
    >
      <p class="soft">
        <code>{`${token.prefix}…${token.lastFour}`}</code>
      </p>
    </AccessEntry>
  )
}

function Opens({ token: { onlyWorkspaceId, workspaceName } }: { token: HeldToken }) {
  if (onlyWorkspaceId === null) return <>all your workspaces</>
  return workspaceName === null ? <code>{onlyWorkspaceId}</code> : <Name>{workspaceName}</Name>
}

/**
 * One thing that acts in a person's name, whatever kind of thing it is.
 *
 * @param props.end how it is ended; its control may name itself by `name-<id>`
 */
function AccessEntry(props: {
  id: string
  name: string
  facts: readonly (readonly [term: string, value: Child])[]
  end: Child
  children: Child
}) {
  return (
    <li>
      <h2 id={`name-${props.id}`}>
        “<Name>{props.name}</Name>”
      </h2>
      {props.children}
      <dl class="brief">
        {props.facts.map(([term, value]) => (
          <div>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {props.end}
    </li>
  )
}

function Browsers({ others, csrfToken }: { others: number; csrfToken: string }) {
  return (
    <section class="parting">
      <h2>Browsers</h2>
      {others === 0 ? (
        <p class="soft">You are signed in with this browser only.</p>
      ) : (
        <>
          <p class="soft">You are signed in with {others + 1} browsers, this one among them.</p>
          <form method="post" action="/account/browsers">
            <input type="hidden" name="csrf" value={csrfToken} />
            <button type="submit" class="quiet">
              Sign out everywhere else
            </button>
          </form>
        </>
      )}
    </section>
  )
}

/** Says what ending everything means, before it is done. */
export function EndAllPage(props: {
  csrfToken: string
  connections: readonly Connection[]
  tokens: readonly HeldToken[]
  more: boolean
}) {
  const { connections, tokens } = props
  const agents = [...connections, ...tokens].reduce((sum, { agents: own }) => sum + own, 0)
  return (
    <Layout title="End all connections" width="broad">
      <h1>End all connections?</h1>
      <ul class="pairs lined" role="list">
        {connections.map(({ clientName, landing, agents: own }) => (
          <li>
            <span>
              “<Name>{clientName}</Name>” <code>{landing.address}</code>
            </span>
            <span class="soft">{own === 0 ? 'no agent now' : counted(own, 'agent')}</span>
          </li>
        ))}
        {tokens.map(({ name, prefix, lastFour, agents: own }) => (
          <li>
            <span>
              “<Name>{name}</Name>” <code>{`${prefix}…${lastFour}`}</code>
            </span>
            <span class="soft">{own === 0 ? 'no agent now' : counted(own, 'agent')}</span>
          </li>
        ))}
      </ul>
      {props.more && <p>These are the newest {connections.length}; the older ones end, too.</p>}
      <h2>What happens</h2>
      <ul>
        <li>They end at once and for good.</li>
        <li>{lossOf(agents)}</li>
        <li>What has been published and written stays.</li>
        <li>An agent that is to go on has to be signed in again.</li>
      </ul>
      <form method="post" action="/account/connections/end">
        <input type="hidden" name="csrf" value={props.csrfToken} />
        <div class="choice">
          <button type="submit" class="grave">
            End all
          </button>
          <a class="button quiet" href="/account/connections">
            Keep them
          </a>
        </div>
      </form>
    </Layout>
  )
}

function lossOf(agents: number): string {
  if (agents === 0) return 'No agent is at work with them now.'
  return agents === 1
    ? 'The agent at work loses its session, and what it has claimed is released for others.'
    : `The ${agents} agents at work lose their sessions, and what they have claimed is released for others.`
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`
}
